"""`kill -9` while indexing: what was finished is kept, nothing half is seen, and the next run ends where no kill would.

`AFTERIMAGE_TEST_KILLS` is the number of rounds; each kills once or twice, after so many files as its number draws.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen.canvas import Canvas

from indexer.media.sandbox.client import FrameStream, SandboxedDecoder
from indexer.media.video import SamplingPlan
from indexer.pipeline.encoding import IndexingSettings, ModelSet
from indexer.pipeline.pipeline import IndexSource, Pipeline
from indexer.storage.artifacts import CheckpointRecord, Manifest
from indexer.types import Frame, Hit, Lane, SegmentFilter, Vectors
from memory.store import StoredMemory
from services.catalog.types import Asset, Source
from services.container import Container
from services.search.types import Query
from services.wiring.models import Models
from tests.support.assertions import check_memory, check_vectors
from tests.support.containers import MakeContainer, open_container
from tests.support.synthetic_workload import make_film
from tests.support.tiny_clip import make_tiny_clip
from tests.support.waiting import TIMEOUT_S

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("AFTERIMAGE_TEST_KILLS", "2"))
NO_FILTERS = SegmentFilter()
QUERIES = ("When does the ferry leave?", "Scene 3: platform 3", "notice period of the lease", "green door")
CHECKPOINT_S = 5
CHECKPOINTS = {"film.mp4": 8, "lease.pdf": 4, "notice.png": 1}
_POLL_INTERVAL_S = 0.005


@dataclass(frozen=True, slots=True)
class UndisturbedRun:
    """Files to index, the visual lane's weights, and a home indexed without a kill with its number of artifacts."""

    folder: Path
    encoder: str
    home: Path
    files: int


@dataclass(frozen=True, slots=True)
class IndexedState:
    """All that an indexed home holds, but for the time at which it was indexed."""

    assets: list[Asset]
    sources: list[Source]
    manifests: list[Manifest]
    records: list[CheckpointRecord]
    vectors: list[dict[Lane, Vectors]]
    memory: StoredMemory
    counts: dict[str, int]
    hits: list[Hit]


@pytest.fixture(scope="module")
def undisturbed_run(tmp_path_factory: pytest.TempPathFactory) -> UndisturbedRun:
    folder, home = tmp_path_factory.mktemp("files"), tmp_path_factory.mktemp("undisturbed")
    encoder = f"local-dir:{make_tiny_clip(tmp_path_factory.mktemp('encoder'))}"
    _make_files(folder)
    assert _start_indexing(folder, encoder, home).wait() == 0
    return UndisturbedRun(folder, encoder, home, len(_stored_files(home)))


@pytest.fixture(scope="module")
def undisturbed_state(undisturbed_run: UndisturbedRun, loaded_models: Models) -> IndexedState:
    """What the undisturbed run stored, read once."""
    settings = {"visual__model": undisturbed_run.encoder, "sampling__checkpoint_s": CHECKPOINT_S}
    with closing(open_container(undisturbed_run.home, loaded_models, **settings)) as container:
        return _read_state(container)


@pytest.fixture
def open_home(undisturbed_run: UndisturbedRun, make_container: MakeContainer) -> Iterator[MakeContainer]:
    """Opens a home as the runs do: same lanes, same checkpoints."""
    yield lambda home: make_container(home, visual__model=undisturbed_run.encoder, sampling__checkpoint_s=CHECKPOINT_S)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_killed_run_is_resumed_to_the_same_result(
    undisturbed_run: UndisturbedRun,
    undisturbed_state: IndexedState,
    open_home: MakeContainer,
    tmp_path: Path,
    round_: int,
) -> None:
    draw = random.Random(round_)
    home = tmp_path / "home"
    finished_files = _run_and_kill(undisturbed_run, home, draw.randrange(1, undisturbed_run.files + 1))
    _check_only_whole_assets_visible(open_home(home))
    if draw.random() < 0.5 and (missing := undisturbed_run.files - len(_stored_files(home))):
        finished_files |= _run_and_kill(undisturbed_run, home, draw.randrange(1, missing + 1))
        _check_only_whole_assets_visible(open_home(home))
    assert _start_indexing(undisturbed_run.folder, undisturbed_run.encoder, home).wait() == 0
    assert {path: _inode_and_mtime(path) for path in finished_files} == finished_files, (
        "a finished checkpoint was made again"
    )
    _check_equal(_read_state(open_home(home)), undisturbed_state)
    assert not list(home.rglob("*.writing"))
    assert not list(home.glob("artifacts/*/*/memory/after"))


