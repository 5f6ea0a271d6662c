"""Errors of outbound requests: a source that the policy forbids, a remote host that fails."""

from __future__ import annotations

from indexer.errors import AfterimageError


class SourceForbidden(AfterimageError, PermissionError):
    """The settings do not allow this path or URL."""


class RemoteUnavailable(AfterimageError, ConnectionError):
    """A remote host cannot be reached, stalls, breaks off, or answers with an error."""
