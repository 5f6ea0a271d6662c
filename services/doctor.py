"""A real probe through every configured part: does it load, and does it do its work?"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path

import numpy as np

from indexer.blobs.folder import FolderBlobs
from indexer.errors import AfterimageError
from indexer.media.video import FramePlan
from indexer.types import AssetKind, Lane, Origin, PictureRef, Segment
from services.catalog import Asset
from services.container import Container
from services.jobs.types import JobQueueName
from services.types import Evidence, Found

_ROOM_MB = 1024
_FOLDER = "doctor"
_PROBE, _BLOB = f"{_FOLDER}/probe.jpg", f"{_FOLDER}/probe"


class State(StrEnum):
    """What a probe found."""

    OK = "ok"
    OFF = "off"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One part of the system and what the probe of it found."""

    part: str
    state: State
    detail: str


def examine(container: Container) -> Iterator[Check]:
    """Probe part after part; a failure never keeps the others from being probed."""
    for part, (setting, probe) in _PROBES.items():
        try:
            yield Check(part, *probe(container))
        except (AfterimageError, OSError) as error:
            said = str(error)
            named = isinstance(error, ConnectionError) and setting not in said
            yield Check(part, State.FAILED, f"{said} ({setting})" if named else said)
        except ModuleNotFoundError as error:
            said = f"{error.name} is not installed: pip install 'afterimage[cluster]' brings what a cluster needs"
            yield Check(part, State.FAILED, said)


def _home(container: Container) -> tuple[State, str]:
    FolderBlobs(container.home).put("doctor/probe", b"probe")
    FolderBlobs(container.home).delete("doctor")
    free_mb = shutil.disk_usage(container.home).free // 2**20
    state = State.OK if free_mb >= _ROOM_MB else State.FAILED
    return state, f"{container.home} can be written to; {free_mb / 1024:.0f} GB free"


def _blobs(container: Container) -> tuple[State, str]:
    """Puts, reads back and removes a blob, where others than this machine would find it."""
    settings, blobs = container.settings, container.blobs
    try:
        blobs.put(_BLOB, b"probe")
        good = blobs.get(_BLOB, 1, 3) == b"rob" and _BLOB in blobs.names(_FOLDER)
    finally:
        blobs.delete(_FOLDER)
    where = settings.blobs.url or f"below {container.home}"
    if not settings.blobs.url and settings.jobs.kind == "celery":
        where += "; every machine must have this folder, else name an object store (AFTERIMAGE_BLOBS__URL)"
    return _expect(good, where, f"{where}: what was put does not come back")


def _jobs(container: Container) -> tuple[State, str]:
    """Asks whatever carries jobs how many are waiting."""
    waiting = {queue.value: container.dispatch.waiting(queue) for queue in JobQueueName}
    said = ", ".join(f"{count} waiting in {name}" for name, count in waiting.items())
    return State.OK, f"{container.settings.jobs.kind}: {said}"


def _video(container: Container) -> tuple[State, str]:
    with _sample("probe.mp4") as path:
        frames = list(container.media.frames(path, FramePlan(fps=5.0, fps_floor=5.0)))
    return _expect(len(frames) == 10, "decodes H.264", f"decoded {len(frames)} of 10 frames")


def _images(container: Container) -> tuple[State, str]:
    with _sample("probe.jpg") as path:
        rgb = container.media.image(path, 1000)
    return _expect(rgb.shape == (160, 480, 3), "decodes JPEG", f"decoded to {rgb.shape}")


def _documents(container: Container) -> tuple[State, str]:
    with _sample("probe.pdf") as path:
        pages = list(container.media.pages(path, 1, 600))
    text = " ".join(line.text for page in pages for line in page.lines)
    return _expect("page of text" in text, "draws and reads PDF", f"read {text!r}")


def _visual(container: Container) -> tuple[State, str]:
    encoder = container.visual
    if encoder is None:
        return State.OFF, "no weights are named (AFTERIMAGE_VISUAL__MODEL): pictures are found by their text only"
    with _sample("probe.jpg") as path:
        image = encoder.encode_images([container.media.image(path, 480)])
    text = encoder.encode_texts(["a sign with words"])
    good = image.shape == text.shape == (1, encoder.dim) and abs(float(np.linalg.norm(image)) - 1) < 1e-3
    note = f"; {encoder.note}" if encoder.note else ""
    detail = f"{encoder.model_id}, {encoder.dim} dimensions{note}"
    return _expect(good, detail, f"{encoder.model_id} gave {image.shape}")


def _text(container: Container) -> tuple[State, str]:
    encoder = container.text
    if encoder is None:
        return State.OFF, "no model is named (AFTERIMAGE_TEXT__MODEL): text is found by its words only"
    near, one, far = encoder.encode(["a boat on the sea", "a ship on the ocean", "the tax return is late"])
    good = float(near @ one) > float(near @ far)
    return _expect(good, f"{encoder.model_id}, {encoder.dim} dimensions", f"{encoder.model_id} does not tell likeness")


