"""The adapter against a real vLLM with the demo weights: the same scores and answers as in process, limits, errors."""

from __future__ import annotations

import re
import urllib.request
from dataclasses import replace

import numpy as np
import pytest

from demoworld.world.claims import VisibleContent
from demoworld.world.concepts import add_article, load_concepts
from demoworld.world.scene import Scene
from indexer.types import AssetKind, Origin, Segment
from services.generators.errors import GeneratorUnavailable
from services.generators.onevision.generator import OneVisionGenerator
from services.generators.openai_compatible.generator import OpenAiCompatibleGenerator
from services.generators.types import DraftSentence, Evidence
from tests.demoworld.test_onevision_weights import _evidence
from tests.support.waiting import wait_until
from tests.vllm.conftest import BUDGET, ChatGeneratorMaker

_MAX_SCORE_DIFFERENCE = 0.05


def _name(scene: Scene) -> str:
    (name,) = VisibleContent.from_scene(scene).counts
    return name


def _said(drafts: list[DraftSentence]) -> list[tuple[str, list[str]]]:
    return [(draft.text, [quote.evidence_id for quote in draft.quotes]) for draft in drafts]


def _metric(server_url: str, name: str) -> float:
    with urllib.request.urlopen(server_url.removesuffix("/v1") + "/metrics", timeout=60) as response:
        found = re.search(rf"^{name}\{{.*\}} (\S+)$", response.read().decode(), re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def test_the_probability_of_yes_is_that_in_process(
    chat: OpenAiCompatibleGenerator, in_process: OneVisionGenerator, scenes: list[Scene]
) -> None:
    differences = []
    for number, scene in enumerate(scenes):
        for name in (_name(scene), load_concepts()[(number * 37) % len(load_concepts())].name):
            claim = f"Yes, there is {add_article(name)}."
            (here,) = in_process.entailment_scores(claim, [_evidence(number)])
            (there,) = chat.entailment_scores(claim, [_evidence(number)])
            assert here is not None and there is not None
            differences.append(abs(here - there))
    print(f"P(yes): {len(differences)} claims, largest difference {max(differences):.2g}")
    assert max(differences) <= _MAX_SCORE_DIFFERENCE


def test_answers_about_a_picture_are_those_in_process(
    chat: OpenAiCompatibleGenerator, in_process: OneVisionGenerator, scenes: list[Scene]
) -> None:
    for number, scene in enumerate(scenes):
        question, evidence = f"Where is the {_name(scene)}?", [_evidence(number)]
        here, there = list(in_process.answer(question, evidence)), list(chat.answer(question, evidence))
        assert here and _said(there) == _said(here), question


def test_answers_about_several_pictures_are_mostly_those_in_process(
    chat: OpenAiCompatibleGenerator, in_process: OneVisionGenerator, scenes: list[Scene]
) -> None:
    """Each picture is a video with a newline there, all are one here."""
    agreed = 0
    for number, scene in enumerate(scenes):
        question = f"Where is the {_name(scene)}?"
        evidence = [_evidence(number // 4 * 4 + offset) for offset in range(4)]
        agreed += _said(list(chat.answer(question, evidence))) == _said(list(in_process.answer(question, evidence)))
    print(f"answers about four pictures: {agreed} of {len(scenes)} agree")
    assert agreed >= 0.8 * len(scenes)


def test_a_description_cites_what_it_was_shown(chat: OpenAiCompatibleGenerator) -> None:
    drafts = list(chat.describe([_evidence(0), _evidence(1)], 40))
    assert drafts and {name for _, names in _said(drafts) for name in names} <= {"F1", "F2"}


def test_frames_above_the_limit_of_the_server_are_left_out(
    make_chat: ChatGeneratorMaker, scenes: list[Scene], caplog: pytest.LogCaptureFixture
) -> None:
    """It is started with a limit of 16 videos."""
    generator = make_chat()
    for _ in range(2):
        drafts = list(generator.answer("How many are there?", [_evidence(number) for number in range(40)]))
        assert drafts and {name for _, names in _said(drafts) for name in names} <= {f"F{n}" for n in range(1, 17)}
    assert [record.getMessage() for record in caplog.records if "less is sent" in record.getMessage()] != []


def test_a_prompt_whose_length_was_underestimated_is_shortened(
    make_chat: ChatGeneratorMaker, caplog: pytest.LogCaptureFixture
) -> None:
    asset = replace(_evidence(0).asset, kind=AssetKind.DOCUMENT, name="report.pdf")
    segment = Segment(0, Origin.PAGE, text="the quokka sat unperturbed. " * 60, page=1)
    pages = [
        Evidence(f"P{number}", replace(_evidence(0).result, asset=asset, segment=segment)) for number in range(1, 60)
    ]
    generator = make_chat(replace(BUDGET, max_prompt_tokens=9000, chars_per_token=16))
    list(generator.answer("Who sat?", pages))  # the weights know no such words: that it ends is all there is to see
    assert "maximum context length" in caplog.text


def test_memory_goes_as_tokens(
    make_chat: ChatGeneratorMaker, in_process: OneVisionGenerator, scenes: list[Scene]
) -> None:
    encoder = in_process.create_token_encoder()
    pieces = []
    for number in range(3):
        picture = in_process._decode_picture(_evidence(number).segment.picture)  # type: ignore[arg-type]
        _, tokens = encoder.encode([picture])
        slot = tokens[0][:4].astype(np.float32)
        pieces.append(Evidence(f"M{number + 1}", _evidence(number).result, slot))
    generator = make_chat(replace(BUDGET, max_images=16, hidden_size=encoder.width))
    assert isinstance(list(generator.answer(f"Where is the {_name(scenes[0])}?", pieces)), list)


def test_a_picture_that_was_sent_before_is_known(chat: OpenAiCompatibleGenerator, server_url: str) -> None:
    list(chat.answer("What can be seen?", [_evidence(20)]))
    before = _metric(server_url, "vllm:mm_cache_hits_total")
    list(chat.answer("What else can be seen?", [_evidence(20)]))
    assert _metric(server_url, "vllm:mm_cache_hits_total") > before


def test_leaving_an_answer_ends_it_on_the_server(make_chat: ChatGeneratorMaker, server_url: str) -> None:
    drafts = make_chat().describe([_evidence(number) for number in range(8)], 60)
    next(drafts, None)
    drafts.close()  # type: ignore[attr-defined]  # generators can be closed
    wait_until(lambda: _metric(server_url, "vllm:num_requests_running") == 0, "the server is idle")


def test_a_model_that_it_does_not_have_is_named(make_chat: ChatGeneratorMaker) -> None:
    with pytest.raises(GeneratorUnavailable, match=r"does not know the model .*nobody.*__MODEL|nobody"):
        list(make_chat(model="nobody").answer("What can be seen?", [_evidence(0)]))


def test_the_name_of_the_model_is_the_servers(chat: OpenAiCompatibleGenerator) -> None:
    assert chat.model_id == "openai_compatible:demo"
