"""A model behind a server: what is sent has vLLM's forms, and what comes back is cited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest

from indexer.errors import ArtifactError, ModelError
from services.generators.errors import GeneratorUnavailable
from services.generators.openai_compatible.client import ChatClient
from services.generators.openai_compatible.evidence_packing import pack_evidence
from services.generators.openai_compatible.generator import OpenAiCompatibleGenerator
from services.generators.openai_compatible.limits import TokenBudget
from services.generators.openai_compatible.parts import build_messages
from services.generators.prompts import entailment_prompt, format_headers
from tests.support.fake_vllm import load_tensor, run_fake_vllm
from tests.support.openai_fixtures import (
    ALL_EVIDENCE,
    F1,
    F2,
    I1,
    LIMITS,
    P1,
    PHOTO,
    QUESTION,
    collect_answer,
    grey_picture,
    load_jpeg,
    make_evidence,
    make_generator,
    make_slots,
    median_shades,
)


def test_an_answer_comes_with_the_ids_that_it_names() -> None:
    with run_fake_vllm() as fake:
        drafts = collect_answer(fake)
    assert [(one.text, [quote.evidence_id for quote in one.quotes], one.score) for one in drafts] == [
        ("A dog runs.", ["F1"], 0.8),
        ("A cat sleeps.", ["I1"], 0.8),
    ]


def test_memory_frames_pictures_and_texts_stand_in_order_behind_their_headers_and_the_question_is_last() -> None:
    with run_fake_vllm() as fake:
        collect_answer(fake, ALL_EVIDENCE)
    head = format_headers(ALL_EVIDENCE)
    assert [part["type"] for part in fake.last_user_parts] == [
        *(["text", "video_url"] * 5),
        *(["text", "image_url"] * 2),
        *(["text"] * 5),
    ]
    listed = [head["M1"], head["M2"], head["M3"], head["F2"], f"{head['F1']} {head['F3']}"]
    assert fake.last_user_texts[:5] == listed
    assert fake.last_user_texts[5:7] == [head["I1"], f"{head['P1']} {head['P2']}"]
    assert fake.last_user_texts[7] == f"{head['P1']}\n| Dogs are welcome."
    assert fake.last_user_texts[9] == f"{head['F3']}\n| It runs < image> off."
    assert fake.last_user_texts[-1] == f"Question: {QUESTION}"
    *videos, photo, page = (part for part in fake.last_user_parts if part["type"] != "text")
    assert [shade for video in videos for shade in median_shades(video)] == pytest.approx(
        [100, 101, 102, 30, 20], abs=2
    )
    assert (*median_shades(photo), *median_shades(page)) == pytest.approx((240, 200), abs=2)


def test_the_same_media_have_the_same_uuid_and_others_another() -> None:
    with run_fake_vllm() as fake:
        collect_answer(fake, [F1, I1])
        first = [part["uuid"] for part in fake.last_user_parts if "uuid" in part]
        collect_answer(fake, [F1, make_evidence("I1", PHOTO, picture=grey_picture(90))])
        second = [part["uuid"] for part in fake.last_user_parts if "uuid" in part]
    assert first[0] == second[0] and first[1] != second[1]


def test_memory_goes_as_tokens_where_the_server_takes_them() -> None:
    with run_fake_vllm(hidden_size=8) as fake:
        collect_answer(fake, [F1, P1, *make_slots(3, hidden=8)], replace(LIMITS, hidden_size=8))
    assert [part["type"] for part in fake.last_user_parts[:6]] == ["text", "image_embeds"] * 3
    assert [tuple(load_tensor(part).shape) for part in fake.last_user_parts[1:6:2]] == [(6, 8)] * 3
    assert "image_url" not in [part["type"] for part in fake.last_user_parts]
    assert fake.last_user_texts[:3] == [format_headers([F1, P1, *make_slots(3)])[name] for name in ("M1", "M2", "M3")]


def test_beside_photos_memory_goes_as_frames_since_the_server_takes_no_mix() -> None:
    with run_fake_vllm() as fake:
        collect_answer(fake, [I1, *make_slots(3, hidden=8)], replace(LIMITS, hidden_size=8))
    kinds = [part["type"] for part in fake.last_user_parts]
    assert kinds == [*(["text", "video_url"] * 3), "text", "image_url", "text"]


@pytest.mark.parametrize("shape", [(6, 9), (0, 8), (1, 6, 8)])
def test_memory_tokens_of_a_wrong_shape_are_never_sent(shape: tuple[int, ...]) -> None:
    slot = replace(make_slots(1)[0], visual_tokens=np.ones(shape, np.float32))
    with run_fake_vllm() as fake, pytest.raises(ModelError, match="memory M1 has tokens of shape"):
        collect_answer(fake, [slot], replace(LIMITS, hidden_size=8))
    assert fake.requests == []


def test_memory_tokens_that_are_no_numbers_are_never_sent() -> None:
    slot = replace(make_slots(1)[0], visual_tokens=np.full((6, 8), np.nan, np.float32))
    with run_fake_vllm() as fake, pytest.raises(ModelError, match="no numbers"):
        collect_answer(fake, [slot], replace(LIMITS, hidden_size=8))


def test_pictures_above_what_the_server_takes_in_full_go_as_frames_and_those_above_that_stay_away() -> None:
    photos = [make_evidence(f"I{n + 1}", PHOTO, picture=grey_picture(n)) for n in range(6)]
    with run_fake_vllm(max_images=3, chunks=["Five [I5]. Six [I6]."]) as fake:
        drafts = collect_answer(fake, photos, TokenBudget(max_prompt_tokens=100_000, max_images=3, max_videos=2))
    assert fake.last_user_texts == ["[I1]", "[I2]", "[I3]", "[I4]", "[I5]", f"Question: {QUESTION}"]
    assert [part["type"] for part in fake.last_user_parts if part["type"] != "text"] == [
        *(["image_url"] * 3),
        *(["video_url"] * 2),
    ]
    assert [bool(one.quotes) for one in drafts] == [True, False] and fake.attempts == 1


def test_describing_asks_for_what_is_shown() -> None:
    with run_fake_vllm() as fake:
        assert len(list(make_generator(fake.url).describe([F1, I1], 30))) == 2
    assert fake.last_user_texts[-1] == "Say in at most 30 words what the evidence shows."


def test_a_sentence_is_checked_by_how_likely_yes_is_each_picture_alone() -> None:
    with run_fake_vllm(first_token_probabilities={"Yes": 0.6, " yes": 0.2, "No": 0.1, "NO": 0.1, "I": 0.0001}) as fake:
        scores = make_generator(fake.url).entailment_scores("A dog runs.", [F1, I1, *make_slots(1)])
        assert scores == pytest.approx([0.8, 0.8, 0.8])
        contents = [request["messages"][1]["content"] for request in fake.requests]
        assert all(content[-1]["text"] == entailment_prompt("A dog runs.") for content in contents)
        pictures = [[part["uuid"] for part in content if part["type"] != "text"] for content in contents]
        assert [len(shown) for shown in pictures] == [1, 1, 1] and len({shown[0] for shown in pictures}) == 3


@pytest.mark.parametrize(("word", "score"), [("Yes.", 1.0), ("no", 0.0), ("N", 0.0), ("Maybe", None)])
def test_a_server_that_does_not_weigh_its_words_is_taken_at_its_word(word: str, score: float | None) -> None:
    with run_fake_vllm(first_token_probabilities=None, first_token=word) as fake:
        assert make_generator(fake.url).entailment_scores("A dog runs.", [F1]) == [score]


@pytest.mark.parametrize(
    ("probabilities", "score"),
    [
        ({"Yes": 0.2, "N": 0.5, "n": 0.1, "Nothing": 0.2}, 0.25),
        ({"Ye": 0.3, "y": 0.1, "▁NO": 0.1, "": 0.5}, 0.8),
        ({"Ġyes": 0.45, '"No"': 0.45, "Yesterday": 0.1}, 0.5),
        ({"Yes": 0.05, "The": 0.95}, None),
        ({"The": 0.9, "A": 0.1}, None),
    ],
)
def test_parts_of_yes_and_no_count_and_little_of_both_is_unknown(
    probabilities: dict[str, float], score: float | None
) -> None:
    with run_fake_vllm(first_token_probabilities=probabilities) as fake:
        scores = make_generator(fake.url).entailment_scores("A dog runs.", [F1])
    assert scores == ([None] if score is None else [pytest.approx(score)])


@pytest.mark.parametrize(
    ("fake_settings", "message"),
    [({"status": 500}, "it answered 500"), ({"fault": "page"}, "it sends an invalid answer")],
)
def test_a_server_that_fails_while_it_checks_is_named(fake_settings: dict[str, Any], message: str) -> None:
    with run_fake_vllm(**fake_settings) as fake, pytest.raises(GeneratorUnavailable, match=message):
        make_generator(fake.url).entailment_scores("A dog runs.", [F1, F2])


def test_without_evidence_nothing_is_asked() -> None:
    assert list(make_generator("http://127.0.0.1:1/v1").answer(QUESTION, [])) == []


def test_a_question_with_half_a_sign_can_be_asked() -> None:
    with run_fake_vllm() as fake:
        list(make_generator(fake.url).answer("What is \udc80 this <|im_end|>?", [F1]))
    assert fake.last_user_texts[-1] == "Question: What is ? this < |im_end| >?"


def test_a_stored_picture_that_is_damaged_is_named() -> None:
    generator = OpenAiCompatibleGenerator(
        ChatClient("http://127.0.0.1:1/v1", "", 1), lambda _: b"\xff\xd8", LIMITS, "m", 9
    )
    with pytest.raises(ArtifactError, match="damaged"):
        list(generator.answer(QUESTION, [F1]))


def test_a_model_without_a_name_is_the_first_of_the_server() -> None:
    with run_fake_vllm() as fake:
        generator = make_generator(fake.url, model="")
        assert generator.model_id == "openai_compatible:first-model"
        list(generator.answer(QUESTION, [F1]))
    assert fake.requests[0]["model"] == "first-model"
    assert make_generator(fake.url, model="given").model_id == "openai_compatible:given"


def test_the_chat_template_keeps_media_behind_their_headers() -> None:
    """vLLM names parts `image` and `video` by the time that a template sees them."""
    kinds = {"text": "text", "video_url": "video", "image_url": "image", "image_embeds": "image"}
    system, user = build_messages(pack_evidence(QUESTION, [F1, I1, P1], LIMITS), QUESTION, load_jpeg)
    parts = [{"type": kinds[part["type"]], "text": part.get("text", "")} for part in user["content"]]
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((Path(__file__).parents[4] / "docs" / "llava_onevision.jinja").read_text())
    said = template.render(messages=[system, {"role": "user", "content": parts}], add_generation_prompt=True)
    assert said.startswith("<|im_start|>system\nYou answer from the evidence")
    head = format_headers([F1, I1, P1])
    assert said.endswith(
        f"<|im_end|>\n<|im_start|>user\n{head['F1']}\n<video>\n{head['I1']}\n<image>\n"
        f"{head['P1']}\n<image>\n{head['P1']}\n| Dogs are welcome.\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    )
