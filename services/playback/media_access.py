"""What of an asset can be looked at: its pictures, its source, and clips of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import LifoQueue
from typing import TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

from indexer.errors import ArtifactError, AssetNotFound, SourceError, SourceNotFound
from indexer.media.sandbox.client import SandboxedDecoder
from indexer.ports import BlobStore
from indexer.storage.artifacts import ArtifactStore
from indexer.types import AssetKind, Origin, PictureRef, Pixels
from services.catalog.catalog import Catalog
from services.catalog.types import Asset, Source
from services.catalog.video_memory import StoredKeyFrame, VideoMemoryReader
from services.ingest.file_discovery import DiscoveredFile

T = TypeVar("T")
_log = logging.getLogger(__name__)
_CHUNK_BYTES = 1 << 20
_DecoderPool: TypeAlias = "LifoQueue[SandboxedDecoder]"


@dataclass(frozen=True, slots=True)
class SourceMedia:
    """The bytes that an asset was indexed from: how many they are, and what reads those of `[start, end)`, some at a
    time. `modified`: the Unix time when a file was last written to; None for what is in the blob store."""

    size: int
    read_range: Callable[[int, int], Iterator[bytes]]
    modified_at: float | None


class MediaAccess:
    """Pictures come from the artifacts; the media itself and clips from where the asset was indexed, as long as it is
    there and has not changed since. `kept_at` gives the blob of what was uploaded or fetched, by collection and URI.
    So many `clips` are cut at once, each in a decoding process of its own; others wait. Pictures that come with a
    question have another process: whoever searches waits for no clip.

    Errors: AssetNotFound for pictures that an asset does not have, SourceNotFound where its source is gone.
    """

    def __init__(
        self,
        blobs: BlobStore,
        artifacts: ArtifactStore,
        video_memory: VideoMemoryReader,
        catalog: Catalog,
        media_key: Callable[[str, str], str | None],
        start_decoder: Callable[[], SandboxedDecoder],
        max_concurrent_clips: int,
    ) -> None:
        self._blobs, self._media_key = blobs, media_key
        self._artifacts, self._video_memory, self._catalog = artifacts, video_memory, catalog
        self._clip_pool, self._image_pool = (
            _make_pool(start_decoder, max_concurrent_clips),
            _make_pool(start_decoder, 1),
        )

    def key_frame_at(self, asset: Asset, time_s: float) -> StoredKeyFrame:
        """The key frame that shows a video at a time."""
        if asset.kind is not AssetKind.VIDEO or asset.width is None or not 0 <= time_s < (asset.duration_s or 0.0):
            raise AssetNotFound(f"{asset.name} shows nothing at {time_s:g} s")
        return self._video_memory.key_frame_at(asset, time_s)

    def page_image(self, asset: Asset, number: int | None) -> PictureRef:
        """The picture of a page of a document (from 1), or of an image (None)."""
        if (number is None) != (asset.kind is AssetKind.IMAGE) or not 1 <= (number or 1) <= (asset.pages or 1):
            raise AssetNotFound(f"{asset.name} has no such picture")
        manifest = self._artifacts.read_manifest(asset.asset_id, asset.version)
        for segment in self._artifacts.read_checkpoint_record(manifest, (number or 1) - 1).segments:
            if segment.origin is Origin.PICTURE and segment.picture is not None:
                return segment.picture
        raise AssetNotFound(f"{asset.name} has no such picture")

    def source_media(self, asset: Asset, collections: Collection[str] | None) -> SourceMedia:
        """What the asset was indexed from, by one of these collections (None: any): what was uploaded or fetched from
        the blob store, all else from where it is."""
        place, size = self._locate_media(asset, collections)
        if isinstance(place, str):
            return SourceMedia(size, partial(self._blobs.stream, place), None)
        return SourceMedia(size, partial(_read_file_range, place), place.stat().st_mtime)

    @contextmanager
    def source_file(self, asset: Asset, collections: Collection[str] | None) -> Iterator[Path]:
        """The same as a file, while the context lasts."""
        place, _ = self._locate_media(asset, collections)
        if isinstance(place, str):
            with self._blobs.local_file(place) as path:
                yield path
        else:
            yield place

    def clip(
        self, asset: Asset, collections: Collection[str] | None, start_s: float, end_s: float, max_px: int
    ) -> bytes:
        """What is seen and heard in `[start_s, end_s)` of a video, as MP4. LimitExceeded where that is nothing."""
        if asset.kind is not AssetKind.VIDEO or start_s >= (asset.duration_s or 0.0):
            raise AssetNotFound(f"{asset.name} shows nothing at {start_s:g} s")
        with self.source_file(asset, collections) as path:
            return _run_in_pool(
                self._clip_pool, asset.name, lambda media: b"".join(media.cut_clip(path, start_s, end_s, max_px))
            )

    def decode_image(self, name: str, path: Path, max_px: int) -> Pixels:
        """The pixels of a picture that is not in the archive. Errors: UnsupportedMedia, DamagedMedia, LimitExceeded."""
        return _run_in_pool(self._image_pool, name, lambda media: media.read_image(path, max_px))

    def close(self) -> None:
        """End the processes."""
        for pool in (self._clip_pool, self._image_pool):
            while not pool.empty():
                pool.get().close()

    def _locate_media(self, asset: Asset, collections: Collection[str] | None) -> tuple[Path | str, int]:
        """The file, or the key of the blob, and how many bytes it has."""
        for row in self._catalog.sources(asset.asset_id, collections):
            key = self._media_key(row.collection, row.uri)
            try:
                if key is not None:
                    return key, self._blobs.size(key)
                if (path := _path_if_unchanged(row)) is not None:
                    return path, path.stat().st_size
            except ArtifactError as error:  # somebody took it away: another source may still have it
                _log.warning("%s: its media is not where it was kept (%s)", asset.asset_id, error)
        raise SourceNotFound(asset.name, "its source is gone, or has changed since it was indexed")


def _make_pool(start: Callable[[], SandboxedDecoder], count: int) -> _DecoderPool:
    pool: _DecoderPool = LifoQueue()
    for _ in range(count):
        pool.put(start())
    return pool


def _run_in_pool(pool: _DecoderPool, name: str, work: Callable[[SandboxedDecoder], T]) -> T:
    """The work of one process; an error names what people know, not where the file is."""
    media = pool.get()
    try:
        return work(media)
    except SourceError as error:
        raise type(error)(name, error.reason) from error
    finally:
        pool.put(media)


def _read_file_range(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (data := file.read(min(_CHUNK_BYTES, end - start))):
            start += len(data)
            yield data


def _path_if_unchanged(row: Source) -> Path | None:
    address = urlsplit(row.uri)
    if address.scheme != "file":
        return None
    path = Path(unquote(address.path))
    try:
        state = DiscoveredFile(path, row.uri, explicit=True).fingerprint()
    except SourceNotFound:
        return None
    return path if row.state.startswith(f"{state}@") else None
