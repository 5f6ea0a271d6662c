"""Errors of resumable uploads."""

from __future__ import annotations

from indexer.errors import AfterimageError


class UploadNotFound(AfterimageError, LookupError):
    """No upload of that id, or it has expired."""


class UploadConflict(AfterimageError, RuntimeError):
    """Bytes that do not go on where an upload is, or that another request is sending."""
