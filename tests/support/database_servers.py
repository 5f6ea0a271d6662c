"""Real database servers on free ports of the loopback, in folders of their own; they end with their starter."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

import psycopg
from redis import Redis as Client

_START_TIMEOUT_S = 240.0
"""Chosen: a server that does not start is broken, on a loaded machine too."""
_database_numbers = count()
_AnyServer = TypeVar("_AnyServer", bound="ServerProcess")


@dataclass
class ServerProcess:
    """Server process that can be stopped, killed, and started again on its port with its data.

    `user` is its account (None: that of the tests), `stop_signal` ends it in order, and `is_ready` tells whether it
    answers.
    """

    command: list[str]
    port: int
    folder: Path
    is_ready: Callable[[], bool]
    user: str | None = None
    stop_signal: int = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(_run_as(self.user, self.command), stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.command[0]} does not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server in order: its clients are cut off, what it stored is kept."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """Kill the server."""
        self._end(signal.SIGKILL)

    @contextmanager
    def simulate_outage(self) -> Iterator[None]:
        """Stop the server for the time of the context."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def _end(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(_START_TIMEOUT_S)


class PostgresServer(ServerProcess):
    """PostgreSQL server that sorts text by the rules of a language, and not by code, as many do."""

    def database_url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://afterimage@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run a statement outside of transactions."""
        with psycopg.connect(self.database_url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextmanager
    def create_database(self) -> Iterator[str]:
        """Create an empty database and give its URL; it is dropped afterwards."""
        name = f"test_{next(_database_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        yield self.database_url(name)
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")


class RedisServer(ServerProcess):
    """Redis server that writes every change to disk, so that a restart loses nothing."""

    @property
    def url(self) -> str:
        """URL of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def flush(self) -> None:
        """Delete all data."""
        with Client.from_url(self.url) as client:
            client.flushall()


@contextmanager
def start_postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server with an empty cluster; as Debian's user for it where the tests run as root."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if binaries is None:
        raise RuntimeError("there is no PostgreSQL here; apt-get install postgresql brings it")
    user = "postgres" if os.geteuid() == 0 else None
    with _make_folder(user) as folder:
        port, data = find_free_port(), str(folder / "data")
        make = [str(binaries / "initdb"), "-D", data, "-U", "afterimage", "-A", "trust", "-E", "UTF8", "--no-sync"]
        make += ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        subprocess.run(_run_as(user, make), check=True, stdout=subprocess.DEVNULL, cwd=folder)
        run = [str(binaries / "postgres"), "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", ""]
        run += ["-c", "fsync=off", "-c", "shared_buffers=32MB"]
        server = PostgresServer(run, port, folder, lambda: _is_postgres_ready(server), user, signal.SIGINT)
        yield from _run_server(server)


@contextmanager
def start_redis() -> Iterator[RedisServer]:
    """Run an empty redis-server."""
    binary = shutil.which("redis-server")
    if binary is None:
        raise RuntimeError("there is no redis-server here; apt-get install redis-server brings it")
    with _make_folder(None) as folder:
        port = find_free_port()
        run = [binary, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
        run += ["--appendonly", "yes", "--appendfsync", "always"]
        yield from _run_server(server := RedisServer(run, port, folder, lambda: _is_redis_ready(server.port)))


def find_free_port() -> int:
    """Return a port of the loopback that nothing listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _run_server(server: _AnyServer) -> Iterator[_AnyServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _is_postgres_ready(server: PostgresServer) -> bool:
    try:
        server.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _is_redis_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


@contextmanager
def _make_folder(owner: str | None) -> Iterator[Path]:
    """Make a temporary folder of another user; pytest's own can be read by the user of the tests alone."""
    folder = Path(tempfile.mkdtemp(prefix="afterimage-server-"))
    try:
        if owner is not None:
            shutil.chown(folder, owner)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_as(user: str | None, command: list[str]) -> list[str]:
    """Return the command run as a user, and ended by the kernel where the test run is killed."""
    rights = [] if user is None else [f"--reuid={user}", f"--regid={user}", "--init-groups"]
    return ["setpriv", "--pdeathsig=INT", *rights, "--", *command]
