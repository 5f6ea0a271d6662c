"""Who calls a tool: the person at this machine, over pipes, or whoever holds a key, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from api.problems import problem_of
from indexer.errors import AfterimageError
from services.rights import EVERYTHING, Rights


@dataclass(frozen=True, slots=True)
class Caller:
    """What somebody may see, and the id of the request in the log; None: the log is what they look at."""

    rights: Rights
    request_id: str | None

    def words(self, error: AfterimageError) -> str:
        """What is told of an error: all of it, or what the HTTP API tells."""
        return str(error) if self.request_id is None else problem_of(error, self.request_id).detail


Who = Callable[[Request | None], Caller]
"""Tells who calls, by the request that the call came with; None: it came over a pipe."""


def local_user(request: Request | None) -> Caller:
    """Whoever runs the command sees all, as on the command line."""
    if request is not None:
        raise PermissionError("what comes over HTTP does not come from the local user")
    return Caller(EVERYTHING, None)
