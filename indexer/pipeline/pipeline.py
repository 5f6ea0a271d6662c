"""Indexing pipeline: one decode pass from a source file to its artifacts, checkpoint by checkpoint, resumable."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import msgspec

from indexer.errors import ArtifactError
from indexer.media.sandbox.client import SandboxedDecoder
from indexer.pipeline.bounded_stage import BoundedStage
from indexer.pipeline.checkpoint_builder import extract_key_frames
from indexer.pipeline.document_pass import DocumentPass
from indexer.pipeline.encoding import IndexingSettings, ModelSet
from indexer.pipeline.image_pass import build_image_checkpoint
from indexer.pipeline.metadata_pass import append_metadata
from indexer.pipeline.reencode import reencode_checkpoint
from indexer.pipeline.stitching import stitch_checkpoints
from indexer.pipeline.video_pass import VideoPass
from indexer.ports import FrameSink
from indexer.storage.artifacts import SCHEMA_VERSION, ArtifactDraft, ArtifactStore, Checkpoint, Manifest
from indexer.types import AssetKind, MediaInfo, SegmentBatch

PipelineProgress = Callable[[float, float | None], None]
"""Progress callback: seconds of video or pages done, and in total (None: unknown)."""

OpenSink = Callable[[str, str], FrameSink]
"""Factory of the sink for the key frames of an asset (asset id) in a version."""

_READING_VERSION = 5
"""Form: raised where the same file is read differently, so that `index` reads it again. 2: one clock of recordings,
text layers by region, metadata, subtitle files and pictures of more kinds. 3: documents as they are laid out.
4: running heads. 5: labels of charts, headings of scans."""
_ENCODER_NAMES = ("visual", "text", "memory")
_READER_NAMES = ("reader", "page_reader", "speech")
_ENCODE_AHEAD, _READ_DEPTH, _LISTEN_DEPTH = 2, 4, 2
"""Chosen: tasks that wait for a stage; longer queues even out uneven stages and hold more pictures in memory."""


@dataclass(frozen=True, slots=True)
class IndexSource:
    """Local file to index, with its sidecars, under the id computed from their bytes (`compute_asset_id`).

    `verify` raises SourceChanged once the files are no longer those that were hashed. It is called before anything is
    committed, so that nothing made of other bytes is ever stored under the id.
    """

    path: Path
    asset_id: str
    info: MediaInfo
    sidecars: tuple[Path, ...] = ()
    verify: Callable[[], None] = lambda: None


class Pipeline:
    """Indexing pipeline: runs passes and commits their checkpoints, one asset at a time; models stay loaded.

    Where `models` has a token encoder, the key frames of videos go to the sink of `open_sink` in the same pass.
    """

    def __init__(
        self,
        media: SandboxedDecoder,
        artifacts: ArtifactStore,
        models: ModelSet,
        settings: IndexingSettings,
        open_sink: OpenSink | None = None,
    ) -> None:
        self._media, self._artifacts, self._models, self._settings = media, artifacts, models, settings
        self._open_sink = open_sink

    @property
    def version(self) -> str:
        """Fingerprint of everything that determines artifacts: `<content>-<encoders>`, 12 hex digits each.

        The first half covers schema, reading, settings, OCR and speech models, the second the encoders of lanes and
        memory:
        where only the second differs, `reencode` makes the new version from the old one, without the source.
        """
        ids = self._models.model_ids()
        readers = {name: ids[name] for name in _READER_NAMES if name in ids}
        settings = replace(self._settings, encode_workers=1)
        return f"{_fingerprint([SCHEMA_VERSION, _READING_VERSION, settings, readers])}-{self._encoder_fingerprint()}"

    def can_reencode(self, version: str) -> bool:
        """Tell whether artifacts of a version differ from this pipeline's by their encoders only."""
        return version != self.version and version.split("-")[0] == self.version.split("-")[0]

    def reencode(self, manifest: Manifest) -> Manifest:
        """Re-encode an asset with this pipeline's encoders, from its stored key frames and texts alone.

        The new version is written beside the old one, checkpoint by checkpoint, resumable. Returns its manifest.
        Errors: ArtifactError, ModelError, StorageFull.
        """
        version = f"{manifest.version.split('-')[0]}-{self._encoder_fingerprint()}"
        if version == manifest.version or self._artifacts.is_complete(manifest.asset_id, version):
            return self._artifacts.read_manifest(manifest.asset_id, version)
        writer = self._open_writer(manifest.asset_id, version, manifest.info)
        for record, _ in islice(self._artifacts.read_checkpoints(manifest), writer.count, None):
            writer.commit(reencode_checkpoint(record, self._artifacts, self._models, self._settings.fps))
        readers = {name: model_id for name, model_id in manifest.models.items() if name in _READER_NAMES}
        return writer.finish(manifest.info, self._encoder_ids() | readers, manifest.end_s, manifest.warnings)

    def _encoder_fingerprint(self) -> str:
        return _fingerprint(self._encoder_ids())

    def _encoder_ids(self) -> dict[str, str]:
        ids = self._models.model_ids()
        return {name: ids[name] for name in _ENCODER_NAMES if name in ids}

    def _open_writer(
        self, asset_id: str, version: str, info: MediaInfo, max_checkpoints: int | None = None
    ) -> _CheckpointWriter:
        has_memory = self._models.token_encoder is not None and info.kind is AssetKind.VIDEO and info.has_video
        sink = self._open_sink(asset_id, version) if self._open_sink is not None and has_memory else None
        return _CheckpointWriter(self._artifacts.open_draft(asset_id, version), sink, max_checkpoints)

    def _verified_checkpoints(self, asset_id: str) -> int | None:
        """Count the leading checkpoints that match the manifest; None where the manifest itself is damaged."""
        try:
            return self._artifacts.verified_checkpoints(self._artifacts.read_manifest(asset_id, self.version))
        except ArtifactError:
            return None

    def run(self, source: IndexSource, progress: PipelineProgress | None = None) -> Manifest:
        """Create the artifacts of a source, or continue an interrupted run; return the manifest.

        Nothing is done where they are complete. Errors: SourceError for the file (SourceChanged: see `IndexSource`),
        ModelError, StorageFull; committed checkpoints stay.
        """
        if self._artifacts.is_complete(source.asset_id, self.version):
            return self._artifacts.read_manifest(source.asset_id, self.version)
        return self._index(source, progress, None)

    def repair(self, source: IndexSource, progress: PipelineProgress | None = None) -> Manifest:
        """Recreate the artifacts of a source from their first damaged checkpoint on; return the manifest.

        Errors: those of `run`.
        """
        return self._index(source, progress, self._verified_checkpoints(source.asset_id))

    def rebuild(self, source: IndexSource, progress: PipelineProgress | None = None) -> Manifest:
        """Create the artifacts of a source anew, whatever is stored; return the manifest. Errors: those of `run`."""
        return self._index(source, progress, 0)

    def _index(self, source: IndexSource, progress: PipelineProgress | None, max_checkpoints: int | None) -> Manifest:
        """Run the pass of a source after at most `max_checkpoints` existing checkpoints (None: all that are whole)."""
        writer = self._open_writer(source.asset_id, self.version, source.info, max_checkpoints)
        workers = self._settings.encode_workers
        with ExitStack() as stack:
            encode_stage = stack.enter_context(BoundedStage("encode", workers + _ENCODE_AHEAD, workers))
            read_stage = stack.enter_context(BoundedStage("read", _READ_DEPTH))
            listen_stage = stack.enter_context(BoundedStage("listen", _LISTEN_DEPTH))
            runner = _PassRunner(self._media, self._models, self._settings, encode_stage, read_stage, listen_stage)
            checkpoints = stack.enter_context(closing(runner.run(source, writer.count)))
            for checkpoint in checkpoints:
                source.verify()
                writer.commit(checkpoint)
                if progress is not None:
                    progress(_progress_done(checkpoint), _progress_total(source.info))
        source.verify()
        return writer.finish(
            source.info, self._models.model_ids(), runner.end_s, (*source.info.warnings, *runner.warnings)
        )

    def read_batches(self, manifest: Manifest) -> Iterator[SegmentBatch]:
        """Yield the segments of a complete asset with their vectors, from its artifacts alone, for an index."""
        yield from stitch_checkpoints(
            self._artifacts.read_checkpoints(manifest), self._settings.near_duplicates, manifest.end_s
        )


