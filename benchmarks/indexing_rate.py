"""Benchmark of indexing digital PDF files: pages a second, beside an earlier revision of this repository.

Both index the same files of the real documents with their default settings, one after the other, again and again, each
time into a new home, as `afterimage index` does. The earlier one runs in the same Python environment.

    python -m benchmarks.indexing_rate --before 7df89d2
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import pypdfium2

from benchmarks.real_documents.bed import Document, load_documents
from benchmarks.real_documents.fetch import add_cache_option, fill_archive
from benchmarks.report import Figure, make_parser, report

_ROOT = Path(__file__).parents[1]
_COMMAND = "import sys; from api.cli.entry import main; sys.exit(main())"
"""Form: what the command `afterimage` runs, which a revision that is not installed has not."""
_PAGES = 180
"""Chosen: two minutes of indexing."""
_TARGET = 1.5


def main() -> int:
    """Run the command line."""
    parser = make_parser(__doc__ or "")
    add_cache_option(parser)
    parser.add_argument("--before", required=True, metavar="REVISION", help="earlier revision that is compared with")
    parser.add_argument("--rounds", type=int, default=2, help="times that each indexes the files (default: 2)")
    args = parser.parse_args()
    cache = args.cache.expanduser()
    names = fill_archive(load_documents(), cache)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pages = _gather_files(cache / "archive", names, folder / "files")
        before = folder / "before"
        subprocess.run(["git", "worktree", "add", "--detach", str(before), args.before], cwd=_ROOT, check=True)
        try:
            seconds = _measure({"before": before, "now": _ROOT}, folder, args.rounds)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(before)], cwd=_ROOT, check=True)
    figures = [Figure(f"{name}: pages a second, of {pages}", pages / value) for name, value in seconds.items()]
    ratio = Figure("ratio", seconds["before"] / seconds["now"], "×", _TARGET)
    return report("indexing of digital PDF files", [*figures, ratio], args.check, args.json)


def _gather_files(archive: Path, names: dict[str, Document], folder: Path) -> int:
    """Copy digital PDF files, in the order of their names, until there are enough pages; return their number."""
    folder.mkdir()
    files = [archive / name for name, document in names.items() if document.medium not in ("scan", "photo")]
    total = 0
    for path in sorted(path for path in files if path.suffix == ".pdf"):
        if total < _PAGES:
            shutil.copy(path, folder)
            total += _count_pages(path)
    return total


def _count_pages(path: Path) -> int:
    document = pypdfium2.PdfDocument(path)
    try:
        return len(document)
    finally:
        document.close()


def _measure(sources: dict[str, Path], folder: Path, rounds: int) -> dict[str, float]:
    """Return the median seconds that each revision takes."""
    seconds: dict[str, list[float]] = {name: [] for name in sources}
    for number in range(rounds):
        for name, source in sources.items():
            home = folder / f"home-{name}-{number}"
            environment = os.environ | {"AFTERIMAGE_HOME": str(home), "PYTHONPATH": str(source)}
            command = [sys.executable, "-c", _COMMAND, "index", str(folder / "files")]
            started = time.perf_counter()
            subprocess.run(command, cwd=source, env=environment, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - started)
            print(f"{name}: {seconds[name][-1]:.0f} s", flush=True)
            shutil.rmtree(home)
    return {name: median(values) for name, values in seconds.items()}


if __name__ == "__main__":
    sys.exit(main())
