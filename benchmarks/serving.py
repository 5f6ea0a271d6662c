"""`afterimage serve` and `afterimage worker` as processes of their own, for benchmarks."""

from __future__ import annotations

import os
import signal
import socket
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

_READY_S, _END_S, _MB = 180.0, 60.0, 1 << 20


@dataclass(frozen=True, slots=True)
class Running:
    """A server: its address and its process."""

    url: str
    pid: int

    def forget_peak(self) -> None:
        """Begin to measure the most memory it holds anew (Linux)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def memory_mb(self, what: str = "VmRSS") -> float:
        """Resident memory in MB: now (`VmRSS`), or at most (`VmHWM`)."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) / 1024


@contextmanager
def serving(home: Path, log: Path, settings: Mapping[str, str]) -> Iterator[Running]:
    """A server over a home, once it is ready; told to stop afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with _process(home, log, settings, "serve", "--port", str(port)) as process:
        running = Running(f"http://127.0.0.1:{port}", process.pid)
        _await_ready(running, process)
        yield running


@contextmanager
def working(home: Path, log: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """A worker; told to stop afterwards."""
    with _process(home, log, settings, "worker"):
        yield


def container(home: Path, settings: Mapping[str, str]) -> Container:
    """The services of this process over a home, with the demo profile and what is set besides."""
    with patch.dict(os.environ, _named(home, settings)):
        return Container(load_settings("demo"))


def _named(home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    named = {f"AFTERIMAGE_{name.upper()}": value for name, value in settings.items()}
    return {"AFTERIMAGE_PROFILE": "demo", "AFTERIMAGE_HOME": str(home)} | named


@contextmanager
def _process(home: Path, log: Path, settings: Mapping[str, str], *command: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | _named(home, settings)
    with log.open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", *command], env=environment, stdout=said, stderr=said
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_END_S)


def _await_ready(running: Running, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_S
    with httpx2.Client() as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if client.get(f"{running.url}/readyz").status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            time.sleep(0.1)
    raise RuntimeError("the server does not start")