class _CheckpointWriter:
    """Writer of one asset's checkpoints and key frames, new or resumed; `count` checkpoints are committed.

    The sink is written before the draft: key frames of an uncommitted checkpoint are made again, but those of a
    committed one would be lost (decision 0022).
    """

    def __init__(self, draft: ArtifactDraft, sink: FrameSink | None, max_checkpoints: int | None) -> None:
        self._draft, self._sink = draft, sink
        self.count = draft.resume(max_checkpoints)
        if sink is not None and (sink_count := sink.resume(self.count)) < self.count:
            self.count = draft.resume(sink_count)

    def commit(self, checkpoint: Checkpoint) -> None:
        if self._sink is not None:
            self._sink.save_checkpoint(checkpoint.number, extract_key_frames(checkpoint))
        self._draft.commit(checkpoint)
        self.count += 1

    def finish(
        self, info: MediaInfo, models: dict[str, str], end_s: float | None, warnings: tuple[str, ...]
    ) -> Manifest:
        if self._sink is not None:
            self._sink.finish(self.count)
        return self._draft.finish(info, models, end_s, warnings)


class _PassRunner:
    """Runner of the pass that fits a source's kind; `end_s` and `warnings` are complete after the last checkpoint."""

    def __init__(
        self,
        media: SandboxedDecoder,
        models: ModelSet,
        settings: IndexingSettings,
        encode_stage: BoundedStage,
        read_stage: BoundedStage,
        listen_stage: BoundedStage,
    ) -> None:
        self._media, self._models, self._settings = media, models, settings
        self._encode_stage, self._read_stage, self._listen_stage = encode_stage, read_stage, listen_stage
        self.end_s: float | None = None
        self.warnings: tuple[str, ...] = ()

    def run(self, source: IndexSource, first_checkpoint: int) -> Generator[Checkpoint, None, None]:
        """Yield the checkpoints of a source in order, from number `first_checkpoint` on."""
        match source.info.kind:
            case AssetKind.VIDEO:
                checkpoints = self._run_video(source, first_checkpoint)
            case AssetKind.DOCUMENT:
                checkpoints = self._run_document(source, first_checkpoint)
            case AssetKind.IMAGE:
                checkpoints = self._run_image(source, first_checkpoint)
        for checkpoint in checkpoints:
            yield append_metadata(checkpoint, source.info, self._models.text) if checkpoint.number == 0 else checkpoint

    def _run_image(self, source: IndexSource, first_checkpoint: int) -> Iterator[Checkpoint]:
        if first_checkpoint == 0:
            yield build_image_checkpoint(
                self._media, self._models, self._settings, self._encode_stage, source.path, source.info
            )

    def _run_video(self, source: IndexSource, first_checkpoint: int) -> Iterator[Checkpoint]:
        video = VideoPass(
            self._media, self._models, self._settings, self._encode_stage, self._read_stage, self._listen_stage
        )
        yield from video.run(source.path, source.info, bool(source.sidecars), first_checkpoint)
        self.end_s, self.warnings = video.end_s, video.warnings

    def _run_document(self, source: IndexSource, first_checkpoint: int) -> Iterator[Checkpoint]:
        document = DocumentPass(self._media, self._models, self._settings, self._encode_stage, self._read_stage)
        yield from document.run(source.path, first_checkpoint)
        self.warnings = document.warnings


def _fingerprint(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:12]


def _progress_done(checkpoint: Checkpoint) -> float:
    return checkpoint.number + 1 if checkpoint.end_s is None else checkpoint.end_s


def _progress_total(info: MediaInfo) -> float | None:
    return info.duration_s if info.kind is AssetKind.VIDEO else float(info.pages or 1)


def compute_asset_id(path: Path, sidecars: Sequence[Path]) -> str:
    """Return the SHA-256 of a file and its sidecars, 64 hex digits.

    The same video with other subtitles is another asset, so that text never leaks between collections (decision 0001).
    """
    digests = [_sha256(file) for file in (path, *sidecars)]
    return digests[0].hex() if len(digests) == 1 else hashlib.sha256(b"".join(digests)).hexdigest()


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
