"""A model behind a server: what is sent has vLLM's forms and fits, and however the server fails, one line says so."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import ArtifactError, InvalidInput, ModelError, SettingsError
from indexer.media.jpeg import encode_jpeg
from indexer.types import AssetKind, Lane, Origin, PictureRef, Segment
from memory.types import Tokens
from services.catalog.types import Asset
from services.generators.errors import GeneratorUnavailable
from services.generators.openai_compatible.client import ChatClient
from services.generators.openai_compatible.evidence_packing import pack_evidence
from services.generators.openai_compatible.generator import OpenAiCompatibleGenerator
from services.generators.openai_compatible.limits import TokenBudget
from services.generators.openai_compatible.parts import build_messages
from services.generators.prompts import entailment_prompt, format_headers
from services.generators.types import DraftSentence, Evidence
from services.search.types import RetrievedSegment
from tests.support.fake_vllm import FakeVllm, decode_jpegs, load_tensor, run_fake_vllm

FILM = Asset("f" * 64, "v", AssetKind.VIDEO, "film.mp4", 900.0, None, 64, 48, 0.0, 1, 1, (), 0.0)
PAPER = replace(FILM, asset_id="d" * 64, kind=AssetKind.DOCUMENT, name="paper.pdf", duration_s=None, pages=9)
PHOTO = replace(FILM, asset_id="a" * 64, kind=AssetKind.IMAGE, name="cat.jpg", duration_s=None)
QUESTION = "What does the dog do?"
LIMITS = TokenBudget(max_prompt_tokens=20_000)
API_KEY = "sk-very-secret"
SHADES: dict[PictureRef, tuple[int, tuple[int, int]]] = {}


def _grey_picture(shade: int, size: tuple[int, int] = (48, 64)) -> PictureRef:
    """A grey picture, known by its shade again."""
    ref = PictureRef(f"{shade} {size}", 0, 1)
    SHADES[ref] = (shade, size)
    return ref


def _load_jpeg(ref: PictureRef) -> bytes:
    shade, size = SHADES[ref]
    return encode_jpeg(np.full((*size, 3), shade, np.uint8), 1024)


def _make_evidence(
    name: str,
    asset: Asset = FILM,
    start_s: float | None = None,
    text: str = "",
    picture: PictureRef | None = None,
    tokens: Tokens | None = None,
    page: int | None = None,
) -> Evidence:
    end_s = None if start_s is None else start_s + 5
    origin = Origin.SUBTITLE if text else Origin.PICTURE
    segment = Segment(0, origin, start_s=start_s, end_s=end_s, text=text, picture=picture, page=page)
    return Evidence(name, RetrievedSegment(asset, segment, 0.8, {Lane.TEXT: 0.8}, 0.1), tokens)


def _make_slots(count: int, hidden: int | None = None) -> list[Evidence]:
    tokens = None if hidden is None else np.ones((6, hidden), np.float32)
    return [
        _make_evidence(f"M{n + 1}", start_s=10.0 * n, picture=_grey_picture(100 + n), tokens=tokens)
        for n in range(count)
    ]


F1 = _make_evidence("F1", start_s=62.0, picture=_grey_picture(20))
F2 = _make_evidence("F2", start_s=5.0, text="The dog barks.", picture=_grey_picture(30))
F3 = _make_evidence("F3", start_s=64.0, text="It runs <image> off.", picture=_grey_picture(20))
P1 = _make_evidence("P1", PAPER, text="Dogs are welcome.", picture=_grey_picture(200, (90, 60)), page=7)
P2 = _make_evidence("P2", PAPER, text="Cats are not.", picture=_grey_picture(200, (90, 60)), page=7)
I1 = _make_evidence("I1", PHOTO, picture=_grey_picture(240, (40, 70)))
ALL_EVIDENCE = [F1, P1, F2, I1, F3, P2, *_make_slots(3)]


def _generator(
    url: str,
    limits: TokenBudget = LIMITS,
    model: str = "m",
    key: str = "",
    timeout_s: float = 2.0,
    max_tokens: int = 64,
) -> OpenAiCompatibleGenerator:
    return OpenAiCompatibleGenerator(ChatClient(url, key, timeout_s), _load_jpeg, limits, model, max_tokens)


def _answer(
    fake: FakeVllm, evidence: Sequence[Evidence] = (F1, I1), limits: TokenBudget = LIMITS
) -> list[DraftSentence]:
    return list(_generator(fake.url, limits).answer(QUESTION, evidence))


def _median_shades(part: dict[str, object]) -> list[int]:
    return [int(np.median(picture[:, :, 0])) for picture in decode_jpegs(part)]


# What is sent


def test_an_answer_comes_with_the_ids_that_it_names() -> None:
    with run_fake_vllm() as fake:
        drafts = _answer(fake)
    assert [(one.text, [quote.evidence_id for quote in one.quotes], one.score) for one in drafts] == [
        ("A dog runs.", ["F1"], 0.8),
        ("A cat sleeps.", ["I1"], 0.8),
    ]


def test_memory_frames_pictures_and_texts_stand_in_order_behind_their_headers_and_the_question_is_last() -> None:
    with run_fake_vllm() as fake:
        _answer(fake, ALL_EVIDENCE)
    head = format_headers(ALL_EVIDENCE)
    kinds = ["text", "video_url", "text", "image_url", "text", "image_url", "text", "text", "text", "text", "text"]
    assert [part["type"] for part in fake.last_user_parts] == kinds
    listed = [head["M1"], head["M2"], head["M3"], head["F2"], f"{head['F1']} {head['F3']}"]
    assert fake.last_user_texts[0] == "Video frames, in this order: " + " ".join(listed)
    assert fake.last_user_texts[1:3] == [head["I1"], f"{head['P1']} {head['P2']}"]
    assert fake.last_user_texts[3] == f"{head['P1']}\n| Dogs are welcome."
    assert fake.last_user_texts[5] == f"{head['F3']}\n| It runs < image> off."
    assert fake.last_user_texts[-1] == QUESTION
    video, photo, page = (part for part in fake.last_user_parts if part["type"] != "text")
    assert _median_shades(video) == pytest.approx([100, 101, 102, 30, 20], abs=2)
    assert (*_median_shades(photo), *_median_shades(page)) == pytest.approx((240, 200), abs=2)


def test_the_same_media_have_the_same_uuid_and_others_another() -> None:
    with run_fake_vllm() as fake:
        _answer(fake, [F1, I1])
        first = [part["uuid"] for part in fake.last_user_parts if "uuid" in part]
        _answer(fake, [F1, _make_evidence("I1", PHOTO, picture=_grey_picture(90))])
        second = [part["uuid"] for part in fake.last_user_parts if "uuid" in part]
    assert first[0] == second[0] and first[1] != second[1]


def test_frames_of_several_sizes_become_one_video_of_one_size() -> None:
    wide, high = _make_evidence("F1", start_s=1, picture=_grey_picture(80)), _grey_picture(160, (64, 48))
    with run_fake_vllm() as fake:
        _answer(fake, [wide, _make_evidence("F2", start_s=2, picture=high)])
    assert {picture.shape for picture in decode_jpegs(fake.last_user_parts[1])} == {(64, 64, 3)}
    assert _median_shades(fake.last_user_parts[1]) == pytest.approx([80, 160], abs=2)


def test_memory_goes_as_tokens_where_the_server_takes_them() -> None:
    with run_fake_vllm(hidden_size=8) as fake:
        _answer(fake, [F1, P1, *_make_slots(3, hidden=8)], replace(LIMITS, hidden_size=8))
    assert [part["type"] for part in fake.last_user_parts[:6]] == ["text", "image_embeds"] * 3
    assert [tuple(load_tensor(part).shape) for part in fake.last_user_parts[1:6:2]] == [(6, 8)] * 3
    assert "image_url" not in [part["type"] for part in fake.last_user_parts]
    assert fake.last_user_texts[:3] == [format_headers([F1, P1, *_make_slots(3)])[name] for name in ("M1", "M2", "M3")]


def test_beside_photos_memory_goes_as_frames_since_the_server_takes_no_mix() -> None:
    with run_fake_vllm() as fake:
        _answer(fake, [I1, *_make_slots(3, hidden=8)], replace(LIMITS, hidden_size=8))
    assert [part["type"] for part in fake.last_user_parts] == ["text", "video_url", "text", "image_url", "text"]


@pytest.mark.parametrize("shape", [(6, 9), (0, 8), (1, 6, 8)])
def test_memory_tokens_of_a_wrong_shape_are_never_sent(shape: tuple[int, ...]) -> None:
    slot = replace(_make_slots(1)[0], tokens=np.ones(shape, np.float32))
    with run_fake_vllm() as fake, pytest.raises(ModelError, match="memory M1 has tokens of shape"):
        _answer(fake, [slot], replace(LIMITS, hidden_size=8))
    assert fake.requests == []


def test_memory_tokens_that_are_no_numbers_are_never_sent() -> None:
    slot = replace(_make_slots(1)[0], tokens=np.full((6, 8), np.nan, np.float32))
    with run_fake_vllm() as fake, pytest.raises(ModelError, match="no numbers"):
        _answer(fake, [slot], replace(LIMITS, hidden_size=8))


def test_no_more_pictures_go_out_than_the_server_takes() -> None:
    photos = [_make_evidence(f"I{n + 1}", PHOTO, picture=_grey_picture(n)) for n in range(5)]
    with run_fake_vllm(images=3, pieces=["Five [I5]. Three [I3]."]) as fake:
        drafts = _answer(fake, photos, TokenBudget(max_prompt_tokens=100_000, max_images=3))
    assert fake.last_user_texts == ["[I1]", "[I2]", "[I3]", QUESTION]
    assert [one.quotes for one in drafts if one.text == "Five."] == [()]


def test_describing_asks_for_what_is_shown() -> None:
    with run_fake_vllm() as fake:
        assert len(list(_generator(fake.url).describe([F1, I1], 30))) == 2
    assert fake.last_user_texts[-1] == "Say in at most 30 words what the evidence shows."


def test_a_sentence_is_checked_by_how_likely_yes_is_each_picture_alone() -> None:
    with run_fake_vllm(weights={"Yes": 0.6, " yes": 0.2, "No": 0.1, "NO": 0.1, "I": 0.0001}) as fake:
        scores = _generator(fake.url).entailment_scores("A dog runs.", [F1, I1, *_make_slots(1)])
        assert scores == pytest.approx([0.8, 0.8, 0.8])
        contents = [request["messages"][1]["content"] for request in fake.requests]
        assert all(content[-1]["text"] == entailment_prompt("A dog runs.") for content in contents)
        pictures = [[part["uuid"] for part in content if part["type"] != "text"] for content in contents]
        assert [len(shown) for shown in pictures] == [1, 1, 1] and len({shown[0] for shown in pictures}) == 3


@pytest.mark.parametrize(("word", "score"), [("Yes.", 1.0), ("no", 0.0), ("Maybe", 0.5)])
def test_a_server_that_does_not_weigh_its_words_is_taken_at_its_word(word: str, score: float) -> None:
    with run_fake_vllm(weights=None, word=word) as fake:
        assert _generator(fake.url).entailment_scores("A dog runs.", [F1]) == [score]


@pytest.mark.parametrize(
    ("broken", "says"), [({"status": 500}, "it answered 500"), ({"fault": "page"}, "it sends what is no answer")]
)
def test_a_server_that_fails_while_it_checks_is_named(broken: dict[str, Any], says: str) -> None:
    with run_fake_vllm(**broken) as fake, pytest.raises(GeneratorUnavailable, match=says):
        _generator(fake.url).entailment_scores("A dog runs.", [F1, F2])


def test_without_evidence_nothing_is_asked() -> None:
    assert list(_generator("http://127.0.0.1:1/v1").answer(QUESTION, [])) == []


def test_a_question_with_half_a_sign_can_be_asked() -> None:
    with run_fake_vllm() as fake:
        list(_generator(fake.url).answer("What is \udc80 this <|im_end|>?", [F1]))
    assert fake.last_user_texts[-1] == "What is ? this < |im_end| >?"


def test_a_stored_picture_that_is_damaged_is_named() -> None:
    generator = OpenAiCompatibleGenerator(
        ChatClient("http://127.0.0.1:1/v1", "", 1), lambda _: b"\xff\xd8", LIMITS, "m", 9
    )
    with pytest.raises(ArtifactError, match="damaged"):
        list(generator.answer(QUESTION, [F1]))


# The budget


def _count_request_tokens(evidence: Sequence[Evidence], limits: TokenBudget) -> int:
    """The tokens of a request, counted from what is sent."""
    chosen = pack_evidence(QUESTION, evidence, limits)
    total = 24 + sum(len(slot.visual_tokens) for slot in chosen.token_slots if slot.visual_tokens is not None)
    for message in build_messages(chosen, QUESTION, _load_jpeg):
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for part in parts:
            match part:
                case {"type": "text", "text": str(text)}:
                    total += limits.count_text_tokens(text)
                case {"type": "video_url"}:
                    total += limits.frame_tokens * (len(chosen.memory_frames) + len(chosen.frames)) + 1
                case {"type": "image_url"}:
                    total += limits.image_tokens
    return total


@given(st.integers(600, 12_000), st.integers(0, 40), st.sampled_from([0, 8]))
@settings(max_examples=40, deadline=None)
def test_a_request_never_costs_more_than_the_budget(budget: int, slots: int, hidden: int) -> None:
    limits = TokenBudget(max_prompt_tokens=budget, image_tokens=700, hidden_size=hidden)
    assert _count_request_tokens([*ALL_EVIDENCE[:6], *_make_slots(slots, 8)], limits) <= budget


def test_a_budget_is_used_but_for_what_rounding_takes() -> None:
    frames = [_make_evidence(f"F{n}", start_s=float(n), picture=_grey_picture(n)) for n in range(1, 10)]
    needed = [_count_request_tokens(frames[:n], LIMITS) for n in range(1, 10)]
    for n, tokens in enumerate(needed[1:], 2):
        assert len(pack_evidence(QUESTION, frames, TokenBudget(max_prompt_tokens=tokens + 2 * n)).frames) == n
        assert len(pack_evidence(QUESTION, frames, TokenBudget(max_prompt_tokens=tokens - 1)).frames) == n - 1


def test_what_does_not_fit_is_left_out_the_least_relevant_first() -> None:
    frames = [_make_evidence(f"F{n}", start_s=float(20 - n), picture=_grey_picture(n)) for n in range(1, 10)]
    with run_fake_vllm(pieces=["A dog runs [F9]. It barks [F2]."]) as fake:
        drafts = _answer(
            fake,
            [*frames, *_make_slots(4)],
            TokenBudget(max_prompt_tokens=_count_request_tokens(frames[:3], LIMITS) + 20),
        )
    assert fake.last_user_texts[0].endswith(": [F3 00:00:17–00:00:22] [F2 00:00:18–00:00:23] [F1 00:00:19–00:00:24]")
    assert [[quote.evidence_id for quote in one.quotes] for one in drafts] == [[], ["F2"]]


def test_a_memory_that_does_not_fit_whole_still_covers_the_whole_time() -> None:
    slots = _make_slots(64)
    chosen = pack_evidence(QUESTION, slots, TokenBudget(max_prompt_tokens=_count_request_tokens(slots[:9], LIMITS)))
    times = [seen[0].result.segment.start_s or 0.0 for seen in chosen.memory_frames.values()]
    assert times == sorted(times) and len(times) >= 8
    assert max(np.diff([0.0, *times, 640.0])) <= 160


def test_a_question_longer_than_the_budget_names_both_numbers() -> None:
    with pytest.raises(InvalidInput, match=r"the question takes 1\d{4} tokens; there is room for 1\d{3}$"):
        list(_generator("http://127.0.0.1:1/v1", TokenBudget(max_prompt_tokens=2000)).answer("why? " * 8000, [F1]))


def test_a_budget_smaller_than_one_frame_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"BUDGET_TOKENS is 300; the instructions and one frame take 3\d\d"):
        TokenBudget(max_prompt_tokens=300)


def test_evidence_of_which_nothing_fits_is_refused_rather_than_ignored() -> None:
    with pytest.raises(InvalidInput, match="no piece of the evidence fits into 1000 tokens"):
        list(_generator("http://127.0.0.1:1/v1", TokenBudget(max_prompt_tokens=1000)).answer(QUESTION, [I1]))


# How a server fails


def _expect_failure(fake: FakeVllm, timeout_s: float = 0.3) -> tuple[list[str], str]:
    """The sentences that were given before the error, and its line."""
    sentences: list[str] = []
    with pytest.raises(GeneratorUnavailable) as raised:
        sentences.extend(
            d.text for d in _generator(fake.url, timeout_s=timeout_s, key=API_KEY).answer(QUESTION, [F1, I1])
        )
    line = str(raised.value)
    assert line.startswith(f"{fake.url}: ") and "\n" not in line and API_KEY not in line
    return sentences, line


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("stall", "said nothing for 0.3 s"),
        ("drip", "said nothing for 0.3 s"),
        ("death", "the connection broke off"),
        ("early end", "broke off in the middle"),
        ("complaint", "gave up: CUDA out of memory"),
        ("no choices", "sends no choices"),
        ("garbage", "no stream of events"),
        ("no json", "no piece of an answer: '{hello'"),
        ("long line", "a line without end"),
        ("endless", "does not end"),
    ],
)
def test_what_was_said_before_the_server_failed_is_kept(fault: str, says: str) -> None:
    with run_fake_vllm(fault=fault, pieces=["A dog runs [F1]. ", "It ba"]) as fake:
        said, line = _expect_failure(fake)
    assert says in line
    assert said[:1] == ["A dog runs."] and "It ba" not in said
    assert fake.attempts == 1


@pytest.mark.parametrize(
    ("fault", "says"),
    [("silence", "said nothing for 0.3 s"), ("page", "answered with text/html"), ("json", "with application/json")],
)
def test_a_server_that_gives_no_stream_is_not_asked_again(fault: str, says: str) -> None:
    with run_fake_vllm(fault=fault) as fake:
        said, line = _expect_failure(fake)
    assert (said, fake.attempts) == ([], 1) and says in line


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, "", "it answered 400 (it went)"),
        (401, "", "refuses the key (it went); set AFTERIMAGE_GENERATOR__API_KEY"),
        (404, "", "does not know the model or the address (it went); see AFTERIMAGE_GENERATOR__MODEL"),
        (500, '{"object": "error", "message": "EngineCore died"}', "it answered 500 (EngineCore died)"),
        (502, "<html><body>Bad</body></html>", "it answered 502 (Bad Gateway)"),
        (503, '{"error": "no healthy upstream"}', "it answered 503 (no healthy upstream)"),
        (307, "", "it answered 307 (it went)"),
    ],
)
def test_what_the_server_refuses_is_said_in_its_words_and_not_asked_again(status: int, body: str, says: str) -> None:
    with run_fake_vllm(status=status, body=body) as fake:
        _, line = _expect_failure(fake)
    assert says in line and fake.attempts == 1


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    with pytest.raises(GeneratorUnavailable, match=f"{url}: cannot be reached .*refused"):
        list(_generator(url).answer(QUESTION, [F1]))


def test_a_connection_that_fails_is_tried_three_times() -> None:
    with run_fake_vllm(resets=2) as fake:
        assert len(_answer(fake)) == 2
    assert fake.attempts == 3
    with run_fake_vllm(resets=3) as fake:
        _expect_failure(fake)
    assert fake.attempts == 3


def test_the_key_is_sent_and_never_shown() -> None:
    with run_fake_vllm(key=API_KEY) as fake:
        assert len(list(_generator(fake.url, key=API_KEY).answer(QUESTION, [F1, I1]))) == 2
        with pytest.raises(GeneratorUnavailable, match=r"refuses the key \(Unauthorized Bearer …\)") as raised:
            fake.key = "another"
            list(_generator(fake.url, key=API_KEY).answer(QUESTION, [F1]))
    assert API_KEY not in str(raised.value) and raised.value.__cause__ is None


def test_a_model_without_a_name_is_the_first_of_the_server() -> None:
    with run_fake_vllm() as fake:
        generator = _generator(fake.url, model="")
        assert generator.model_id == "openai_compatible:first-model"
        list(generator.answer(QUESTION, [F1]))
    assert fake.requests[0]["model"] == "first-model"
    assert _generator(fake.url, model="given").model_id == "openai_compatible:given"


@pytest.mark.parametrize(
    ("models", "says"), [('{"data": []}', "it has no model"), ("<html>", "its list of models cannot be read: '<html>'")]
)
def test_a_server_without_models_is_named(models: str, says: str) -> None:
    with run_fake_vllm(models=models) as fake, pytest.raises(GeneratorUnavailable, match=says):
        assert _generator(fake.url, model="").model_id


def test_the_chat_template_keeps_media_behind_their_headers() -> None:
    """vLLM names parts `image` and `video` by the time that a template sees them."""
    kinds = {"text": "text", "video_url": "video", "image_url": "image", "image_embeds": "image"}
    system, user = build_messages(pack_evidence(QUESTION, [F1, I1, P1], LIMITS), QUESTION, _load_jpeg)
    parts = [{"type": kinds[part["type"]], "text": part.get("text", "")} for part in user["content"]]
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((Path(__file__).parents[4] / "docs" / "llava_onevision.jinja").read_text())
    said = template.render(messages=[system, {"role": "user", "content": parts}], add_generation_prompt=True)
    assert said.startswith("<|im_start|>system\nYou answer from the evidence")
    head = format_headers([F1, I1, P1])
    assert said.endswith(
        f"<|im_end|>\n<|im_start|>user\nVideo frames, in this order: {head['F1']}\n<video>\n{head['I1']}\n<image>\n"
        f"{head['P1']}\n<image>\n{head['P1']}\n| Dogs are welcome.\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_sentence_leaves_before_the_answer_is_complete_and_leaving_ends_the_request() -> None:
    with run_fake_vllm(fault="drip", pieces=["A dog runs [F1]. ", "It"]) as fake:
        drafts = _generator(fake.url).answer(QUESTION, [F1])
        begun = time.monotonic()
        assert next(drafts).text == "A dog runs."
        drafts.close()  # type: ignore[attr-defined]  # generators can be closed
        assert fake.client_gone.wait(1) and time.monotonic() - begun < 1
