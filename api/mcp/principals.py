"""Principals of tool calls: the local user, over pipes, or the holder of an API key, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from api.http.problems import to_problem
from indexer.errors import AfterimageError
from services.access.permissions import FULL_ACCESS, Permissions


@dataclass(frozen=True, slots=True)
class Principal:
    """Caller of a tool: permissions, and the id of the request in the log (None for the local user)."""

    permissions: Permissions
    request_id: str | None

    def public_message(self, error: AfterimageError) -> str:
        """Return what the caller may read of an error: all of it locally, over HTTP what the HTTP API discloses."""
        return str(error) if self.request_id is None else to_problem(error, self.request_id).detail


ResolvePrincipal = Callable[[Request | None], Principal]
"""Determines the caller by the HTTP request of a call; None: the call came over a pipe."""


def resolve_local_user(request: Request | None) -> Principal:
    """Return the local user, who has full access as on the command line. Errors: PermissionError over HTTP."""
    if request is not None:
        raise PermissionError("a call over HTTP has no local user")
    return Principal(FULL_ACCESS, None)
