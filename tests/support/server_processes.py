"""`afterimage serve` and `afterimage worker` as processes of their own, for benchmarks and tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import httpx2

from services.container import Container
from services.settings import load_settings
from tests.support.database_servers import find_free_port

_POLL_INTERVAL_S = 0.05
_STOP_TIMEOUT_S = 240.0
"""Chosen: a process that does not stop is broken, on a loaded machine too."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A running server: its URL and its process."""

    url: str
    pid: int

    def reset_peak(self) -> None:
        """Reset its peak of resident memory (Linux)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def memory_mb(self, field: str = "VmRSS") -> float:
        """Return resident memory in MB: now (`VmRSS`), or the peak (`VmHWM`)."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def start_afterimage(home: Path, log: Path, settings: Mapping[str, str], *command: str) -> subprocess.Popen[bytes]:
    """Start `afterimage COMMAND` over a home, in profile `demo`; its output is appended to `log`.

    It ends with the thread that started it.
    """
    run = ["setpriv", "--pdeathsig=KILL", "--", sys.executable, "-m", "api.cli", *command]
    with log.open("ab") as log_file:
        return subprocess.Popen(
            run, env=os.environ | _make_environment(home, settings), stdout=log_file, stderr=log_file
        )


def wait_until_ready(server: subprocess.Popen[bytes], port: int) -> None:
    """Wait until a server is ready. Errors: RuntimeError where it ends before."""
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
        while server.poll() is None:
            try:
                if client.get("/readyz").status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            time.sleep(_POLL_INTERVAL_S)
    raise RuntimeError(f"the server has ended ({server.returncode}) before it was ready")


@contextmanager
def run_server(home: Path, log: Path, settings: Mapping[str, str]) -> Iterator[RunningServer]:
    """Run a server over a home, once it is ready; it is stopped afterwards."""
    port = find_free_port()
    with _terminate_after(start_afterimage(home, log, settings, "serve", "--port", str(port))) as process:
        wait_until_ready(process, port)
        yield RunningServer(f"http://127.0.0.1:{port}", process.pid)


@contextmanager
def run_worker(home: Path, log: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """Run a worker; it is stopped afterwards."""
    with _terminate_after(start_afterimage(home, log, settings, "worker")):
        yield


def open_container(home: Path, settings: Mapping[str, str]) -> Container:
    """Open the services over a home in this process, in profile `demo` with these settings."""
    with patch.dict(os.environ, _make_environment(home, settings)):
        return Container(load_settings("demo"))


def _make_environment(home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    named = {f"AFTERIMAGE_{name.upper()}": value for name, value in settings.items()}
    return {"AFTERIMAGE_PROFILE": "demo", "AFTERIMAGE_HOME": str(home)} | named


@contextmanager
def _terminate_after(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_TIMEOUT_S)
