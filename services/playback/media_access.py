"""Playback access to assets: stored pictures, source media and clips."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from indexer.errors import ArtifactError, AssetNotFound, SourceNotFound
from indexer.media.sandbox.client import SandboxedDecoder
from indexer.ports import BlobStore
from indexer.storage.artifacts import ArtifactStore
from indexer.types import AssetKind, Origin, PictureRef
from services.catalog.catalog import Catalog
from services.catalog.types import Asset, Source
from services.catalog.video_memory import StoredKeyFrame, VideoMemoryReader
from services.ingest.file_discovery import DiscoveredFile
from services.playback.clip_cache import ClipCache
from services.playback.decoder_pool import DecoderPool

_log = logging.getLogger(__name__)
_CHUNK_BYTES = 1 << 20
"""Form: size of the pieces in which a file is read."""
_CLIP_CACHE_BYTES = 64 << 20
"""Chosen: a few of the longest clips; players ask for a clip in parts, and cutting it again for each takes seconds."""


@dataclass(frozen=True, slots=True)
class SourceMedia:
    """Source bytes of an asset: their number and a reader of the byte range `[start, end)`, in pieces.

    `modified_at` is the Unix time of a file's last change; of a blob, that of indexing.
    """

    size: int
    read_range: Callable[[int, int], Iterator[bytes]]
    modified_at: float

    @classmethod
    def of_bytes(cls, data: bytes, modified_at: float) -> SourceMedia:
        """Return media that is in memory."""
        return cls(len(data), lambda start, end: iter((data[start:end],)), modified_at)


class MediaAccess:
    """Read access to the pictures, the source media and clips of assets.

    Pictures come from the artifacts; media and clips from the source, if it has not changed since it was indexed.
    `media_key` returns the blob key of uploaded or fetched media, by collection and URI. At most `max_concurrent_clips`
    clips are cut at once, each in its own decoder. Errors: AssetNotFound for a picture that an asset does not have,
    SourceNotFound if its source is gone.
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
        self._clips = ClipCache(_CLIP_CACHE_BYTES)
        self._clip_pool = DecoderPool(start_decoder, max_concurrent_clips)

    def key_frame_at(self, asset: Asset, time_s: float) -> StoredKeyFrame:
        """Return the key frame of a video at a time."""
        if asset.kind is not AssetKind.VIDEO or asset.width is None or not 0 <= time_s < (asset.duration_s or 0.0):
            raise AssetNotFound(f"{asset.name} shows nothing at {time_s:g} s")
        return self._video_memory.key_frame_at(asset, time_s)

    def page_image(self, asset: Asset, number: int | None) -> PictureRef:
        """Return the picture of a page of a document (from 1), or of an image (None)."""
        if (number is None) != (asset.kind is AssetKind.IMAGE) or not 1 <= (number or 1) <= (asset.pages or 1):
            raise AssetNotFound(f"{asset.name} has no such picture")
        manifest = self._artifacts.read_manifest(asset.asset_id, asset.version)
        for segment in self._artifacts.read_checkpoint_record(manifest, (number or 1) - 1).segments:
            if segment.origin is Origin.PICTURE and segment.picture is not None:
                return segment.picture
        raise AssetNotFound(f"{asset.name} has no such picture")

    def source_media(self, asset: Asset, collections: Collection[str] | None) -> SourceMedia:
        """Return the source bytes of an asset from one of some collections (None: any): a blob or a file in place."""
        location, size = self._locate_media(asset, collections)
        if isinstance(location, str):
            return SourceMedia(size, partial(self._blobs.stream, location), asset.indexed_at)
        return SourceMedia(size, partial(_read_file_range, location), location.stat().st_mtime)

    @contextmanager
    def source_file(self, asset: Asset, collections: Collection[str] | None) -> Iterator[Path]:
        """Yield a local path to the source media; temporary if it comes from the blob store."""
        location, _ = self._locate_media(asset, collections)
        if isinstance(location, str):
            with self._blobs.local_file(location) as path:
                yield path
        else:
            yield location

    def clip(
        self, asset: Asset, collections: Collection[str] | None, start_s: float, end_s: float, max_px: int
    ) -> bytes:
        """Cut `[start_s, end_s)` of a video, with sound, as MP4; a clip that was cut lately is not cut again.

        Errors: also LimitExceeded if that is empty.
        """
        if asset.kind is not AssetKind.VIDEO or start_s >= (asset.duration_s or 0.0):
            raise AssetNotFound(f"{asset.name} shows nothing at {start_s:g} s")
        key = (asset.asset_id, start_s, end_s, max_px)
        if (known := self._clips.get(key)) is not None:
            return known
        with self.source_file(asset, collections) as path:
            clip = self._clip_pool.run(
                asset.name, lambda decoder: b"".join(decoder.cut_clip(path, start_s, end_s, max_px))
            )
        self._clips.put(key, clip)
        return clip

    def close(self) -> None:
        """Stop the decoder processes."""
        self._clip_pool.close()

    def _locate_media(self, asset: Asset, collections: Collection[str] | None) -> tuple[Path | str, int]:
        """Return the file, or the key of the blob, and its size in bytes."""
        for source in self._catalog.sources(asset.asset_id, collections):
            key = self._media_key(source.collection, source.uri)
            try:
                if key is not None:
                    return key, self._blobs.size(key)
                if (path := _path_if_unchanged(source)) is not None:
                    return path, path.stat().st_size
            except ArtifactError as error:  # this source was removed; another one may still be there
                _log.warning("%s: its stored media is missing (%s)", asset.asset_id, error)
        raise SourceNotFound(asset.name, "its source is gone, or has changed since it was indexed")


def _read_file_range(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (data := file.read(min(_CHUNK_BYTES, end - start))):
            start += len(data)
            yield data


def _path_if_unchanged(source: Source) -> Path | None:
    url = urlsplit(source.uri)
    if url.scheme != "file":
        return None
    path = Path(unquote(url.path))
    try:
        fingerprint = DiscoveredFile(path, source.uri, explicit=True).fingerprint()
    except SourceNotFound:
        return None
    return path if source.state.startswith(f"{fingerprint}@") else None
