"""Reindex: from artifacts alone, beside the old index, to a new model if need be."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from PIL import Image

from indexer.errors import IndexMismatch, ModelError
from indexer.types import AssetKind, Lane, SegmentFilter
from services.container import Container
from services.ingest.types import Outcome
from services.jobs.types import IndexRequest, NewJob
from services.search.types import Query
from tests.support.containers import MakeContainer
from tests.support.tiny_clip import make_tiny_clip

NO_FILTERS = SegmentFilter()


def _text_hits(container: Container, text: str) -> list[tuple[str, float]]:
    vector = (
        container.models.sentence_encoder.encode_queries([text])[0]
        if container.models.sentence_encoder
        else np.zeros(1, np.float32)
    )
    hits = container.index.search(Lane.TEXT, vector, 20, NO_FILTERS)
    return [(hit.segment.text, round(hit.score, 5)) for hit in hits]


def test_a_lost_index_is_rebuilt_from_artifacts_alone(
    make_container: MakeContainer, home_copy: Path, tmp_path: Path
) -> None:
    before = make_container(home_copy)
    expected, counts = _text_hits(before, "notice period"), before.index.segment_counts()
    before.close()
    for folder in home_copy.glob("index*"):
        folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)
    container = make_container(home_copy)
    assert container.index.segment_counts() == {}
    done = container.reindexing.reindex(lambda *_: None)
    assert (done.assets, done.reencoded_assets, done.damaged_assets) == (len(counts), 0, ())
    assert container.index.segment_counts() == counts
    assert _text_hits(container, "notice period") == expected


def test_a_running_reader_moves_over_to_the_new_index(make_container: MakeContainer, home_copy: Path) -> None:
    reader = make_container(home_copy)
    expected = _text_hits(reader, "notice period")
    make_container(home_copy).reindexing.reindex(lambda *_: None)
    assert _text_hits(reader, "notice period") == expected
    assert len(list(home_copy.glob("index-*"))) == 1


def test_a_damaged_asset_is_named_and_the_others_go_on(make_container: MakeContainer, home_copy: Path) -> None:
    container = make_container(home_copy)
    asset = container.catalog.find("street_sign.jpg")
    (home_copy / "artifacts" / asset.asset_id / asset.version / "00000.json").write_text("{")
    done = container.reindexing.reindex(lambda *_: None)
    assert len(done.damaged_assets) == 1
    assert done.damaged_assets[0].startswith("photos/street_sign.jpg: ")
    assert asset.asset_id not in container.index.segment_counts()
    assert len(container.index.segment_counts()) == done.assets


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "damage"), [(AssetKind.IMAGE, b"{"), (AssetKind.VIDEO, b"{"), (AssetKind.VIDEO, None)]
)
def test_indexing_a_source_again_repairs_what_is_damaged(
    make_container: MakeContainer, home_copy: Path, kind: AssetKind, damage: bytes | None
) -> None:
    """Also where what is damaged can still be read, as if it were whole."""
    first = make_container(home_copy)
    asset = max((one for one in first.catalog.assets() if one.kind is kind), key=lambda one: one.segments)
    source = Path(unquote(urlsplit(first.catalog.sources(asset.asset_id)[0].uri).path))
    *_, damaged = sorted((home_copy / "artifacts" / asset.asset_id / asset.version).glob("0*.json"))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole + b" " if damage is None else damage)
    first.reindexing.reindex(lambda *_: None)
    assert asset.asset_id not in first.index.segment_counts()
    for container in (first, make_container(home_copy)):
        lines = list(container.indexing.index_paths([source], "default"))
        assert [line.outcome for line in lines] == ["unchanged"]
        assert damaged.read_bytes() == whole
        assert container.index.segment_counts()[asset.asset_id] == asset.segments


def test_what_a_job_is_to_go_on_with_outlives_a_reindex(
    make_container: MakeContainer, home_copy: Path, archive: Path
) -> None:
    container = make_container(home_copy)
    asset = container.catalog.find("street_sign.jpg")
    folder, version = home_copy / "artifacts" / ("a" * 64), container.pipeline.version
    shutil.copytree(home_copy / "artifacts" / asset.asset_id / version, folder / version)
    shutil.copytree(home_copy / "artifacts" / asset.asset_id / version, home_copy / "artifacts" / ("b" * 64) / "older")
    job = container.background.jobs.submit(NewJob(IndexRequest("file:///srv/film.mp4", "film.mp4"), "default"))
    assert container.reindexing.reindex(lambda *_: None).deleted_artifacts == 1
    assert folder.exists()
    container.background.jobs.cancel(job.id)
    assert container.reindexing.reindex(lambda *_: None).deleted_artifacts == 1
    assert not folder.exists()


@pytest.mark.slow
def test_naming_weights_later_encodes_the_stored_pictures(
    make_container: MakeContainer, home_copy: Path, tmp_path: Path
) -> None:
    make_container(home_copy, visual__model="").reindexing.reindex(lambda *_: None)
    weights = make_tiny_clip(tmp_path / "clip")
    container = make_container(home_copy, visual__model=f"local-dir:{weights}")
    pictures = container.index.search(Lane.VISUAL, np.eye(64, dtype=np.float32)[0], 1, NO_FILTERS)
    assert pictures == []
    done = container.reindexing.reindex(lambda *_: None)
    assert done.reencoded_assets == done.assets
    assert container.index.search(Lane.VISUAL, np.eye(64, dtype=np.float32)[0], 1, NO_FILTERS)
    for asset in container.catalog.assets():
        assert container.artifacts.list_versions(asset.asset_id) == [asset.version]


@pytest.mark.slow
def test_indexing_with_a_lane_switched_on_encodes_the_stored_pictures_and_decodes_nothing(
    make_container: MakeContainer, tmp_path: Path
) -> None:
    Image.fromarray(np.full((90, 160, 3), (200, 30, 60), np.uint8)).save(tmp_path / "red.png")
    settings = {"text__model": "", "ocr__enabled": "false", "memory__enabled": "false"}
    (first,) = make_container(visual__model="", **settings).indexing.index_paths([tmp_path / "red.png"], "default")
    assert first.outcome is Outcome.INDEXED
    container = make_container(**settings)
    (second,) = container.indexing.index_paths([tmp_path / "red.png"], "default")
    assert second.outcome is Outcome.UPDATED and second.asset is not None
    assert container.decoder.pid is None
    assert container.coverage.gaps() == []
    query = container.models.image_text_encoder.encode_texts(["red"])[0]
    assert [hit.asset_id for hit in container.index.search(Lane.VISUAL, query, 1, NO_FILTERS)] == [
        second.asset.asset_id
    ]


def test_another_model_is_refused_by_name_until_the_index_has_moved_over(
    make_container: MakeContainer, home_copy: Path, tmp_path: Path, archive: Path
) -> None:
    old = f"local-dir:{make_tiny_clip(tmp_path / 'old', seed=1)}"
    new = f"local-dir:{make_tiny_clip(tmp_path / 'new', seed=2)}"
    make_container(home_copy, visual__model=old).reindexing.reindex(lambda *_: None)
    container = make_container(home_copy, visual__model=new)
    generation = container.index.generation()
    for attempt in (
        lambda: list(container.indexing.index_paths([archive], "default")),
        lambda: container.retrieval.search(Query("a ferry"), NO_FILTERS, 5),
    ):
        with pytest.raises(IndexMismatch, match=r"open_clip:old@\w+.*open_clip:new@\w+|open_clip:new.*open_clip:old"):
            attempt()
    assert container.index.generation() == generation
    done = container.reindexing.reindex(lambda *_: None)
    assert done.reencoded_assets == done.assets
    container.retrieval.search(Query("a ferry"), NO_FILTERS, 5)


@pytest.mark.parametrize("harm", ["missing", "truncated"])
def test_weights_that_cannot_be_loaded_are_named_beside_those_that_the_index_was_made_with(
    make_container: MakeContainer, home_copy: Path, tmp_path: Path, harm: str
) -> None:
    weights = make_tiny_clip(tmp_path / "clip", seed=1)
    make_container(home_copy, visual__model=f"local-dir:{weights}").reindexing.reindex(lambda *_: None)
    harmed = tmp_path / "harmed"
    if harm == "truncated":
        shutil.copytree(weights, harmed)
        whole = (harmed / "open_clip_model.safetensors").read_bytes()
        (harmed / "open_clip_model.safetensors").write_bytes(whole[: len(whole) // 2])
    container = make_container(home_copy, visual__model=f"local-dir:{harmed}")
    before = sorted((file.name, file.stat().st_size) for file in (home_copy / "index").iterdir())
    with pytest.raises(ModelError, match=rf"{harmed}.*the index was made by open_clip:clip@\w+"):
        container.retrieval.search(Query("a ferry"), NO_FILTERS, 5)
    assert sorted((file.name, file.stat().st_size) for file in (home_copy / "index").iterdir()) == before


def test_missing_weights_are_named_and_the_index_is_not_touched(
    make_container: MakeContainer, home_copy: Path, tmp_path: Path, archive: Path
) -> None:
    before = make_container(home_copy)
    generation = before.index.generation()
    container = make_container(home_copy, visual__model=f"local-dir:{tmp_path / 'nothing'}")
    with pytest.raises(ModelError, match="nothing"):
        list(container.indexing.index_paths([archive], "default"))
    assert before.index.generation() == generation


def test_an_archive_moves_to_qdrant_and_is_found_as_before(make_container: MakeContainer, home_copy: Path) -> None:
    before = make_container(home_copy)
    expected, words = _text_hits(before, "notice period"), before.index.search(Lane.KEYWORDS, "notice", 10, NO_FILTERS)
    container = make_container(home_copy, index__kind="qdrant", index__url="")
    assert container.index.segment_counts() == {}
    for _ in range(2):
        done = container.reindexing.reindex(lambda *_: None)
        assert (done.assets, done.damaged_assets) == (len(before.index.segment_counts()), ())
        assert container.index.segment_counts() == before.index.segment_counts()
        hits = _text_hits(container, "notice period")
        assert {text for text, _ in hits} == {text for text, _ in expected}
        assert [score for _, score in hits] == pytest.approx([score for _, score in expected], abs=1e-4)
        assert container.index.search(Lane.KEYWORDS, "notice", 10, NO_FILTERS) == words
    found = container.retrieval.search(Query("What is the notice period?"), NO_FILTERS, 5)
    assert [hit.asset.name for hit in found] == [
        hit.asset.name for hit in before.retrieval.search(Query("What is the notice period?"), NO_FILTERS, 5)
    ]