def test_a_finished_checkpoint_is_stored_while_the_next_one_is_made(
    undisturbed_run: UndisturbedRun, make_container: MakeContainer, loaded_models: Models, tmp_path: Path
) -> None:
    container = make_container()
    film, length_s = undisturbed_run.folder / "film.mp4", 10
    ahead: list[float] = []
    with _CountingMedia() as media:
        models = ModelSet(text=loaded_models.sentence_encoder, frame_ocr=loaded_models.ocr_engines[0])
        pipeline = Pipeline(media, container.artifacts, models, IndexingSettings(checkpoint_s=length_s))
        source = IndexSource(film, "ab" * 32, media.probe(film), (film.with_suffix(".srt"),))
        pipeline.run(source, lambda done, _: ahead.append(media.frames_read - done))
    assert len(ahead) == 4
    assert max(ahead) < length_s


def test_a_run_measures_the_calibration_that_a_killed_one_did_not_come_to(
    undisturbed_run: UndisturbedRun, make_container: MakeContainer
) -> None:
    container = make_container()
    notice = undisturbed_run.folder / "notice.png"
    assert [line.outcome for line in container.indexing.index_paths([notice], "default")] == ["indexed"]
    calibration_file = container.home / "calibration.json"
    expected = json.loads(calibration_file.read_bytes())
    calibration_file.unlink()
    assert [line.outcome for line in container.indexing.index_paths([notice], "default")] == ["unchanged"]
    again = json.loads(calibration_file.read_bytes())
    assert again.pop("measured_at") > expected.pop("measured_at")
    assert again == expected


class _CountingMedia(SandboxedDecoder):
    """Counts the frames it has handed out, one for every second of the film."""

    frames_read = 0

    def read_frames(self, path: Path, plan: SamplingPlan) -> FrameStream:
        return _CountingStream(self, super().read_frames(path, plan))


class _CountingStream(FrameStream):
    def __init__(self, media: _CountingMedia, stream: FrameStream) -> None:
        super().__init__(stream._replies, stream._to_pixels)
        self._media = media

    def __next__(self) -> Frame:
        frame = super().__next__()
        self._media.frames_read += 1
        return frame


