"""Benchmark of start-up: how long commands and the server take from a shell, as ratios to `python -c "import torch"`.

Each is started several times in turn, and medians are compared. Measured are `afterimage --help`; `afterimage search`
by keywords alone, and with each of the packaged sentence encoders; and `afterimage serve` until it answers (`/livez`)
and until it is ready (`/readyz`). The archive is one document.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from statistics import median

import httpx2

from benchmarks.report import Figure, make_parser, report
from tests.support.containers import open_container
from tests.support.database_servers import find_free_port
from tests.support.server_processes import start_afterimage
from tests.support.small_archive import ROPE_QUERY, ROPE_SENTENCE, WITHOUT_MODELS, make_document

_POLL_INTERVAL_S = 0.02
"""Chosen: finer than any difference that matters; each poll costs the starting server a little."""
_START_TIMEOUT_S = 600.0
"""Chosen: a server that does not start is broken, on a loaded machine too."""
_TARGETS_S = {
    "search, no model": 3.0,
    "search, MiniLM": 6.0,
    "search, multilingual-e5-small": 6.0,
    "serve, live": 5.0,
    "serve, ready": 20.0,
}
"""Source: the aims for two idle cores, in seconds; reported, and compared only on a machine where nothing else runs."""


def main() -> int:
    """Run the command line."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--rounds", type=int, default=5, help="starts of each (default: 5)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds = measure(Path(folder), args.rounds)
    torch_s = seconds["import torch"]
    figures = [Figure("import torch", torch_s, "s")]
    for name, value in seconds.items():
        if name != "import torch":
            figures += [
                Figure(name, value, "s", _TARGETS_S.get(name), at_least=False),
                Figure(f"{name}, ratio to import torch", value / torch_s),
            ]
    return report("start-up", figures, args.check, args.json)


def measure(folder: Path, rounds: int) -> dict[str, float]:
    """Return the median seconds of each kind of start; the first round, which fills caches, is left out."""
    without = WITHOUT_MODELS
    with_encoder = {name: value for name, value in without.items() if name != "text__model"}
    with_e5 = without | {"text__model": "multilingual-e5-small"}
    homes = {
        "none": _make_home(folder / "none", without),
        "text": _make_home(folder / "text", with_encoder),
        "e5": _make_home(folder / "e5", with_e5),
    }
    starts: dict[str, Callable[[], dict[str, float]]] = {
        "import torch": lambda: _time_process("import torch", [sys.executable, "-c", "import torch"]),
        "--help": lambda: _time_command("--help", homes["none"], without, "--help"),
        "search, no model": lambda: _time_command("search, no model", homes["none"], without, "search", ROPE_QUERY),
        "search, MiniLM": lambda: _time_command("search, MiniLM", homes["text"], with_encoder, "search", ROPE_QUERY),
        "search, multilingual-e5-small": lambda: _time_command(
            "search, multilingual-e5-small", homes["e5"], with_e5, "search", ROPE_QUERY
        ),
        "serve": lambda: _time_server(homes["text"], with_encoder, folder / "serve.log"),
    }
    samples: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for start in starts.values():
            for name, seconds in start().items():
                samples.setdefault(name, []).extend([seconds] if number else [])
    return {name: median(values) for name, values in samples.items()}


def _make_home(home: Path, settings: Mapping[str, str]) -> Path:
    home.mkdir(parents=True)
    make_document(home / "prices.pdf", "A list of prices.", ROPE_SENTENCE)
    with closing(open_container(home / "home", **settings)) as container:
        (line,) = container.indexing.index_paths([home / "prices.pdf"], "default")
        assert line.asset is not None, line.reason
    return home / "home"


def _time_command(name: str, home: Path, settings: Mapping[str, str], *command: str) -> dict[str, float]:
    started = time.monotonic()
    process = start_afterimage(home, home.parent / "command.log", settings, *command)
    if process.wait() != 0:
        raise RuntimeError(f"afterimage {' '.join(command)} failed: see {home.parent / 'command.log'}")
    return {name: time.monotonic() - started}


def _time_process(name: str, command: list[str]) -> dict[str, float]:
    started = time.monotonic()
    subprocess.run(command, check=True, env=os.environ)
    return {name: time.monotonic() - started}


def _time_server(home: Path, settings: Mapping[str, str], log: Path) -> dict[str, float]:
    """Start a server; return the seconds until `/livez` and until `/readyz` answer 200."""
    port, started, times = find_free_port(), time.monotonic(), {}
    process = start_afterimage(home, log, settings, "serve", "--port", str(port))
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
            for name, path in (("serve, live", "/livez"), ("serve, ready", "/readyz")):
                while not _answers(client, path):
                    if process.poll() is not None or time.monotonic() - started > _START_TIMEOUT_S:
                        raise RuntimeError(f"the server did not start: see {log}")
                    time.sleep(_POLL_INTERVAL_S)
                times[name] = time.monotonic() - started
    finally:
        process.terminate()
        process.wait()
    return times


def _answers(client: httpx2.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx2.TransportError:
        return False


if __name__ == "__main__":
    sys.exit(main())
