"""Real servers, on free ports of the loopback, in folders of their own; they end with whoever started them."""

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

_START_TIMEOUT_S = 60.0
_database_numbers = count()
_AnyServer = TypeVar("_AnyServer", bound="ServerProcess")


@dataclass
class ServerProcess:
    """A server that can be stopped, killed, and started again on the same port with what it had stored.

    `user` is who runs it (None: whoever runs the tests), `stopping` the signal on which it ends in order, and `answers`
    tells whether it is ready.
    """

    command: list[str]
    port: int
    folder: Path
    is_ready: Callable[[], bool]
    user: str | None = None
    stop_signal: int = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(_run_as(self.user, self.command), stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.command[0]} does not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it in order: its clients are cut off, what it stored is kept."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End it at once."""
        self._end(signal.SIGKILL)

    @contextmanager
    def simulate_outage(self) -> Iterator[None]:
        """It is stopped, and back afterwards."""
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
    """A PostgreSQL server. It sorts text as people do, and not by code, as many do."""

    def database_url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://afterimage@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run a statement that stands outside of transactions."""
        with psycopg.connect(self.database_url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextmanager
    def create_database(self) -> Iterator[str]:
        """The address of a new, empty database, which is dropped afterwards."""
        name = f"test_{next(_database_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        yield self.database_url(name)
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")


class RedisServer(ServerProcess):
    """A redis-server; it keeps what it is told on disk, so that a restart loses nothing."""

    @property
    def url(self) -> str:
        """The address of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def flush(self) -> None:
        """Forget all that it holds."""
        with Client.from_url(self.url) as client:
            client.flushall()


@contextmanager
def start_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server with an empty cluster; one that refuses to run as root runs as Debian's user for it."""
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
    """A redis-server with nothing in it."""
    binary = shutil.which("redis-server")
    if binary is None:
        raise RuntimeError("there is no redis-server here; apt-get install redis-server brings it")
    with _make_folder(None) as folder:
        port = find_free_port()
        run = [binary, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
        run += ["--appendonly", "yes", "--appendfsync", "always"]
        yield from _run_server(server := RedisServer(run, port, folder, lambda: _is_redis_ready(server.port)))


def find_free_port() -> int:
    """A port of the loopback that nothing listens at."""
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
    """A folder that its owner can reach; pytest's own belong to whoever runs the tests alone."""
    folder = Path(tempfile.mkdtemp(prefix="afterimage-server-"))
    try:
        if owner is not None:
            shutil.chown(folder, owner)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_as(user: str | None, command: list[str]) -> list[str]:
    """The command, run by that user, and ended by the kernel where the test run is killed."""
    rights = [] if user is None else [f"--reuid={user}", f"--regid={user}", "--init-groups"]
    return ["setpriv", "--pdeathsig=INT", *rights, "--", *command]