def _reader(container: Container) -> tuple[State, str]:
    reader, _ = container.readers
    if reader is None:
        return State.OFF, "text in pictures is not read (AFTERIMAGE_READER__ENABLED)"
    with _sample("probe.jpg") as path:
        rgb = container.media.image(path, 480)
    text = " ".join(text for text, _ in reader.recognise(rgb, reader.detect(rgb)))
    otherwise = f"{reader.model_id} read {text!r} where 'AFTERIMAGE 2026' stands"
    return _expect("2026" in text, f"{reader.model_id} reads", otherwise)


def _speech(container: Container) -> tuple[State, str]:
    speech = container.speech
    if speech is None:
        return State.OFF, "no weights are named (AFTERIMAGE_SPEECH__MODEL): speech is not written down"
    return State.OK, speech.model_id


def _memory(container: Container) -> tuple[State, str]:
    tokens = container.tokens
    if tokens is None:
        return State.OFF, "no memory of videos is kept: the visual lane is off, or AFTERIMAGE_MEMORY__ENABLED"
    with _sample("probe.jpg") as path:
        _, seen = tokens.encode([container.media.image(path, 480)])
    good = seen.shape == (1, tokens.positions, tokens.width) and bool(np.isfinite(seen).all())
    detail = f"{tokens.model_id}, {tokens.positions} tokens of {tokens.width} a frame"
    return _expect(good, detail, f"{tokens.model_id} gave {seen.shape}")


def _generator(container: Container) -> tuple[State, str]:
    """A question about a sign, of which a model gets the picture and the words; it must answer with the sign's id."""
    blobs = container.blobs
    jpeg = (resources.files("services") / "data" / "probe.jpg").read_bytes()
    blobs.put(_PROBE, jpeg)
    try:
        drafts = list(container.generator.answer("What does the sign say?", [_sign(len(jpeg))]))
    finally:
        blobs.delete(_FOLDER)
    name = container.generator.model_id
    cited = [draft for draft in drafts if draft.quotes]
    return _expect(bool(cited), f"{name} is ready", f"{name} did not answer a question with the id of its evidence")


def _sign(length: int) -> Evidence:
    asset = Asset("0" * 64, "probe", AssetKind.IMAGE, "probe.jpg", None, None, 480, 160, None, 1, 1, (), 0.0)
    text = "The sign says AFTERIMAGE 2026."
    segment = Segment(0, Origin.OCR, text=text, picture=PictureRef(_PROBE, 0, length))
    return Evidence("I1", Found(asset, segment, 0.9, {Lane.TEXT: 0.9}, 1.0))


def _index(container: Container) -> tuple[State, str]:
    counts = container.index.counts()
    container.index.check()
    known = {asset.asset_id: asset.segments for asset in container.catalog.assets()}
    missing = sum(counts.get(key) != segments for key, segments in known.items())
    detail = f"{sum(counts.values())} segments of {len(counts)} assets"
    return _expect(not missing, detail, f"{detail}; {missing} assets differ from the catalog: run `afterimage reindex`")


def _catalog(container: Container) -> tuple[State, str]:
    collections = container.catalog.collections()
    detail = ", ".join(f"{name}: {count}" for name, count in collections.items()) or "empty"
    shared = container.database.dialect != "sqlite" or container.settings.jobs.kind == "inline"
    return _expect(shared, detail, "a SQLite file, which several machines cannot share: set AFTERIMAGE_CATALOG__URL")


def _expect(good: bool, detail: str, otherwise: str) -> tuple[State, str]:
    return (State.OK, detail) if good else (State.FAILED, otherwise)


@contextmanager
def _sample(name: str) -> Iterator[Path]:
    """A sample file, on disk for the time of a `with`."""
    with resources.as_file(resources.files("services") / "data" / name) as path:
        yield path


_PROBES: dict[str, tuple[str, Callable[[Container], tuple[State, str]]]] = {
    "home": ("AFTERIMAGE_HOME", _home),
    "blobs": ("AFTERIMAGE_BLOBS__URL", _blobs),
    "catalog": ("AFTERIMAGE_CATALOG__URL", _catalog),
    "jobs": ("AFTERIMAGE_JOBS__URL", _jobs),
    "video": ("AFTERIMAGE_MEDIA__MEMORY_MB", _video),
    "images": ("AFTERIMAGE_MEDIA__MEMORY_MB", _images),
    "documents": ("AFTERIMAGE_MEDIA__MEMORY_MB", _documents),
    "visual lane": ("AFTERIMAGE_VISUAL__MODEL", _visual),
    "text lane": ("AFTERIMAGE_TEXT__MODEL", _text),
    "text reader": ("AFTERIMAGE_READER__ENABLED", _reader),
    "speech": ("AFTERIMAGE_SPEECH__MODEL", _speech),
    "memory": ("AFTERIMAGE_MEMORY__ENABLED", _memory),
    "generator": ("AFTERIMAGE_GENERATOR__URL", _generator),
    "index": ("AFTERIMAGE_INDEX__URL", _index),
}
"""Each part with the setting that it hangs on, which is named where it cannot be reached."""
