"""`afterimage serve` as a process of its own: how it starts, how it ends, and what outlives it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx2
import pytest
from plain import HARBOUR, PLAIN, copied, make_document, plain_container
from running import Cli

from api.client import Client
from api.job_shapes import JobShape
from services.keys import Scope


@contextmanager
def served(home: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], list[dict[str, object]]]]:
    """A server over a home, once it answers, and the lines of its log."""
    settings = {"home": str(home), "profile": "demo", "jobs__lease_s": "3", "jobs__sweep_s": "0.5"} | PLAIN
    environment = os.environ | {f"AFTERIMAGE_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "api.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines: list[dict[str, object]] = []
    reading = Thread(target=lambda: lines.extend(json.loads(line) for line in process.stderr if line[:1] == "{"))
    reading.start()
    try:
        with httpx2.Client() as client:
            while process.poll() is None:
                try:
                    if client.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                        break
                except httpx2.TransportError:
                    continue
        yield process, lines
    finally:
        process.kill()
        process.wait()
        reading.join()
        process.stderr.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.mark.slow
def test_a_server_ends_what_it_began_when_it_is_told_to_stop(plain_home: Path, tmp_path: Path) -> None:
    port = free_port()
    with served(copied(plain_home, tmp_path / "home"), port) as (process, lines):
        assert httpx2.get(f"http://127.0.0.1:{port}/v1/collections").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) in (0, -signal.SIGTERM)
    asked = [line for line in lines if line.get("path") == "/v1/collections"]
    assert [line["status"] for line in asked] == [200] and asked[0]["request"]


@pytest.mark.slow
def test_a_job_and_who_follows_it_outlive_a_server_that_is_killed(plain_home: Path, tmp_path: Path) -> None:
    home, port = copied(plain_home, tmp_path / "home"), free_port()
    make_document(tmp_path / "long.pdf", *(f"The {number}th lantern is lit." for number in range(60)))
    happened: list[object] = []
    with Client(f"http://127.0.0.1:{port}", patience_s=240) as archive:
        with served(home, port):
            job = archive.upload(tmp_path / "long.pdf", HARBOUR)
            following = Thread(target=lambda: happened.extend(archive.follow(job.id)))
            following.start()
        with served(home, port):
            following.join(240)
            end = happened[-1]
            assert isinstance(end, JobShape) and (end.id, end.state) == (job.id, "done")
            numbers = [event.number for event in happened[:-1]]
            assert numbers == sorted(set(numbers))
            assert [one.name for one in archive.assets(HARBOUR).items].count("long.pdf") == 1


def test_a_server_that_others_can_reach_needs_keys(cli: Cli, plain_home: Path) -> None:
    said = cli(plain_home, "serve", "--host", "0.0.0.0", **PLAIN)
    assert said.code == 1 and "`afterimage keys create` makes one" in said.err


def test_once_there_is_a_key_each_request_needs_one(plain_home: Path, tmp_path: Path) -> None:
    container = plain_container(copied(plain_home, tmp_path / "home"))
    assert not container.keys.usable()
    key, _ = container.keys.create("a", {Scope.READ})
    assert container.keys.usable()
    container.keys.revoke(key.id)
    assert not container.keys.usable()
    container.close()
