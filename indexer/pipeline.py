"""From a file to its artifacts: one decode pass, checkpoint by checkpoint, resumable."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import msgspec

from indexer.artifacts import SCHEMA, Artifacts, Checkpoint, Draft, Manifest
from indexer.assembly import assemble
from indexer.errors import ArtifactError
from indexer.media.process import MediaProcess
from indexer.passes.again import encode_checkpoint
from indexer.passes.checkpoints import key_frames
from indexer.passes.document import DocumentPass
from indexer.passes.image import image_checkpoint
from indexer.passes.tools import Models, PassSettings
from indexer.passes.video import VideoPass
from indexer.ports import FrameSink
from indexer.stages import Stage
from indexer.types import AssetKind, MediaInfo, SegmentBatch

Report = Callable[[float, float | None], None]
OpenSink = Callable[[str, str], FrameSink]
"""Where the key frames of an asset go, of one version of it."""
_ENCODERS = ("visual", "text", "memory")
_READERS = ("reader", "page_reader", "speech")
_ENCODE_AHEAD, _READ_DEPTH, _LISTEN_DEPTH = 2, 4, 2


@dataclass(frozen=True, slots=True)
class Source:
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
        media: MediaProcess,
        artifacts: Artifacts,
        models: Models,
        settings: PassSettings,
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
        ids = self._models.ids()
        readers = {name: ids[name] for name in _READERS if name in ids}
        settings = replace(self._settings, encode_workers=1)
        return f"{_fingerprint([SCHEMA, settings, readers])}-{self._encoders()}"

    def encode_again(self, manifest: Manifest) -> Manifest:
        """The same asset with this pipeline's encoders, from its stored key frames and texts alone.

        Written beside the old version, checkpoint by checkpoint, resumable. Errors: ArtifactError, ModelError.
        """
        version = f"{manifest.version.split('-')[0]}-{self._encoders()}"
        if version == manifest.version or self._artifacts.complete(manifest.asset_id, version):
            return self._artifacts.manifest(manifest.asset_id, version)
        work = self._begin(manifest.asset_id, version, manifest.info)
        for record, _ in islice(self._artifacts.checkpoints(manifest), work.count, None):
            work.commit(encode_checkpoint(record, self._artifacts, self._models, self._settings.fps))
        readers = {name: made for name, made in manifest.models.items() if name in _READERS}
        return work.finish(manifest.info, self._models.ids() | readers, manifest.end_s, manifest.warnings)

    def _encoders(self) -> str:
        ids = self._models.ids()
        return _fingerprint({name: ids[name] for name in _ENCODERS if name in ids})

    def _begin(self, asset_id: str, version: str, info: MediaInfo, at_most: int | None = None) -> _Work:
        remembered = self._models.tokens is not None and info.kind is AssetKind.VIDEO and info.sees
        sink = self._open_sink(asset_id, version) if self._open_sink is not None and remembered else None
        return _Work(self._artifacts.draft(asset_id, version), sink, at_most)

    def _vouched(self, asset_id: str) -> int | None:
        """None: the manifest itself is damaged, and what the checkpoints say of themselves has to do."""
        try:
            return self._artifacts.vouched(self._artifacts.manifest(asset_id, self.version))
        except ArtifactError:
            return None

    def run(self, source: Source, progress: Report | None = None, again: bool = False) -> Manifest:
        """Make the artifacts of one source, or go on where an earlier run stopped, and give their manifest. `again`: go
        on from the first that is damaged, though they were complete.

        `progress` gets what is done and how much there is, in seconds of video or pages (None: not known).
        Errors: SourceError for what is wrong with the file, ModelError, StorageFull; finished checkpoints stay.
        """
        if not again and self._artifacts.complete(source.asset_id, self.version):
            return self._artifacts.manifest(source.asset_id, self.version)
        at_most = self._vouched(source.asset_id) if again else None
        work = self._begin(source.asset_id, self.version, source.info, at_most)
        workers = self._settings.encode_workers
        with ExitStack() as stack:
            encode = stack.enter_context(Stage("encode", workers + _ENCODE_AHEAD, workers))
            read = stack.enter_context(Stage("read", _READ_DEPTH))
            listen = stack.enter_context(Stage("listen", _LISTEN_DEPTH))
            run = _Run(self._media, self._models, self._settings, encode, read, listen)
            checkpoints = stack.enter_context(closing(run.checkpoints(source, work.count)))
            for checkpoint in checkpoints:
                work.commit(checkpoint)
                if progress is not None:
                    progress(_done(checkpoint), _total(source.info))
        return work.finish(source.info, self._models.ids(), run.end_s, (*source.info.warnings, *run.warnings))

    def batches(self, manifest: Manifest) -> Iterator[SegmentBatch]:
        """The segments of a complete asset with their vectors, from its artifacts alone, as an index takes them."""
        yield from assemble(self._artifacts.checkpoints(manifest), self._settings.near_duplicates, manifest.end_s)


class _Work:
    """The checkpoints of one asset on their way to disk, and its key frames to the memory: begun, or gone on with.

    `count` says how many are committed. The sink is always the first to be told: what it holds of a checkpoint that is
    not committed is made again, the other way round it would be lost.
    """

    def __init__(self, draft: Draft, sink: FrameSink | None, at_most: int | None) -> None:
        self._draft, self._sink = draft, sink
        self.count = draft.resume(at_most)
        if sink is not None and (held := sink.resume(self.count)) < self.count:
            self.count = draft.resume(held)

    def commit(self, checkpoint: Checkpoint) -> None:
        if self._sink is not None:
            self._sink.take(checkpoint.number, key_frames(checkpoint))
        self._draft.commit(checkpoint)
        self.count += 1

    def finish(
        self, info: MediaInfo, models: dict[str, str], end_s: float | None, warnings: tuple[str, ...]
    ) -> Manifest:
        if self._sink is not None:
            self._sink.finish(self.count)
        return self._draft.finish(info, models, end_s, warnings)


class _Run:
    """One source on its way through the pass of its kind."""

    def __init__(
        self,
        media: MediaProcess,
        models: Models,
        settings: PassSettings,
        encode: Stage,
        read: Stage,
        listen: Stage,
    ) -> None:
        self._media, self._models, self._settings = media, models, settings
        self._encode, self._read, self._listen = encode, read, listen
        self.end_s: float | None = None
        self.warnings: tuple[str, ...] = ()

    def checkpoints(self, source: Source, first: int) -> Generator[Checkpoint, None, None]:
        match source.info.kind:
            case AssetKind.VIDEO:
                yield from self._video(source, first)
            case AssetKind.DOCUMENT:
                yield from self._document(source, first)
            case AssetKind.IMAGE:
                if first == 0:
                    yield image_checkpoint(self._media, self._models, self._settings, self._encode, source.path)

    def _video(self, source: Source, first: int) -> Iterator[Checkpoint]:
        video = VideoPass(self._media, self._models, self._settings, self._encode, self._read, self._listen)
        yield from video.checkpoints(source.path, source.info, bool(source.sidecars), first)
        self.end_s, self.warnings = video.end_s, video.warnings

    def _document(self, source: Source, first: int) -> Iterator[Checkpoint]:
        document = DocumentPass(self._media, self._models, self._settings, self._encode, self._read)
        yield from document.checkpoints(source.path, first)
        self.warnings = document.warnings


def _fingerprint(facts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(facts, order="sorted")).hexdigest()[:12]


def _done(checkpoint: Checkpoint) -> float:
    return checkpoint.number + 1 if checkpoint.end_s is None else checkpoint.end_s


def _total(info: MediaInfo) -> float | None:
    return info.duration_s if info.kind is AssetKind.VIDEO else float(info.pages or 1)


def asset_id(path: Path, sidecars: Sequence[Path]) -> str:
    """The hash of a file's bytes and of its sidecars': 64 hex digits (SHA-256).

    The same video with other subtitles is another asset, so that text never crosses from one collection to another.
    """
    digests = [_digest(file) for file in (path, *sidecars)]
    return digests[0].hex() if len(digests) == 1 else hashlib.sha256(b"".join(digests)).hexdigest()


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
