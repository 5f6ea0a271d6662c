"""The committed OneVision of the drawn world: loaded by the unchanged generator, small, telling true from false."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demoworld.train.onevision_model import PROMPT_TEMPLATE
from demoworld.world.claims import VisibleContent
from demoworld.world.concepts import add_article, load_concepts
from demoworld.world.random_scenes import Split, sample_scene
from demoworld.world.rendering import render_scene
from demoworld.world.scene import WIDESCREEN_ASPECT, Scene
from indexer.types import AssetKind, Origin, PictureRef, Segment
from services.catalog.types import Asset
from services.generators.onevision.generator import OneVisionGenerator
from services.generators.onevision.prompt_template import load_prompt_template
from services.generators.types import Evidence
from services.search.types import RetrievedSegment

WEIGHTS = Path(__file__).parents[2] / "demoworld" / "weights" / "onevision"
FILM = Asset("f" * 64, "v", AssetKind.VIDEO, "film.mp4", 600.0, None, 480, 270, 0.0, 1, 1, (), 0.0)
_MAX_BYTES = 25_000_000


def _scenes(count: int) -> list[Scene]:
    rng = np.random.default_rng(77)
    drawn = [sample_scene(rng, Split.HELD_OUT, max_concepts=1, aspect=WIDESCREEN_ASPECT) for _ in range(4 * count)]
    return [
        scene
        for scene in drawn
        if len(VisibleContent.from_scene(scene).counts) == 1 and not VisibleContent.from_scene(scene).unclear
    ][:count]


def _jpegs(scenes: list[Scene]) -> Callable[[PictureRef], bytes]:
    def jpeg(picture: PictureRef) -> bytes:
        kept = io.BytesIO()
        Image.fromarray(render_scene(scenes[picture.offset], 480, 270)).save(kept, "JPEG", quality=85)
        return kept.getvalue()

    return jpeg


def _evidence(number: int) -> Evidence:
    picture = PictureRef("scenes", number, 1)
    segment = Segment(0, Origin.PICTURE, 10.0 * number, 10.0 * number + 5, picture=picture)
    return Evidence(f"F{number + 1}", RetrievedSegment(FILM, segment, 0.9, {}, 0.1))


def test_it_is_small_and_brings_its_layout() -> None:
    assert sum(file.stat().st_size for file in WEIGHTS.iterdir()) < _MAX_BYTES
    assert load_prompt_template(WEIGHTS) == PROMPT_TEMPLATE


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return _scenes(30)


@pytest.fixture(scope="module")
def generator(scenes: list[Scene]) -> OneVisionGenerator:
    return OneVisionGenerator(
        f"local-dir:{WEIGHTS}", _jpegs(scenes), max_prompt_tokens=2048, max_output_tokens=64, device="cpu"
    )


def test_it_tells_what_a_picture_shows_from_what_it_does_not(
    scenes: list[Scene], generator: OneVisionGenerator
) -> None:
    correct_count = 0
    for number, scene in enumerate(scenes):
        (name,) = VisibleContent.from_scene(scene).counts
        other = load_concepts()[(number * 37) % len(load_concepts())].name
        true, false = (
            generator.entailment_scores(f"Yes, there is {add_article(one)}.", [_evidence(number)])[0]
            for one in (name, other)
        )
        correct_count += (true > false) or other == name
    assert correct_count >= 26


def test_what_it_says_cites_the_picture_that_shows_it(scenes: list[Scene], generator: OneVisionGenerator) -> None:
    sentence_count, correct_count = 0, 0
    for first in range(0, 12, 3):
        evidence = [_evidence(number) for number in range(first, first + 3)]
        for number in range(first, first + 3):
            (name,) = VisibleContent.from_scene(scenes[number]).counts
            for draft in generator.answer(f"Where is the {name}?", evidence):
                sentence_count += 1
                correct_count += [quote.evidence_id for quote in draft.quotes] == [f"F{number + 1}"]
    assert sentence_count >= 10 and correct_count >= 0.6 * sentence_count
