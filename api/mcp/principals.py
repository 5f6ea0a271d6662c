"""Who calls a tool: the person at this machine, over pipes, or whoever holds a key, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from api.http.problems import to_problem
from indexer.errors import AfterimageError
from services.access.permissions import FULL_ACCESS, Permissions


@dataclass(frozen=True, slots=True)
class Principal:
    """What somebody may see, and the id of the request in the log; None: the log is what they look at."""

    permissions: Permissions
    request_id: str | None

    def public_message(self, error: AfterimageError) -> str:
        """What is told of an error: all of it, or what the HTTP API tells."""
        return str(error) if self.request_id is None else to_problem(error, self.request_id).detail


ResolvePrincipal = Callable[[Request | None], Principal]
"""Tells who calls, by the request that the call came with; None: it came over a pipe."""


def resolve_local_user(request: Request | None) -> Principal:
    """Whoever runs the command sees all, as on the command line."""
    if request is not None:
        raise PermissionError("what comes over HTTP does not come from the local user")
    return Principal(FULL_ACCESS, None)
