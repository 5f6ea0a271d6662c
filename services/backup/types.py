"""Backup values: what a backup holds, and the reports of making one and of restoring it."""

from __future__ import annotations

from dataclasses import dataclass

FORMAT = 1
"""Form: number of the layout of a backup folder; a change of the layout raises it."""
CONTENTS_FILE, TABLES_FOLDER, BLOBS_FOLDER = "backup.json", "tables", "blobs"


@dataclass(frozen=True, slots=True)
class BackupContents:
    """`backup.json`, written last: a folder that has it is complete.

    `revision` is that of the database, `rows` counts those of each table, `blobs` the files and `bytes` their size.
    `created_at` is a Unix time in seconds. `damaged` names assets that were damaged in the archive already.
    """

    format: int
    revision: str
    created_at: float
    rows: dict[str, int]
    assets: int
    blobs: int
    bytes: int
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """The result of a restoration: what the index holds now, assets that are damaged, and jobs that go on."""

    assets: int
    segments: int
    damaged_assets: tuple[str, ...]
    unfinished_jobs: int
