"""Health checks: a real probe of every configured part of the system."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path

import numpy as np

from indexer.errors import AfterimageError, ReadOnlyArchive
from indexer.media.video import SamplingPlan
from indexer.storage.folder_blobs import FolderBlobs
from indexer.storage.read_only import is_read_only
from indexer.types import AssetKind, Lane, Origin, PictureRef, Segment
from services.catalog.types import Asset
from services.container import Container
from services.generators.types import Evidence
from services.jobs.types import JobQueueName
from services.search.types import RetrievedSegment

_MIN_FREE_MB = 1024
"""Chosen: room for the artifacts of some hours of video; below that indexing is likely to fail."""
_PROBE_FOLDER = "doctor"
_PROBE_MAX_WORDS = 20
"""Chosen: any sentence will do."""
_PROBE_S = 10.0
"""Chosen: longer than the sample, which is read to its end."""
_PROBE_PICTURE_KEY, _PROBE_BLOB_KEY = f"{_PROBE_FOLDER}/probe.jpg", f"{_PROBE_FOLDER}/probe"


class CheckStatus(StrEnum):
    """Outcome of a check."""

    OK = "ok"
    OFF = "off"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """Result of a check of one part of the system."""

    part: str
    status: CheckStatus
    detail: str


def run_checks(container: Container) -> Iterator[Check]:
    """Check every part in turn; a failure does not prevent the other checks."""
    for part, (setting, probe) in _PROBES.items():
        try:
            yield Check(part, *probe(container))
        except (AfterimageError, OSError) as error:
            message = str(error)
            lacks_setting = isinstance(error, ConnectionError) and setting not in message
            yield Check(part, CheckStatus.FAILED, f"{message} ({setting})" if lacks_setting else message)
        except ModuleNotFoundError as error:
            message = f"{error.name} is not installed; for a cluster: pip install 'afterimage[cluster]'"
            yield Check(part, CheckStatus.FAILED, message)


def _check_home(container: Container) -> tuple[CheckStatus, str]:
    if is_read_only(container.home):
        return CheckStatus.OFF, f"{container.home}: {ReadOnlyArchive()}"
    FolderBlobs(container.home).put(_PROBE_BLOB_KEY, b"probe")
    FolderBlobs(container.home).delete_prefix(_PROBE_FOLDER)
    free_mb = shutil.disk_usage(container.home).free // 2**20
    status = CheckStatus.OK if free_mb >= _MIN_FREE_MB else CheckStatus.FAILED
    return status, f"{container.home} is writable; {free_mb / 1024:.0f} GB free"


def _check_blobs(container: Container) -> tuple[CheckStatus, str]:
    """Write, read back and delete a blob in the configured blob store."""
    settings, blobs = container.settings, container.blobs
    if _cannot_write(container):
        return CheckStatus.OFF, "blobs are only read"
    try:
        blobs.put(_PROBE_BLOB_KEY, b"probe")
        good = blobs.get(_PROBE_BLOB_KEY, 1, 3) == b"rob" and _PROBE_BLOB_KEY in blobs.list_keys(_PROBE_FOLDER)
    finally:
        blobs.delete_prefix(_PROBE_FOLDER)
    location = settings.blobs.url or f"below {container.home}"
    if not settings.blobs.url and settings.jobs.kind == "celery":
        location += "; every machine must have this folder, else set an object store (AFTERIMAGE_BLOBS__URL)"
    return _make_result(good, location, f"{location}: a blob that was written cannot be read back")


def _check_jobs(container: Container) -> tuple[CheckStatus, str]:
    """Read the depth of each job queue."""
    depths = {queue.value: container.background.dispatcher.queue_depth(queue) for queue in JobQueueName}
    detail = ", ".join(f"{count} waiting in {name}" for name, count in depths.items())
    return CheckStatus.OK, f"{container.settings.jobs.kind}: {detail}"


def _check_video(container: Container) -> tuple[CheckStatus, str]:
    with _open_sample("probe.mp4") as path:
        frames = list(container.decoder.read_frames(path, SamplingPlan(fps=5.0, fps_floor=5.0)))
    return _make_result(len(frames) == 10, "decodes H.264", f"decoded {len(frames)} of 10 frames")


def _check_images(container: Container) -> tuple[CheckStatus, str]:
    with _open_sample("probe.jpg") as path:
        rgb = container.decoder.read_image(path, 1000)
    return _make_result(rgb.shape == (160, 480, 3), "decodes JPEG", f"decoded to {rgb.shape}")


def _check_documents(container: Container) -> tuple[CheckStatus, str]:
    with _open_sample("probe.pdf") as path:
        pages = list(container.decoder.read_pages(path, 1, 600))
    text = " ".join(line.text for page in pages for line in page.lines)
    return _make_result("page of text" in text, "renders and reads PDF", f"read {text!r}")


def _check_visual_lane(container: Container) -> tuple[CheckStatus, str]:
    encoder = container.models.image_text_encoder
    if encoder is None:
        return CheckStatus.OFF, "no model is set (AFTERIMAGE_VISUAL__MODEL): pictures are found by their text only"
    with _open_sample("probe.jpg") as path:
        image = encoder.encode_images([container.decoder.read_image(path, 480)])
    text = encoder.encode_texts(["a sign with words"])
    good = image.shape == text.shape == (1, encoder.dim) and abs(float(np.linalg.norm(image)) - 1) < 1e-3
    note = f"; {encoder.note}" if encoder.note else ""
    detail = f"{encoder.model_id}, {encoder.dim} dimensions{note}"
    return _make_result(good, detail, f"{encoder.model_id} gave {image.shape}")


def _check_text_lane(container: Container) -> tuple[CheckStatus, str]:
    encoder = container.models.sentence_encoder
    if encoder is None:
        return CheckStatus.OFF, "no model is set (AFTERIMAGE_TEXT__MODEL): text is found by its words only"
    anchor, near, far = encoder.encode(["a boat on the sea", "a ship on the ocean", "the tax return is late"])
    good = float(anchor @ near) > float(anchor @ far)
    detail = f"{encoder.model_id}, {encoder.dim} dimensions"
    return _make_result(good, detail, f"{encoder.model_id} does not find similar sentences similar")


def _check_answer_reader(container: Container) -> tuple[CheckStatus, str]:
    reader, text = container.models.answer_reader, "The gate is closed at night. The key hangs beside the door."
    (units,) = reader.read("Where is the key?", [Segment(0, Origin.PAGE, text=text)])
    best = max(units, key=lambda unit: unit.score)
    otherwise = f"{reader.model_id} takes {text[best.start : best.end]!r} for the place of the key"
    return _make_result("beside" in text[best.start : best.end], reader.model_id, otherwise)


def _check_ocr(container: Container) -> tuple[CheckStatus, str]:
    reader, _ = container.models.ocr_engines
    if reader is None:
        return CheckStatus.OFF, "text in pictures is not read (AFTERIMAGE_OCR__ENABLED)"
    with _open_sample("probe.jpg") as path:
        rgb = container.decoder.read_image(path, 480)
    text = " ".join(text for text, _ in reader.recognize(rgb, reader.detect(rgb)))
    otherwise = f"{reader.model_id} read {text!r} where 'AFTERIMAGE 2026' stands"
    return _make_result("2026" in text, f"{reader.model_id} reads", otherwise)


def _check_speech(container: Container) -> tuple[CheckStatus, str]:
    speech = container.models.speech_recognizer
    if speech is None:
        return CheckStatus.OFF, "no model is set (AFTERIMAGE_SPEECH__MODEL): speech is not transcribed"
    with _open_sample("probe.opus") as path:
        heard = " ".join(line.text for line in speech.transcribe(container.decoder.read_audio(path, 0.0, _PROBE_S)))
    otherwise = f"{speech.model_id} heard nothing in a recording of speech"
    return _make_result(bool(heard), f"{speech.model_id} hears {heard!r}", otherwise)


def _check_memory(container: Container) -> tuple[CheckStatus, str]:
    tokens = container.token_encoder
    if tokens is None:
        return CheckStatus.OFF, "videos have no memory: the visual lane or AFTERIMAGE_MEMORY__ENABLED is off"
    with _open_sample("probe.jpg") as path:
        _, encoded = tokens.encode([container.decoder.read_image(path, 480)])
    good = encoded.shape == (1, tokens.positions, tokens.width) and bool(np.isfinite(encoded).all())
    detail = f"{tokens.model_id}, {tokens.positions} tokens of {tokens.width} a frame"
    return _make_result(good, detail, f"{tokens.model_id} gave {encoded.shape}")


def _check_generator(container: Container) -> tuple[CheckStatus, str]:
    """Ask about a sign, given as picture and text; the answer must cite its evidence id.

    A server that is left only what is visible, since text is quoted, must describe the sign.
    """
    blobs = container.blobs
    if _cannot_write(container):
        return CheckStatus.OFF, "is not tried, since the picture to ask about cannot be stored"
    jpeg = (resources.files("services") / "data" / "probe.jpg").read_bytes()
    blobs.put(_PROBE_PICTURE_KEY, jpeg)
    evidence, settings = [_make_sign_evidence(len(jpeg))], container.settings.generator
    only_sees = settings.kind == "openai_compatible" and settings.quote_text
    try:
        drafts = list(container.generator.answer("What does the sign say?", evidence))
        is_blind = only_sees and not list(container.generator.describe(evidence, _PROBE_MAX_WORDS))
    finally:
        blobs.delete_prefix(_PROBE_FOLDER)
    name = container.generator.model_id
    if is_blind:
        return CheckStatus.FAILED, f"{name} did not describe a picture"
    cited = [draft for draft in drafts if draft.quotes]
    otherwise = f"{name} did not answer a question with the id of its evidence"
    return _make_result(bool(cited), f"{name} is ready", otherwise)


def _cannot_write(container: Container) -> bool:
    """Tell whether blobs lie in a home on read-only storage."""
    return not container.settings.blobs.url and is_read_only(container.home)


def _make_sign_evidence(length: int) -> Evidence:
    asset = Asset("0" * 64, "probe", AssetKind.IMAGE, "probe.jpg", None, None, 480, 160, None, 1, 1, (), 0.0)
    text = "The sign says AFTERIMAGE 2026."
    segment = Segment(0, Origin.OCR, text=text, picture=PictureRef(_PROBE_PICTURE_KEY, 0, length))
    return Evidence("I1", RetrievedSegment(asset, segment, 0.9, {Lane.TEXT: 0.9}, 1.0))


def _check_index(container: Container) -> tuple[CheckStatus, str]:
    counts = container.index.segment_counts()
    container.index.verify_models()
    expected = {asset.asset_id: asset.segments for asset in container.catalog.assets()}
    missing = sum(counts.get(asset_id) != segments for asset_id, segments in expected.items())
    detail = f"{sum(counts.values())} segments of {len(counts)} assets"
    problems = [f"{missing} assets differ from the catalog: run `afterimage reindex`"] if missing else []
    problems += [str(gap) for gap in container.coverage.gaps()]
    return _make_result(not problems, detail, "; ".join([detail, *problems]))


def _check_catalog(container: Container) -> tuple[CheckStatus, str]:
    collections = container.catalog.collections()
    detail = ", ".join(f"{name}: {count}" for name, count in collections.items()) or "empty"
    can_be_shared = container.database.dialect != "sqlite" or container.settings.jobs.kind == "inline"
    otherwise = "a SQLite file, which several machines cannot share: set AFTERIMAGE_CATALOG__URL"
    return _make_result(can_be_shared, detail, otherwise)


def _make_result(good: bool, detail: str, otherwise: str) -> tuple[CheckStatus, str]:
    return (CheckStatus.OK, detail) if good else (CheckStatus.FAILED, otherwise)


@contextmanager
def _open_sample(name: str) -> Iterator[Path]:
    """Yield the path of a packaged sample file."""
    with resources.as_file(resources.files("services") / "data" / name) as path:
        yield path


_PROBES: dict[str, tuple[str, Callable[[Container], tuple[CheckStatus, str]]]] = {
    "home": ("AFTERIMAGE_HOME", _check_home),
    "blobs": ("AFTERIMAGE_BLOBS__URL", _check_blobs),
    "catalog": ("AFTERIMAGE_CATALOG__URL", _check_catalog),
    "jobs": ("AFTERIMAGE_JOBS__URL", _check_jobs),
    "video": ("AFTERIMAGE_MEDIA__MEMORY_MB", _check_video),
    "images": ("AFTERIMAGE_MEDIA__MEMORY_MB", _check_images),
    "documents": ("AFTERIMAGE_MEDIA__MEMORY_MB", _check_documents),
    "visual lane": ("AFTERIMAGE_VISUAL__MODEL", _check_visual_lane),
    "text lane": ("AFTERIMAGE_TEXT__MODEL", _check_text_lane),
    "answer reader": ("AFTERIMAGE_ANSWER__MIN_PROBABILITY", _check_answer_reader),
    "text reader": ("AFTERIMAGE_OCR__ENABLED", _check_ocr),
    "speech": ("AFTERIMAGE_SPEECH__MODEL", _check_speech),
    "memory": ("AFTERIMAGE_MEMORY__ENABLED", _check_memory),
    "generator": ("AFTERIMAGE_GENERATOR__URL", _check_generator),
    "index": ("AFTERIMAGE_INDEX__URL", _check_index),
}
"""Check of each part, with the setting that is named if the part cannot be reached."""
