"""An address at which nobody answers, for as long as a test needs it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def refuse_connections() -> Iterator[str]:
    """Hold a port of the loopback, bound and not listening; gives its `host:port`, which no server gets meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"
