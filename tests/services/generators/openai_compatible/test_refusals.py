"""What the server refuses for its size goes again with fewer pictures, and the next question knows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.generators.errors import GeneratorUnavailable, RequestRejected
from services.generators.openai_compatible.limits import TokenBudget
from services.generators.openai_compatible.refusals import reduce_budget
from services.generators.types import Evidence
from tests.support.fake_vllm import FakeVllm, run_fake_vllm
from tests.support.openai_fixtures import F1, LIMITS, PHOTO, QUESTION, grey_picture, make_evidence, make_generator

BUDGET = TokenBudget(max_prompt_tokens=100_000)
FRAMES = [make_evidence(f"F{n}", start_s=float(n), picture=grey_picture(n)) for n in range(1, 101)]
PHOTOS = [make_evidence(f"I{n}", PHOTO, picture=grey_picture(n)) for n in range(1, 9)]


def _count_pictures(fake: FakeVllm) -> list[tuple[int, int, int]]:
    """The videos, their frames, and the images of each request."""
    counts = []
    for request in fake.requests:
        parts = request["messages"][1]["content"]
        urls = [part["video_url"]["url"] for part in parts if part["type"] == "video_url"]
        images = sum(part["type"] == "image_url" for part in parts)
        counts.append((len(urls), sum(url.count(",") for url in urls), images))
    return counts


@pytest.mark.parametrize(
    ("server", "budget", "evidence", "requests"),
    [
        ({}, BUDGET, FRAMES, [(64, 64, 0)]),
        ({"max_videos": 3}, BUDGET, FRAMES, [(64, 64, 0), (3, 3, 0)]),
        ({"max_images": 2}, BUDGET, PHOTOS, [(0, 0, 8), (6, 6, 2)]),
        ({"max_images": 0, "max_videos": 2}, BUDGET, PHOTOS, [(0, 0, 8), (8, 8, 0), (2, 2, 0)]),
        ({"max_request_bytes": 20_000}, BUDGET, FRAMES, [(64, 64, 0), (32, 32, 0), (16, 16, 0)]),
        ({"context_chars": 1000}, LIMITS, FRAMES, None),
    ],
)
def test_what_is_too_large_goes_again_with_less_until_the_server_takes_it_and_the_next_question_knows(
    server: dict[str, Any],
    budget: TokenBudget,
    evidence: list[Evidence],
    requests: list[tuple[int, int, int]] | None,
) -> None:
    with run_fake_vllm(**server) as fake:
        generator = make_generator(fake.url, budget)
        assert [draft.text for draft in generator.answer(QUESTION, evidence)] == ["A dog runs.", "A cat sleeps."]
        first = _count_pictures(fake)
        assert list(generator.answer(QUESTION, evidence))
        again = _count_pictures(fake)[len(first) :]
    if requests is None:  # a prompt's length is estimated for each question anew
        assert again == first and [frames for _, frames, _ in first] == sorted({n for _, n, _ in first}, reverse=True)
    else:
        assert (first, again) == (requests, requests[-1:])


def test_evidence_that_was_left_out_cannot_be_cited() -> None:
    with run_fake_vllm(max_videos=3, chunks=["A dog runs [F3]. It barks [F9]."]) as fake:
        drafts = list(make_generator(fake.url, BUDGET).answer(QUESTION, FRAMES[:10]))
    assert [[quote.evidence_id for quote in draft.quotes] for draft in drafts] == [["F3"], []]


@pytest.mark.parametrize(
    ("reason", "frames", "images"),
    [
        ("it went wrong", 8, 8),
        ("Request body too large", 1, 1),
        ("a(n) video item with 300 embedding tokens, which exceeds the pre-allocated encoder cache size 200", 1, 0),
        ("a(n) image item with 300 embedding tokens, which exceeds the pre-allocated encoder cache size 200", 1, 0),
        ("This model's maximum context length is 300 tokens", 4, 0),
    ],
)
def test_what_is_not_the_size_or_cannot_be_smaller_does_not_go_again(reason: str, frames: int, images: int) -> None:
    assert reduce_budget(LIMITS, frames, images, reason) is None


def test_an_image_above_the_encoder_cache_goes_as_a_frame() -> None:
    reason = "a(n) image item with 7371 embedding tokens, which exceeds the pre-allocated encoder cache size 2048"
    assert reduce_budget(LIMITS, 0, 2, reason) == replace(LIMITS, max_images=0)


def test_a_server_that_never_takes_a_request_is_asked_a_few_times_and_named() -> None:
    with run_fake_vllm(status=400, body='{"error": "too many tokens"}') as fake:
        with pytest.raises(RequestRejected, match=r"it answered 400 \(too many tokens\)"):
            list(make_generator(fake.url, BUDGET).answer(QUESTION, FRAMES))
        assert [frames for _, frames, _ in _count_pictures(fake)] == [64, 32, 16, 8, 4, 2, 1]


def test_a_model_that_the_server_has_no_more_is_looked_up_again_unless_it_was_named() -> None:
    with run_fake_vllm(status=404) as fake:
        generator = make_generator(fake.url, model="")
        assert generator.model_id == "openai_compatible:first-model"
        fake.models_body = '{"data": [{"id": "newer"}]}'
        with pytest.raises(GeneratorUnavailable, match="does not know the model"):
            list(generator.answer(QUESTION, [F1]))
        assert [request["model"] for request in fake.requests] == ["first-model", "newer"]
        with pytest.raises(GeneratorUnavailable, match="does not know the model"):
            list(make_generator(fake.url, model="named").answer(QUESTION, [F1]))
        assert len(fake.requests) == 3
