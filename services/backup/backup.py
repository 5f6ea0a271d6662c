"""Backup: copy catalog, artifacts and stored media into a folder, consistently while the archive is in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from indexer.errors import AfterimageError, ArtifactError, InvalidInput, StorageFull
from indexer.ports import BlobStore
from indexer.storage.artifacts import ArtifactStore
from indexer.storage.folder_blobs import FolderBlobs
from services.backup.types import BLOBS_FOLDER, CONTENTS_FILE, FORMAT, TABLES_FOLDER, BackupContents
from services.database.clock import now
from services.database.dump import dump_tables
from services.database.engine import SqlDatabase
from services.database.migrations import HEAD
from services.ingest.source_resolver import MEDIA_PREFIX

_MAX_ROUNDS = 10
"""Chosen: an archive that changes under so many passes, each shorter than the one before, is being rebuilt."""
_Row = TypeVar("_Row")


class Backup:
    """Makes backups. Neither readers nor writers of the archive wait for one.

    The catalog is read in one snapshot, then what it names is copied. Where some of that was removed or written anew
    meanwhile, a new snapshot is taken and what that one names besides is copied, until all of a snapshot is there.
    """

    def __init__(
        self,
        database: SqlDatabase,
        blobs: BlobStore,
        artifacts: ArtifactStore,
        media_key: Callable[[str, str], str | None],
    ) -> None:
        self._database, self._blobs, self._artifacts, self._media_key = database, blobs, artifacts, media_key

    def write(self, folder: Path, progress: Callable[[str, float, float | None], None]) -> BackupContents:
        """Write a backup into a new or empty folder, or go on with one that was cut off.

        `progress("backup", done, total)` counts assets. Errors: InvalidInput where the folder holds something else,
        StorageFull where it cannot be written; those of database and blob store.
        """
        _prepare(folder)
        target, lacking_before = FolderBlobs(folder / BLOBS_FOLDER), None
        for _ in range(_MAX_ROUNDS):
            rows = self._dump_catalog(folder / TABLES_FOLDER)
            assets = list(_read_rows(folder / TABLES_FOLDER / "assets.jsonl", _AssetRow))
            self._copy_artifacts(assets, target, progress)
            self._copy(list(self._blobs.list_keys(MEDIA_PREFIX)), target)
            lacking = self._find_lacking(assets, folder, target)
            if not lacking or lacking == lacking_before:  # twice the same: they are damaged in the archive itself
                return _finish(folder, target, rows, len(assets), tuple(lacking))
            lacking_before = lacking
        raise ArtifactError("the archive changed all the time while it was copied: try again when less is indexed")

    def _dump_catalog(self, folder: Path) -> dict[str, int]:
        try:
            with self._database.read() as connection:
                return dump_tables(connection, folder)
        except OSError as error:
            if isinstance(error, AfterimageError):
                raise
            raise StorageFull(f"{folder}: cannot be written ({error.strerror})") from error

    def _copy_artifacts(
        self, assets: list[_AssetRow], target: BlobStore, progress: Callable[[str, float, float | None], None]
    ) -> None:
        """Copy the artifacts of assets; remove those that an earlier pass copied and this snapshot does not name."""
        copied, versions = ArtifactStore(target), {asset.asset_id: asset.version for asset in assets}
        for asset_id in copied.list_assets():
            for version in copied.list_versions(asset_id):
                if versions.get(asset_id) != version:
                    copied.delete(asset_id, version)
        for number, asset in enumerate(assets, 1):
            self._copy(
                list(self._blobs.list_keys(self._artifacts.version_prefix(asset.asset_id, asset.version))), target
            )
            progress("backup", number, len(assets))

    def _copy(self, keys: list[str], target: BlobStore) -> None:
        """Copy blobs that the target lacks; one that vanishes meanwhile is found to be lacking afterwards."""
        for key in keys:
            with suppress(ArtifactError, FileNotFoundError):
                if _size(target, key) != self._blobs.size(key):
                    with self._blobs.local_file(key) as path:
                        target.put_file(key, path)

    def _find_lacking(self, assets: list[_AssetRow], folder: Path, target: BlobStore) -> list[str]:
        """Return what the snapshot names and the copy does not hold whole; half an asset is removed from the copy."""
        copied, lacking = ArtifactStore(target), []
        for asset in assets:
            if (reason := _find_damage(copied, asset)) is not None:
                copied.delete(asset.asset_id)
                lacking.append(reason)
        for source in _read_rows(folder / TABLES_FOLDER / "sources.jsonl", _SourceRow):
            key = self._media_key(source.collection, source.uri)
            if key is not None and _size(target, key) is None:
                lacking.append(f"{source.name}: its file is missing ({key})")
        return lacking


class _AssetRow(msgspec.Struct):
    asset_id: str
    version: str


class _SourceRow(msgspec.Struct):
    collection: str
    uri: str
    name: str


def _read_rows(path: Path, kind: type[_Row]) -> Iterator[_Row]:
    with path.open("rb") as file:
        for line in file:
            yield msgspec.json.decode(line, type=kind)


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = {path.name for path in folder.iterdir()}
        if CONTENTS_FILE in present:
            raise InvalidInput(f"{folder}: holds a backup already; name a new folder")
        if present - {TABLES_FOLDER, BLOBS_FOLDER}:
            raise InvalidInput(f"{folder}: is not empty; name a new folder")
        for name in (TABLES_FOLDER, BLOBS_FOLDER):
            (folder / name).mkdir(exist_ok=True)
    except (NotADirectoryError, FileExistsError) as error:
        raise InvalidInput(f"{folder}: is no folder") from error
    except OSError as error:
        raise StorageFull(f"{folder}: cannot be written ({error.strerror})") from error


def _finish(
    folder: Path, target: FolderBlobs, rows: dict[str, int], assets: int, damaged: tuple[str, ...]
) -> BackupContents:
    keys = list(target.list_keys(""))
    size = sum(target.size(key) for key in keys)
    contents = BackupContents(FORMAT, HEAD, now(), rows, assets, len(keys), size, damaged)
    FolderBlobs(folder).put(CONTENTS_FILE, msgspec.json.encode(contents))
    return contents


def _size(blobs: BlobStore, key: str) -> int | None:
    try:
        return blobs.size(key)
    except ArtifactError:
        return None


def _find_damage(artifacts: ArtifactStore, asset: _AssetRow) -> str | None:
    """Return what is wrong with an asset's artifacts, all checksums compared; None if nothing is."""
    try:
        for _ in artifacts.read_checkpoints(artifacts.read_manifest(asset.asset_id, asset.version)):
            pass
    except ArtifactError as error:
        return str(error)
    return None
