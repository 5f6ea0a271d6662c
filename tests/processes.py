"""Commands of Afterimage as processes of their own, for tests that stop and kill them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

_PAUSE_S = 0.05


def started(home: Path, log: Path, *command: str, **settings: str) -> subprocess.Popen[bytes]:
    """`afterimage COMMAND` over a home, in profile `demo`; what it says is added to `log`.

    It ends with the thread that started it.
    """
    named = {f"AFTERIMAGE_{name.upper()}": value for name, value in settings.items()}
    environment = os.environ | {"AFTERIMAGE_PROFILE": "demo", "AFTERIMAGE_HOME": str(home)} | named
    run = ["setpriv", "--pdeathsig=KILL", "--", sys.executable, "-m", "api.cli", *command]
    with log.open("ab") as said:
        return subprocess.Popen(run, env=environment, stdout=said, stderr=said)


def wait_until_ready(server: subprocess.Popen[bytes], port: int) -> None:
    """Until a server answers that it is ready. Errors: RuntimeError where it ends before."""
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
        while server.poll() is None:
            try:
                if client.get("/readyz").status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            time.sleep(_PAUSE_S)
    raise RuntimeError(f"the server has ended ({server.returncode}) before it was ready")


@contextmanager
def served(home: Path, log: Path, port: int, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server over a home, once it is ready; it is killed afterwards."""
    server = started(home, log, "serve", "--port", str(port), **settings)
    try:
        wait_until_ready(server, port)
        yield server
    finally:
        server.kill()
        server.wait()
