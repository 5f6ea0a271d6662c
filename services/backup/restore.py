"""Restore: bring a backup back into an empty archive, of the same or another kind of database, blob store and index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from indexer.errors import ArtifactError
from indexer.ports import BlobStore
from indexer.storage.folder_blobs import FolderBlobs
from services.backup.types import BLOBS_FOLDER, CONTENTS_FILE, FORMAT, TABLES_FOLDER, BackupContents, RestoreReport
from services.database.dump import load_tables, raise_unless_empty
from services.database.engine import SqlDatabase
from services.ingest.reindexing import Reindexing


class Restore:
    """Restores backups. The index is not part of one: it is rebuilt from artifacts, and nothing is encoded again."""

    def __init__(
        self,
        database: SqlDatabase,
        blobs: BlobStore,
        reindexing: Callable[[], Reindexing],
        unfinished: Callable[[], int],
    ) -> None:
        self._database, self._blobs = database, blobs
        self._reindexing, self._count_unfinished_jobs = reindexing, unfinished

    def read(self, folder: Path, progress: Callable[[str, float, float | None], None]) -> RestoreReport:
        """Restore a backup into this archive, which must be empty.

        A run that is cut off leaves an empty archive, and the same call goes on; one cut off while the index is rebuilt
        leaves one that `reindex` completes. `progress(step, done, total)` counts files, then assets. Errors:
        ArtifactError where the folder is no whole backup, InvalidInput where the archive is not empty, StorageFull;
        ModelError where the models of the settings are missing: then all but the index is restored.
        """
        contents = read_contents(folder)
        raise_unless_empty(self._database)
        source = FolderBlobs(folder / BLOBS_FOLDER)
        keys = _list_all(source, contents, folder)
        for number, key in enumerate(keys, 1):
            with source.local_file(key) as path:
                self._blobs.put_file(key, path)
            progress("restore", number, len(keys))
        load_tables(self._database, contents.revision, folder / TABLES_FOLDER)
        report = self._reindexing().reindex(progress)
        return RestoreReport(report.assets, report.segments, report.damaged_assets, self._count_unfinished_jobs())


def _list_all(source: FolderBlobs, contents: BackupContents, folder: Path) -> list[str]:
    keys = list(source.list_keys(""))
    size = sum(source.size(key) for key in keys)
    if len(keys) != contents.blobs or size != contents.bytes:
        counted = f"{contents.blobs} files of {contents.bytes} bytes"
        raise ArtifactError(
            f"{folder}: is not whole: {len(keys)} files of {size} bytes, {CONTENTS_FILE} counts {counted}"
        )
    return keys


def read_contents(folder: Path) -> BackupContents:
    """Read what a backup holds. Errors: ArtifactError where the folder is no backup, or one that was cut off."""
    path = folder / CONTENTS_FILE
    try:
        contents = msgspec.json.decode(path.read_bytes(), type=BackupContents)
    except OSError as error:
        raise ArtifactError(f"{folder}: is no backup, or one that was cut off (no {CONTENTS_FILE})") from error
    except msgspec.MsgspecError as error:
        raise ArtifactError(f"{path}: damaged ({error})") from error
    if contents.format != FORMAT:
        raise ArtifactError(f"{folder}: has format {contents.format}; this version reads {FORMAT}")
    return contents
