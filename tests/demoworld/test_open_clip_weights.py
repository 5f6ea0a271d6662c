"""The committed open_clip weights know the drawn world, through the code that loads real weights."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from demoworld.world.claims import Claim, VisibleContent, evaluate_claim, phrase_plainly
from demoworld.world.concepts import load_concepts
from demoworld.world.photos import write_photos
from demoworld.world.random_scenes import Split, sample_scene
from demoworld.world.rendering import render_scene
from demoworld.world.scene import WIDESCREEN_ASPECT
from demoworld.world.truth import read_video_truth
from demoworld.world.video_rendering import VideoSpec, render_video
from indexer.encoders.open_clip import OpenClipEncoder
from indexer.errors import ModelError
from indexer.types import AssetKind, SegmentFilter
from services.container import Container
from services.search.types import Query
from tests.support.containers import MakeContainer

MODEL = "package:demoworld/weights/open_clip"
NO_FILTERS = SegmentFilter()


@pytest.fixture(scope="module")
def encoder() -> OpenClipEncoder:
    return OpenClipEncoder(MODEL, precision="fp32")


def test_the_folder_is_small_and_says_what_it_is_for(encoder: OpenClipEncoder) -> None:
    with resources.as_file(resources.files("demoworld") / "weights" / "open_clip") as folder:
        assert sum(file.stat().st_size for file in folder.iterdir()) <= 20_000_000
        assert (folder / "MODEL_CARD.md").is_file()
    assert "nothing of the real" in encoder.note


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(ModelError, match=r"package:nowhere/weights: there is no installed package 'nowhere'"):
        OpenClipEncoder("package:nowhere/weights")
    with pytest.raises(ModelError, match="no such folder"):
        _ = OpenClipEncoder("package:demoworld/weights/nothing").model_id


def test_things_in_places_where_they_were_never_seen_are_found(encoder: OpenClipEncoder) -> None:
    rng = np.random.default_rng(77)
    scenes = [sample_scene(rng, Split.HELD_OUT, aspect=WIDESCREEN_ASPECT) for _ in range(200)]
    truths = [VisibleContent.from_scene(scene) for scene in scenes]
    pictures = encoder.encode_images([render_scene(scene, 480, 270) for scene in scenes])
    claims = [Claim(((known.name, None),)) for known in load_concepts()]
    scores = encoder.encode_texts([phrase_plainly(claim) for claim in claims]) @ pictures.T
    precisions = []
    for claim, row in zip(claims, scores, strict=True):
        true = np.array([evaluate_claim(claim, one) is True for one in truths])
        if true.any():
            precisions.append(true[np.argsort(-row)[: true.sum()]].mean())
    assert np.mean(precisions) >= 0.8


def test_words_that_mean_nothing_here_are_like_no_picture(encoder: OpenClipEncoder) -> None:
    rng = np.random.default_rng(78)
    pictures = encoder.encode_images([render_scene(sample_scene(rng, Split.ANY), 480, 270) for _ in range(50)])
    meant = encoder.encode_texts(["a dog", "an elephant"]) @ pictures.T
    meant_nothing = encoder.encode_texts(["quarterly depreciation schedule", "a flux capacitor"]) @ pictures.T
    assert meant_nothing.max() < np.median(np.sort(meant)[:, -1])


@pytest.fixture(scope="module")
def media_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filmed")
    render_video(VideoSpec(seed=31, seconds=90, excluded_concepts=("dog", "violin", "pizza")), folder / "reel.mp4")
    write_photos(folder / "photos", seed=31, count=8)
    return folder


@pytest.fixture
def container(make_container: MakeContainer, media_folder: Path, tmp_path: Path) -> Container:
    container = make_container(tmp_path / "home", ocr__enabled="false")
    lines = [
        line
        for line in container.indexing.index_paths([media_folder], "default")
        if not line.name.endswith("truth.json")
    ]
    assert {line.outcome for line in lines} == {"indexed"}
    return container


@pytest.mark.slow
def test_what_happens_in_a_video_is_found_when_it_happens_and_nothing_else_is(
    container: Container, media_folder: Path
) -> None:
    truth = read_video_truth(media_folder / "reel.truth.json")
    films = SegmentFilter(kinds=frozenset({AssetKind.VIDEO}))
    correct_count = 0
    for event in truth.events:
        found = container.retrieval.search(
            Query(phrase_plainly(Claim(((event.concept, None),), event.place))), films, 1
        )
        spans = [
            (one.start_s, one.end_s) for one in truth.events if (one.concept, one.place) == (event.concept, event.place)
        ]
        correct_count += any(
            _interval_iou((m.start_s or 0.0, m.end_s or 0.0), span) >= 0.5 for m in found for span in spans
        )
    assert correct_count >= 0.75 * len(truth.events)
    for never in ("a dog", "a violin in the kitchen", "a pizza"):
        assert container.retrieval.search(Query(never), films, 1) == []


def test_a_photo_finds_itself(container: Container, media_folder: Path) -> None:
    rgb = container.decoder.read_image(media_folder / "photos" / "photo_0003.jpg", 1000)
    found = container.retrieval.search(Query(picture=rgb), NO_FILTERS, 3)
    assert found[0].asset.name.endswith("photo_0003.jpg")


def _interval_iou(first: tuple[float, float], second: tuple[float, float]) -> float:
    intersection = max(0.0, min(first[1], second[1]) - max(first[0], second[0]))
    return intersection / (first[1] - first[0] + second[1] - second[0] - intersection)
