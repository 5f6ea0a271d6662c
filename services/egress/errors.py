"""Errors of outbound requests: a source that policy forbids, a remote host that cannot be reached."""

from __future__ import annotations

from indexer.errors import AfterimageError


class SourceForbidden(AfterimageError, PermissionError):
    """A path or a URL that the settings do not open."""


class RemoteUnavailable(AfterimageError, ConnectionError):
    """A URL cannot be reached, stalls, breaks off, or answers with an error."""
