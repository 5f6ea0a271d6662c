"""What the archive remembers of its videos, from indexing to deletion."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.errors import ArtifactError
from indexer.media.jpeg import decode_jpeg
from indexer.types import SegmentFilter
from memory.errors import MemoryMismatch
from services.catalog.types import Asset
from services.container import Container
from services.search.types import Query
from tests.support.containers import MakeContainer
from tests.support.synthetic_workload import make_film
from tests.support.tiny_clip import make_tiny_clip

NO_FILTERS = SegmentFilter()
CHECKPOINT_S = 5


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("film") / "film.mp4", 12, 320, 180, 5, 3)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_clip(tmp_path_factory.mktemp("weights") / "clip")


def _index_film(
    make_container: MakeContainer, film: Path, weights: Path | str, **settings: object
) -> tuple[Container, Asset]:
    visual = f"local-dir:{weights}" if weights else ""
    container = make_container(visual__model=visual, sampling__checkpoint_s=CHECKPOINT_S, **settings)
    (line,) = container.indexing.index_paths([film], "default")
    assert line.asset is not None, line.reason
    return container, line.asset


def _memory_file(container: Container, asset: Asset, name: str) -> Path:
    return container.home / "artifacts" / asset.asset_id / asset.version / "memory" / name


def test_a_video_is_remembered_by_the_pass_that_indexes_it(
    make_container: MakeContainer, film: Path, weights: Path
) -> None:
    container, asset = _index_film(make_container, film, weights)
    memory = container.video_memory.memory(asset)
    assert memory is not None
    assert memory is container.video_memory.memory(asset)
    manifest = container.artifacts.read_manifest(asset.asset_id, asset.version)
    assert memory.manifest.model == manifest.models["memory"]
    for lane, slots in memory.lanes.items():
        assert sum(slot.node.weight for slot in slots) == manifest.sampled_frames
        tree = container.video_memory.merge_tree(asset, lane)
        assert all(tree[slot.node.number] == slot.node for slot in slots)


def test_a_time_leads_to_the_stored_key_frame_that_covers_it(
    make_container: MakeContainer, film: Path, weights: Path
) -> None:
    container, asset = _index_film(make_container, film, weights)
    memory = container.video_memory.memory(asset)
    assert memory is not None
    nodes = [slot.node for slot in memory.lanes["global"]]
    pictures = [container.video_memory.key_frame_at(asset, node.medoid_s).picture for node in nodes]
    assert len(set(pictures)) == len(nodes)
    assert decode_jpeg(container.artifacts.read_picture(pictures[0])).shape == (180, 320, 3)
    between = (nodes[1].medoid_s + nodes[1].end_s) / 2
    assert container.video_memory.key_frame_at(asset, between).picture == pictures[1]
    assert container.video_memory.key_frame_at(asset, -1.0).picture == pictures[0]
    assert container.video_memory.key_frame_at(asset, 1e9).picture == pictures[-1]


@pytest.mark.parametrize("off", [{"memory__enabled": "false"}, {"visual__model": ""}])
def test_a_video_that_was_indexed_without_one_has_none(
    make_container: MakeContainer, film: Path, weights: Path, off: dict[str, str]
) -> None:
    on = {"visual__model": f"local-dir:{weights}", "sampling__checkpoint_s": CHECKPOINT_S}
    container = make_container(**on | off)
    (line,) = container.indexing.index_paths([film], "default")
    assert line.asset is not None
    assert container.video_memory.memory(line.asset) is None
    later = make_container(**on)
    done = later.reindexing.reindex(lambda *_: None)
    assert done.reencoded_assets == 1
    (asset,) = later.catalog.assets()
    assert later.video_memory.memory(asset) is not None


def test_another_model_makes_it_anew_without_the_source(
    make_container: MakeContainer, film: Path, weights: Path, tmp_path: Path
) -> None:
    before, old = _index_film(make_container, film, weights)
    remembered = before.video_memory.memory(old)
    other = make_tiny_clip(tmp_path / "other", seed=1)
    container = make_container(visual__model=f"local-dir:{other}", sampling__checkpoint_s=CHECKPOINT_S)
    container.reindexing.reindex(lambda *_: None)
    (asset,) = container.catalog.assets()
    assert container.artifacts.list_versions(asset.asset_id) == [asset.version] != [old.version]
    memory = container.video_memory.memory(asset)
    assert memory is not None and remembered is not None
    assert memory.manifest.model.startswith("open_clip:other@")
    for lane, slots in memory.lanes.items():
        found, expected = ([slot.node for slot in each] for each in (slots, remembered.lanes[lane]))
        assert sum(node.weight for node in found) == sum(node.weight for node in expected)
        assert (found[0].start_s, found[-1].end_s) == (expected[0].start_s, expected[-1].end_s)


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_damaged_memory_is_one_line_and_search_goes_on(
    make_container: MakeContainer, film: Path, weights: Path, harm: str
) -> None:
    container, asset = _index_film(make_container, film, weights)
    bank = _memory_file(container, asset, "bank")
    data = bank.read_bytes()
    bank.unlink()
    if harm == "cut":
        bank.write_bytes(data[: len(data) // 2])
    with pytest.raises(ArtifactError, match="memory/bank: ") as caught:
        container.video_memory.memory(asset)
    assert "\n" not in str(caught.value)
    container.retrieval.search(Query("Scene 2"), NO_FILTERS, 5)
    assert container.reindexing.reindex(lambda *_: None).damaged_assets == ()


def test_a_memory_of_another_model_is_refused_with_both_names(
    make_container: MakeContainer, film: Path, weights: Path
) -> None:
    container, asset = _index_film(make_container, film, weights)
    manifest = _memory_file(container, asset, "manifest.json")
    manifest.write_bytes(manifest.read_bytes().replace(b"open_clip:clip@", b"open_clip:clap@"))
    with pytest.raises(MemoryMismatch, match=r"was made by open_clip:clap@.*, not by open_clip:clip@"):
        container.video_memory.memory(asset)


def test_it_goes_with_its_asset_and_is_counted(make_container: MakeContainer, film: Path, weights: Path) -> None:
    container, asset = _index_film(make_container, film, weights)
    folder = _memory_file(container, asset, "bank").parent
    stored = len([path for path in folder.parent.rglob("*") if path.is_file()])
    assert len(list(folder.iterdir())) == 3 + 2  # a log for each checkpoint, bank, manifest
    assert container.deletion.delete_asset("film.mp4", None).files == stored
    assert not folder.parent.exists()


def test_the_version_tells_memories_apart_in_its_second_half(make_container: MakeContainer, weights: Path) -> None:
    name = f"local-dir:{weights}"
    versions = [
        make_container(visual__model=name, memory__enabled=enabled).pipeline.version.split("-")
        for enabled in (True, False)
    ]
    assert versions[0][0] == versions[1][0]
    assert versions[0][1] != versions[1][1]