def _start_indexing(folder: Path, encoder: str, home: Path) -> subprocess.Popen[bytes]:
    settings = {
        "HOME": str(home),
        "PROFILE": "demo",
        "VISUAL__MODEL": encoder,
        "SAMPLING__CHECKPOINT_S": str(CHECKPOINT_S),
    }
    environment = os.environ | {f"AFTERIMAGE_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "api.cli", "index", str(folder)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _run_and_kill(undisturbed_run: UndisturbedRun, home: Path, new_files: int) -> dict[Path, tuple[int, int]]:
    """Kill a run once it has stored so many files; gives the files of the checkpoints that were finished by then."""
    before = len(_stored_files(home))
    run = _start_indexing(undisturbed_run.folder, undisturbed_run.encoder, home)
    while len(_stored_files(home)) < before + new_files:
        assert run.poll() is None, "it ended before its kill"
        time.sleep(_POLL_INTERVAL_S)
    children = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait()
    _, alive = psutil.wait_procs(children, timeout=TIMEOUT_S)
    assert not alive, "the media process outlives the one that it works for"
    return {path: _inode_and_mtime(path) for path in _checkpoint_files(home) if path.with_suffix(".json").exists()}


def _stored_files(home: Path) -> list[Path]:
    """The artifacts, which a run adds one by one; not what it removes again."""
    paths = chain(home.glob("artifacts/*/*/*"), home.glob("artifacts/*/*/memory/*"))
    return [path for path in paths if path.is_file() and path.suffix != ".writing"]


def _checkpoint_files(home: Path) -> list[Path]:
    """The checkpoints' files, finished or not."""
    return [path for path in home.glob("artifacts/*/*/*") if path.stem.isdigit() and path.suffix != ".writing"]


def _inode_and_mtime(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def _check_only_whole_assets_visible(container: Container) -> None:
    """What the catalog lists is whole everywhere; what it does not list is not found."""
    assets, counts = container.catalog.assets(), container.index.segment_counts()
    assert {asset.asset_id: counts[asset.asset_id] for asset in assets} == {a.asset_id: a.segments for a in assets}
    for asset in assets:
        manifest = container.artifacts.read_manifest(asset.asset_id, asset.version)
        assert len(list(container.artifacts.read_checkpoints(manifest))) == CHECKPOINTS[asset.name]
    listed = {asset.asset_id for asset in assets}
    for query in QUERIES:
        found = container.retrieval.search(Query(query), NO_FILTERS, 20)
        assert {moment.asset.asset_id for moment in found} <= listed


def _read_state(container: Container) -> IndexedState:
    assets = sorted(container.catalog.assets(), key=lambda asset: asset.name)
    assert [asset.name for asset in assets] == list(CHECKPOINTS)
    manifests = [container.artifacts.read_manifest(asset.asset_id, asset.version) for asset in assets]
    memory = container.video_memory.memory(assets[0])
    assert memory is not None
    checkpoints = [pair for manifest in manifests for pair in container.artifacts.read_checkpoints(manifest)]
    return IndexedState(
        assets=[replace(asset, indexed_at=0.0) for asset in assets],
        sources=[source for asset in assets for source in container.catalog.sources(asset.asset_id)],
        manifests=[replace(manifest, checkpoints=()) for manifest in manifests],
        records=[replace(record, tensors_sha="") for record, _ in checkpoints],
        vectors=[vectors for _, vectors in checkpoints],
        memory=memory,
        counts=container.index.segment_counts(),
        hits=[hit for query in QUERIES for hit in _search_all_lanes(container, query)],
    )


def _search_all_lanes(container: Container, query: str) -> list[Hit]:
    assert container.models.sentence_encoder is not None
    assert container.models.image_text_encoder is not None
    queries = {
        Lane.VISUAL: container.models.image_text_encoder.encode_texts([query])[0],
        Lane.TEXT: container.models.sentence_encoder.encode_queries([query])[0],
        Lane.KEYWORDS: query,
    }
    lane_hits = [container.index.search(lane, what, 5, NO_FILTERS) for lane, what in queries.items()]
    assert all(lane_hits[:2])
    calibrated = [
        container.calibration.curve(hit.lane, query).calibrate(hit.score) for hits in lane_hits for hit in hits
    ]
    return [replace(hit, score=score) for hit, score in zip(chain(*lane_hits), calibrated, strict=True)]


def _check_equal(state: IndexedState, expected: IndexedState) -> None:
    for name in ("assets", "sources", "manifests", "records", "counts"):
        assert getattr(state, name) == getattr(expected, name), name
    assert all(vectors.keys() == {Lane.VISUAL, Lane.TEXT} for vectors in state.vectors)
    check_vectors(state.vectors, expected.vectors)
    check_memory(state.memory, expected.memory)
    assert [replace(hit, score=0.0) for hit in state.hits] == [replace(hit, score=0.0) for hit in expected.hits]
    assert [hit.score for hit in state.hits] == pytest.approx([hit.score for hit in expected.hits], abs=1e-3)


def _make_files(folder: Path) -> None:
    """A film whose scenes of 7 s cross the boundaries of its checkpoints, with subtitles; a lease, a notice."""
    make_film(folder / "film.mp4", 40, 640, 360, 10, 7)
    cues = [(3, 7, "The ferry leaves at a quarter past nine."), (19, 22, "Mind the green door, it sticks.")]
    text = [f"{i}\n00:00:{a:02},500 --> 00:00:{b:02},000\n{words}\n" for i, (a, b, words) in enumerate(cues, 1)]
    (folder / "film.srt").write_text("\n".join(text), "utf-8")
    canvas = Canvas(str(folder / "lease.pdf"), pagesize=(420, 595), invariant=True)
    for page, words in enumerate(("The lease begins in May.", "The rent is due monthly.", "", "Notice: three months.")):
        if words:
            canvas.drawString(50, 500, words)
        else:
            canvas.drawInlineImage(_draw_notice(f"Scanned schedule {page}: two keys"), 30, 300, 360, 200)
        canvas.showPage()
    canvas.save()
    _draw_notice("The green door stays shut").save(folder / "notice.png")


def _draw_notice(text: str) -> Image.Image:
    picture = Image.new("RGB", (720, 400), "ivory")
    ImageDraw.Draw(picture).text((60, 160), text, font=ImageFont.load_default(40), fill="black")
    return picture
