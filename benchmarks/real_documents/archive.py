"""The archive of the bed, indexed in a home of its own: what changed is indexed again, what went is erased."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from benchmarks.real_documents.bed import Document
from services.container import Container
from services.ingest.types import Outcome
from services.settings import load_settings

COLLECTION = "real-documents"
_FRESH = (Outcome.INDEXED, Outcome.UPDATED)


class IndexingTime(msgspec.Struct, frozen=True):
    """Time that indexing a file took."""

    pages: int
    seconds: float


def open_archive(archive: Path, documents: Mapping[str, Document], home: Path, profile: str | None) -> Container:
    """Index what an archive holds into a home; prints the files that fail; returns the services over it."""
    container = Container(load_settings(profile).model_copy(update={"home": home}))
    times, started_at = _load_times(home), time.monotonic()
    for report in container.indexing.index_paths([archive], COLLECTION):
        seconds, started_at = time.monotonic() - started_at, time.monotonic()
        if report.outcome in _FRESH and report.asset is not None:
            times[report.name] = IndexingTime(report.asset.pages or 1, seconds)
            print(f"{report.outcome} {report.name}, {report.asset.pages or 1} pages in {seconds:.1f} s", flush=True)
        elif report.outcome in (Outcome.FAILED, Outcome.SKIPPED):
            print(f"{report.outcome} {report.name}: {report.reason}", file=sys.stderr)
    for gone in container.missing_sources.prune(container.missing_sources.find([COLLECTION])):
        print(f"erased {gone.source.name}")
    _save_times(home, {name: spent for name, spent in times.items() if name in documents})
    return container


def measure_pages_per_second(home: Path) -> float:
    """Return the pages a second at which the files of the home were indexed, in whatever runs that was."""
    times = _load_times(home).values()
    return sum(spent.pages for spent in times) / max(1e-9, sum(spent.seconds for spent in times))


def _load_times(home: Path) -> dict[str, IndexingTime]:
    path = home / "indexing_times.json"
    return msgspec.json.decode(path.read_bytes(), type=dict[str, IndexingTime]) if path.exists() else {}


def _save_times(home: Path, times: Mapping[str, IndexingTime]) -> None:
    (home / "indexing_times.json").write_bytes(msgspec.json.encode(times))
