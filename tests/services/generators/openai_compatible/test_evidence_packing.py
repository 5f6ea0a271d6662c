"""The budget of a request: what fits goes out, and what does not is left out or refused by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import InvalidInput, SettingsError
from services.generators.openai_compatible.evidence_packing import pack_evidence
from services.generators.openai_compatible.limits import TokenBudget
from services.generators.openai_compatible.parts import build_messages
from services.generators.prompts import format_question
from services.generators.types import Evidence
from tests.support.fake_vllm import run_fake_vllm
from tests.support.openai_fixtures import (
    ALL_EVIDENCE,
    F1,
    I1,
    LIMITS,
    QUESTION,
    collect_answer,
    grey_picture,
    load_jpeg,
    make_evidence,
    make_generator,
    make_slots,
)


def _count_request_tokens(evidence: Sequence[Evidence], limits: TokenBudget) -> int:
    """The tokens of a request, counted from what is sent."""
    chosen = pack_evidence(QUESTION, evidence, limits)
    total = 24 + sum(len(slot.visual_tokens) for slot in chosen.token_slots if slot.visual_tokens is not None)
    for message in build_messages(chosen, QUESTION, load_jpeg):
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for part in parts:
            match part:
                case {"type": "text", "text": str(text)}:
                    total += limits.count_text_tokens(text)
                case {"type": "video_url", "video_url": {"url": str(url)}}:
                    assert url.count(",") == 1
                    total += limits.frame_tokens + 1
                case {"type": "image_url"}:
                    total += limits.image_tokens
    return total


@given(st.integers(600, 12_000), st.integers(0, 40), st.sampled_from([0, 8]), st.sampled_from([1, 2, 7, 64]))
@settings(max_examples=40, deadline=None)
def test_a_request_never_costs_more_than_the_budget(budget: int, slots: int, hidden: int, videos: int) -> None:
    limits = TokenBudget(max_prompt_tokens=budget, image_tokens=700, max_videos=videos, hidden_size=hidden)
    assert _count_request_tokens([*ALL_EVIDENCE[:6], *make_slots(slots, 8)], limits) <= budget


def test_a_budget_is_used_but_for_what_rounding_takes() -> None:
    frames = [make_evidence(f"F{n}", start_s=float(n), picture=grey_picture(n)) for n in range(1, 10)]
    needed = [_count_request_tokens(frames[:n], LIMITS) for n in range(1, 10)]
    for n, tokens in enumerate(needed[1:], 2):
        assert len(pack_evidence(QUESTION, frames, TokenBudget(max_prompt_tokens=tokens + 2 * n)).frames) == n
        assert len(pack_evidence(QUESTION, frames, TokenBudget(max_prompt_tokens=tokens - 1)).frames) == n - 1


def test_what_does_not_fit_is_left_out_the_least_relevant_first() -> None:
    frames = [make_evidence(f"F{n}", start_s=float(20 - n), picture=grey_picture(n)) for n in range(1, 10)]
    with run_fake_vllm(chunks=["A dog runs [F9]. It barks [F2]."]) as fake:
        drafts = collect_answer(
            fake,
            [*frames, *make_slots(4)],
            TokenBudget(max_prompt_tokens=_count_request_tokens(frames[:3], LIMITS) + 20),
        )
    assert fake.last_user_texts[:-1] == [f"[F{n} 00:00:{20 - n}–00:00:{25 - n}]" for n in (3, 2, 1)]
    assert [[quote.evidence_id for quote in one.quotes] for one in drafts] == [[], ["F2"]]


def test_a_memory_that_does_not_fit_whole_still_covers_the_whole_time() -> None:
    slots = make_slots(64)
    chosen = pack_evidence(QUESTION, slots, TokenBudget(max_prompt_tokens=_count_request_tokens(slots[:9], LIMITS)))
    times = [seen[0].result.segment.start_s or 0.0 for seen in chosen.memory_frames.values()]
    assert times == sorted(times) and len(times) >= 8
    assert max(np.diff([0.0, *times, 640.0])) <= 160


def test_a_question_longer_than_the_budget_names_both_numbers() -> None:
    with pytest.raises(InvalidInput, match=r"the question takes 1\d{4} tokens; there is room for 1\d{3}$"):
        list(make_generator("http://127.0.0.1:1/v1", TokenBudget(max_prompt_tokens=2000)).answer("why? " * 8000, [F1]))


def test_a_budget_smaller_than_one_frame_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"MAX_PROMPT_TOKENS is 300; the instructions and one frame take 3\d\d"):
        TokenBudget(max_prompt_tokens=300)


def test_evidence_of_which_nothing_fits_is_refused_rather_than_ignored() -> None:
    free_tokens = TokenBudget(max_prompt_tokens=1000).count_remaining_tokens(format_question(QUESTION))
    limits = TokenBudget(max_prompt_tokens=1000, frame_tokens=free_tokens - 1)
    with pytest.raises(InvalidInput, match="no piece of the evidence fits into 1000 tokens"):
        list(make_generator("http://127.0.0.1:1/v1", limits).answer(QUESTION, [I1]))
