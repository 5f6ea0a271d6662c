"""What the small OneVision is taught: true sentences about what is shown, in the layout in which it will be asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from demoworld.train.footage import Footage, render_footage
from demoworld.train.language_model import LanguageStageModel
from demoworld.train.layer_insertion import insert_layers
from demoworld.train.lookup_examples import generate_lookups
from demoworld.train.onevision_model import PROMPT_TEMPLATE, make_onevision
from demoworld.train.open_clip_model import IMAGE_PX
from demoworld.train.qa_examples import generate_examples
from demoworld.train.sequence_packing import PackedRow, Packer, VisualUnit, collate
from demoworld.train.synthetic_context import (
    EvidenceItem,
    SyntheticContext,
    sample_context,
    sample_search_context,
    sample_single_moment,
)
from demoworld.train.tower import load_clip_tower
from demoworld.train.trainer import normalize_pixels
from demoworld.train.verification_examples import generate_verifications
from demoworld.world.claims import NUMBER_WORDS
from demoworld.world.concepts import load_concepts
from demoworld.world.places import PLACES
from demoworld.world.random_scenes import Split, sample_scene
from demoworld.world.rendering import render_scene
from services.generators.citation_parser import ABSTENTION
from services.generators.onevision.checkpoint import load_checkpoint
from services.generators.onevision.tokenizer import PromptTokenizer
from services.generators.onevision.vision import VisionEncoder
from services.generators.timestamps import format_timestamp

VISION_TOWER = Path(__file__).parents[3] / "demoworld" / "weights" / "open_clip"


@pytest.fixture(scope="module")
def footage() -> Footage:
    return render_footage(VISION_TOWER, seed=3, video_count=2, photo_count=20)


@pytest.fixture(scope="module")
def untrained_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untaught")
    make_onevision(VISION_TOWER, folder)
    return folder


def _synthetic_contexts(footage: Footage, count: int) -> list[SyntheticContext]:
    rng = np.random.default_rng(5)
    return [sample_context(rng, footage, 1 + number % 16, number % 3 * 8) for number in range(count)]


def _items_by_id(showing: SyntheticContext) -> dict[str, EvidenceItem]:
    return {item.id: item for item in (*showing.slots, *showing.frames, *showing.photos)}


def test_moments_stand_in_order_of_time_and_have_a_length(footage: Footage) -> None:
    for showing in _synthetic_contexts(footage, 60):
        starts = [item.start_s for item in showing.frames]
        assert starts == sorted(starts)
        assert all(item.end_s > item.start_s for item in (*showing.frames, *showing.slots))
        assert len(_items_by_id(showing)) == len(showing.slots) + len(showing.frames) + len(showing.photos)


def test_what_a_search_finds_lies_all_over_a_video_and_mostly_shows_one_thing(footage: Footage) -> None:
    rng = np.random.default_rng(13)
    common = []
    for showing in [sample_search_context(rng, footage, 6) for _ in range(80)]:
        spans = [(item.start_s, item.end_s) for item in showing.frames]
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))
        assert sorted(item.id for item in showing.frames) == [f"F{n}" for n in range(1, len(spans) + 1)]
        counts = Counter(name for item in showing.frames for name in item.first_frame.concept_names)
        common.append(max(counts.values(), default=0) / len(spans))
    assert sum(common) / len(common) > 0.7


def test_answers_cite_what_shows_what_they_name(footage: Footage) -> None:
    rng = np.random.default_rng(6)
    sentence_count = 0
    for showing in _synthetic_contexts(footage, 60):
        items = _items_by_id(showing)
        for lesson in generate_examples(rng, showing, 12):
            for sentence, cited in re.findall(r"([^.\]]+\.) \[([^\]]+)\]", lesson.answer):
                shown = [items[one] for one in cited.split(", ")]
                seen = {name for item in shown for look in item.frames for name in look.content.counts}
                assert _concept_names(sentence) <= seen or "before the" in sentence, (lesson, seen)
                sentence_count += 1
    assert sentence_count > 300


def test_what_is_said_to_be_absent_is_nowhere(footage: Footage) -> None:
    rng = np.random.default_rng(7)
    absent_count = 0
    for showing in _synthetic_contexts(footage, 60):
        visible_names = {
            name for item in _items_by_id(showing).values() for look in item.frames for name in look.content.counts
        }
        for lesson in generate_examples(rng, showing, 12):
            if lesson.answer == ABSTENTION:
                absent_count += 1
                asked = {
                    one.name
                    for one in load_concepts()
                    if re.search(rf"\b(?:{one.name}|{one.plural})\b", lesson.request)
                }
                assert asked - visible_names
    assert absent_count > 50


def test_half_of_the_sentences_to_check_are_true(footage: Footage) -> None:
    rng = np.random.default_rng(8)
    examples = [
        lesson for _ in range(120) for lesson in generate_verifications(rng, sample_single_moment(rng, footage), 10)
    ]
    assert 0.35 < sum(lesson.answer == "Yes." for lesson in examples) / len(examples) < 0.65
    assert any(f"There are {NUMBER_WORDS[2]}" in lesson.request for lesson in examples)
    for place in PLACES:
        of_it = [lesson.answer for lesson in examples if f" {place.phrase}. Answer" in lesson.request]
        assert {"Yes.", "No."} <= set(of_it), place


def test_a_question_among_many_reads_as_if_it_were_alone(footage: Footage, untrained_model: Path) -> None:
    words = PromptTokenizer(AutoTokenizer.from_pretrained(untrained_model))
    packer, reader = Packer(PROMPT_TEMPLATE, words), LanguageStageModel(untrained_model, footage, words).eval()
    rng = np.random.default_rng(9)
    showing = sample_context(rng, footage, 6, 4)
    examples = generate_examples(rng, showing, 5)
    together = packer.pack(showing, examples)
    alone = [packer.pack(showing, [lesson]) for lesson in examples]
    with torch.inference_mode():
        packed = _final_hidden_states(reader, [together, alone[0]])
        for number, row in enumerate(alone, 1):
            wanted = _final_hidden_states(reader, [row])
            assert torch.allclose(
                packed[_token_positions(together, number)], wanted[_token_positions(row, 1)], atol=1e-4
            )


def test_lookups_name_the_moment_its_time_and_its_number(footage: Footage) -> None:
    rng = np.random.default_rng(11)
    counts: Counter[str] = Counter()
    for showing in _synthetic_contexts(footage, 40):
        items = _items_by_id(showing)
        for lesson in generate_lookups(rng, showing, 6):
            for name, answer_part in re.findall(
                r"([a-z ]+?) (none|\[[^\]]+\]|\d\d:\d\d:\d\d|[a-z]+)\.", f" {lesson.answer}"
            ):
                showing_it = [item for item in items.values() if name.strip() in item.first_frame.content.counts]
                if answer_part == "none":
                    assert not showing_it, lesson
                elif lesson.kind == "moments":
                    assert all(items[one] in showing_it for one in answer_part[1:-1].split(", ")), lesson
                elif lesson.kind == "times":
                    assert answer_part in {format_timestamp(item.start_s) for item in showing_it}, lesson
                counts[lesson.kind if answer_part != "none" else "none"] += 1
    assert min(counts[kind] for kind in ("moments", "times", "numbers", "none")) > 30


def test_layers_put_in_front_change_nothing_at_first(footage: Footage, untrained_model: Path, tmp_path: Path) -> None:
    insert_layers(untrained_model, tmp_path / "deeper", 2, seed=1)
    words = PromptTokenizer(AutoTokenizer.from_pretrained(untrained_model))
    showing = sample_context(np.random.default_rng(12), footage, 4, 2)
    row = Packer(PROMPT_TEMPLATE, words).pack(showing, generate_examples(np.random.default_rng(13), showing, 3))
    readers = [LanguageStageModel(folder, footage, words).eval() for folder in (untrained_model, tmp_path / "deeper")]
    assert [len(reader.model.model.language_model.layers) for reader in readers] == [6, 8]
    with torch.inference_mode():
        shallow, deep = (_final_hidden_states(reader, [row]) for reader in readers)
    assert torch.allclose(shallow, deep, atol=1e-4)


def test_a_row_is_the_prompt_that_the_generator_plans(footage: Footage, untrained_model: Path) -> None:
    words = PromptTokenizer(AutoTokenizer.from_pretrained(untrained_model))
    showing = sample_context(np.random.default_rng(10), footage, 5, 3)
    row = Packer(PROMPT_TEMPLATE, words).pack(showing, [])
    assert tuple(row.token_ids[:3]) == words.encode_trusted(PROMPT_TEMPLATE.opening)[:3]
    text = words._tokenizer.decode([one for one in row.token_ids if one >= 0])
    assert re.findall(r"\[([MFI]\d+)", text)[: len(showing.slots)] == [item.id for item in showing.slots]
    assert [unit.token_count for unit in row.units] == [4] * len(showing.slots) + [16] * len(showing.frames)


def test_what_is_learnt_from_is_what_the_generator_sees(untrained_model: Path) -> None:
    rng = np.random.default_rng(14)
    pixels = [render_scene(sample_scene(rng, Split.TRAIN), IMAGE_PX, IMAGE_PX) for _ in range(2)]
    planes = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        seen = load_clip_tower(VISION_TOWER)(normalize_pixels(planes), output_hidden_states=True).hidden_states[-1][
            :, 1:
        ]
        footage = Footage((), (), seen.half(), torch.zeros(2, 16, dtype=torch.long))
        reader = LanguageStageModel(
            untrained_model, footage, PromptTokenizer(AutoTokenizer.from_pretrained(untrained_model))
        ).eval()
        learnt = reader._embed_visual_tokens(
            [VisualUnit((0,), 16, (1, 0, 0, 0, 0), ()), VisualUnit((1,), 4, (2, 0, 0, 0, 0), ())]
        ).split([16, 4])
        vision = VisionEncoder(load_checkpoint(f"local-dir:{untrained_model}", "cpu", "fp32"))
        for picture, count, tokens in zip(pixels, (16, 4), learnt, strict=True):
            (wanted,) = vision.encode_frames([picture], count)
            assert torch.nn.functional.cosine_similarity(tokens, wanted.float(), dim=-1).min() > 0.999


def _final_hidden_states(reader: LanguageStageModel, rows: Sequence[PackedRow]) -> torch.Tensor:
    """What the model makes of the first row."""
    packed = collate(rows)
    return reader._hidden_states(packed, reader._embed_visual_tokens(packed.units))[-1][0]


def _token_positions(row: PackedRow, part: int) -> list[int]:
    return [place for place, one in enumerate(row.part_ids) if one == part]


def _concept_names(text: str) -> set[str]:
    """The concepts that a text names; of names within names the longest."""
    named = {one.name for one in load_concepts() if re.search(rf"\b(?:{one.name}|{one.plural})\b", text, re.IGNORECASE)}
    return {name for name in named if not any(name != other and name in other for other in named)}
