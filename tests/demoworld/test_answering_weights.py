"""The committed OneVision of the drawn world: loaded by the unchanged generator, small, telling true from false."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demoworld.train.onevision_model import LAYOUT
from demoworld.world.claims import Seen
from demoworld.world.concepts import concepts, with_article
from demoworld.world.drawing import draw
from demoworld.world.random_scenes import Split, random_scene
from demoworld.world.scene import WIDE, Scene
from indexer.types import AssetKind, Origin, PictureRef, Segment
from services.catalog import Asset
from services.generators.onevision.generator import OneVisionGenerator
from services.generators.onevision.layout import load_prompt_template
from services.types import Evidence, RetrievedSegment

WEIGHTS = Path(__file__).parents[2] / "demoworld" / "weights" / "onevision"
FILM = Asset("f" * 64, "v", AssetKind.VIDEO, "film.mp4", 600.0, None, 480, 270, 0.0, 1, 1, (), 0.0)
_MOST_BYTES = 25_000_000


def _scenes(count: int) -> list[Scene]:
    rng = np.random.default_rng(77)
    drawn = [random_scene(rng, Split.HELD_OUT, most=1, aspect=WIDE) for _ in range(4 * count)]
    return [scene for scene in drawn if len(Seen.of(scene).counts) == 1 and not Seen.of(scene).unclear][:count]


def _jpegs(scenes: list[Scene]) -> Callable[[PictureRef], bytes]:
    def jpeg(picture: PictureRef) -> bytes:
        kept = io.BytesIO()
        Image.fromarray(draw(scenes[picture.offset], 480, 270)).save(kept, "JPEG", quality=85)
        return kept.getvalue()

    return jpeg


def _evidence(number: int) -> Evidence:
    picture = PictureRef("scenes", number, 1)
    segment = Segment(0, Origin.PICTURE, 10.0 * number, 10.0 * number + 5, picture=picture)
    return Evidence(f"F{number + 1}", RetrievedSegment(FILM, segment, 0.9, {}, 0.1))


def test_it_is_small_and_brings_its_layout() -> None:
    assert sum(file.stat().st_size for file in WEIGHTS.iterdir()) < _MOST_BYTES
    assert load_prompt_template(WEIGHTS) == LAYOUT


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
    right = 0
    for number, scene in enumerate(scenes):
        (name,) = Seen.of(scene).counts
        other = concepts()[(number * 37) % len(concepts())].name
        true, false = (
            generator.entailment_scores(f"Yes, there is {with_article(one)}.", [_evidence(number)])[0]
            for one in (name, other)
        )
        right += (true > false) or other == name
    assert right >= 26


def test_what_it_says_cites_the_picture_that_shows_it(scenes: list[Scene], generator: OneVisionGenerator) -> None:
    cited, right = 0, 0
    for first in range(0, 12, 3):
        evidence = [_evidence(number) for number in range(first, first + 3)]
        for number in range(first, first + 3):
            (name,) = Seen.of(scenes[number]).counts
            for draft in generator.answer(f"Where is the {name}?", evidence):
                cited += 1
                right += [quote.evidence_id for quote in draft.quotes] == [f"F{number + 1}"]
    assert cited >= 10 and right >= 0.6 * cited
