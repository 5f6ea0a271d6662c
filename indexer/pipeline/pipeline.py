"""From a file to its artifacts: one decode pass, checkpoint by checkpoint, resumable."""

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
from indexer.pipeline.reencode import reencode_checkpoint
from indexer.pipeline.stitching import stitch_checkpoints
from indexer.pipeline.video_pass import VideoPass
from indexer.ports import FrameSink
from indexer.storage.artifacts import SCHEMA_VERSION, ArtifactDraft, ArtifactStore, Checkpoint, Manifest
from indexer.types import AssetKind, MediaInfo, SegmentBatch

PipelineProgress = Callable[[float, float | None], None]
OpenSink = Callable[[str, str], FrameSink]
"""Where the key frames of an asset go, of one version of it."""
_ENCODER_NAMES = ("visual", "text", "memory")
_READER_NAMES = ("reader", "page_reader", "speech")
_ENCODE_AHEAD, _READ_DEPTH, _LISTEN_DEPTH = 2, 4, 2


@dataclass(frozen=True, slots=True)
class IndexSource:
    """What is to be indexed: a local file with its sidecars, under the id that was made from their bytes."""

    path: Path
    asset_id: str
    info: MediaInfo
    sidecars: tuple[Path, ...] = ()


class Pipeline:
    """Runs passes and keeps what they give. One asset at a time; the models stay loaded between assets.

    Where `models` has a token encoder, `open_sink` says where the key frames of videos go, in the same pass.
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
        """The fingerprint of all that shapes artifacts: `<content>-<encoders>`, 12 hex digits each.

        The first half covers schema, settings and readers, the second the encoders of lanes and memory: where only that
        differs, `encode_again` makes the new version from the old one, without the source.
        """
        ids = self._models.model_ids()
        readers = {name: ids[name] for name in _READER_NAMES if name in ids}
        settings = replace(self._settings, encode_workers=1)
        return f"{_fingerprint([SCHEMA_VERSION, settings, readers])}-{self._encoder_fingerprint()}"

    def reencode(self, manifest: Manifest) -> Manifest:
        """The same asset with this pipeline's encoders, from its stored key frames and texts alone.

        Written beside the old version, checkpoint by checkpoint, resumable. Errors: ArtifactError, ModelError.
        """
        version = f"{manifest.version.split('-')[0]}-{self._encoder_fingerprint()}"
        if version == manifest.version or self._artifacts.is_complete(manifest.asset_id, version):
            return self._artifacts.read_manifest(manifest.asset_id, version)
        writer = self._open_writer(manifest.asset_id, version, manifest.info)
        for record, _ in islice(self._artifacts.read_checkpoints(manifest), writer.count, None):
            writer.commit(reencode_checkpoint(record, self._artifacts, self._models, self._settings.fps))
        readers = {name: made for name, made in manifest.models.items() if name in _READER_NAMES}
        return writer.finish(manifest.info, self._models.model_ids() | readers, manifest.end_s, manifest.warnings)

    def _encoder_fingerprint(self) -> str:
        ids = self._models.model_ids()
        return _fingerprint({name: ids[name] for name in _ENCODER_NAMES if name in ids})

    def _open_writer(
        self, asset_id: str, version: str, info: MediaInfo, max_checkpoints: int | None = None
    ) -> _CheckpointWriter:
        has_memory = self._models.token_encoder is not None and info.kind is AssetKind.VIDEO and info.has_video
        sink = self._open_sink(asset_id, version) if self._open_sink is not None and has_memory else None
        return _CheckpointWriter(self._artifacts.open_draft(asset_id, version), sink, max_checkpoints)

    def _verified_checkpoints(self, asset_id: str) -> int | None:
        """None: the manifest itself is damaged, and what the checkpoints say of themselves has to do."""
        try:
            return self._artifacts.verified_checkpoints(self._artifacts.read_manifest(asset_id, self.version))
        except ArtifactError:
            return None

    def run(self, source: IndexSource, progress: PipelineProgress | None = None, repair: bool = False) -> Manifest:
        """Make the artifacts of one source, or go on where an earlier run stopped, and give their manifest. `again`: go
        on from the first that is damaged, though they were complete.

        `progress` gets what is done and how much there is, in seconds of video or pages (None: not known).
        Errors: SourceError for what is wrong with the file, ModelError, StorageFull; finished checkpoints stay.
        """
        if not repair and self._artifacts.is_complete(source.asset_id, self.version):
            return self._artifacts.read_manifest(source.asset_id, self.version)
        max_checkpoints = self._verified_checkpoints(source.asset_id) if repair else None
        writer = self._open_writer(source.asset_id, self.version, source.info, max_checkpoints)
        workers = self._settings.encode_workers
        with ExitStack() as stack:
            encode_stage = stack.enter_context(BoundedStage("encode", workers + _ENCODE_AHEAD, workers))
            read_stage = stack.enter_context(BoundedStage("read", _READ_DEPTH))
            listen_stage = stack.enter_context(BoundedStage("listen", _LISTEN_DEPTH))
            run = _PassRunner(self._media, self._models, self._settings, encode_stage, read_stage, listen_stage)
            checkpoints = stack.enter_context(closing(run.run(source, writer.count)))
            for checkpoint in checkpoints:
                writer.commit(checkpoint)
                if progress is not None:
                    progress(_progress_done(checkpoint), _progress_total(source.info))
        return writer.finish(source.info, self._models.model_ids(), run.end_s, (*source.info.warnings, *run.warnings))

    def read_batches(self, manifest: Manifest) -> Iterator[SegmentBatch]:
        """The segments of a complete asset with their vectors, from its artifacts alone, as an index takes them."""
        yield from stitch_checkpoints(
            self._artifacts.read_checkpoints(manifest), self._settings.near_duplicates, manifest.end_s
        )


class _CheckpointWriter:
    """The checkpoints of one asset on their way to disk, and its key frames to the memory: begun, or gone on with.

    `count` says how many are committed. The sink is always the first to be told: what it holds of a checkpoint that is
    not committed is made again, the other way round it would be lost.
    """

    def __init__(self, draft: ArtifactDraft, sink: FrameSink | None, max_checkpoints: int | None) -> None:
        self._draft, self._sink = draft, sink
        self.count = draft.resume(max_checkpoints)
        if sink is not None and (held := sink.resume(self.count)) < self.count:
            self.count = draft.resume(held)

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
    """One source on its way through the pass of its kind."""

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
        match source.info.kind:
            case AssetKind.VIDEO:
                yield from self._run_video(source, first_checkpoint)
            case AssetKind.DOCUMENT:
                yield from self._run_document(source, first_checkpoint)
            case AssetKind.IMAGE:
                if first_checkpoint == 0:
                    yield build_image_checkpoint(
                        self._media, self._models, self._settings, self._encode_stage, source.path
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


def _fingerprint(facts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(facts, order="sorted")).hexdigest()[:12]


def _progress_done(checkpoint: Checkpoint) -> float:
    return checkpoint.number + 1 if checkpoint.end_s is None else checkpoint.end_s


def _progress_total(info: MediaInfo) -> float | None:
    return info.duration_s if info.kind is AssetKind.VIDEO else float(info.pages or 1)


def compute_asset_id(path: Path, sidecars: Sequence[Path]) -> str:
    """The hash of a file's bytes and of its sidecars': 64 hex digits (SHA-256).

    The same video with other subtitles is another asset, so that text never crosses from one collection to another.
    """
    digests = [_sha256(file) for file in (path, *sidecars)]
    return digests[0].hex() if len(digests) == 1 else hashlib.sha256(b"".join(digests)).hexdigest()


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
