"""Build what keeps collections in step with folders."""

from __future__ import annotations

from functools import partial

from services.ingest.indexing import Indexing
from services.ingest.missing_sources import MissingSources
from services.ingest.watching.background import FolderWatcher
from services.ingest.watching.types import WatchedFolder
from services.ingest.watching.watching import Watching, WatchingTimes
from services.search.calibration import Calibration
from services.settings import IngestSettings


def make_watching(
    settings: IngestSettings,
    indexing: Indexing,
    missing: MissingSources,
    calibration: Calibration,
    poll_interval_s: float,
    prune: bool,
) -> Watching:
    """Make a watch. `poll_interval_s`: seconds between two looks at all files; 0: the system tells what changes."""
    from services.ingest.watching.watchdog_observer import WatchdogObserver

    make_observer, times = partial(WatchdogObserver, poll_interval_s), WatchingTimes(quiet_s=settings.watch_quiet_s)
    return Watching(indexing, missing, calibration, make_observer, prune=prune, times=times)


def make_folder_watcher(settings: IngestSettings, watching: Watching) -> FolderWatcher:
    """Make the thread that watches the folders of the settings."""
    folders = [WatchedFolder(collection, path) for collection, paths in settings.watch.items() for path in paths]
    return FolderWatcher(folders, watching)
