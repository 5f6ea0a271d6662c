"""Errors of resumable uploads."""

from __future__ import annotations

from indexer.errors import AfterimageError


class UploadNotFound(AfterimageError, LookupError):
    """No upload of that id, or it has expired."""


class UploadConflict(AfterimageError, RuntimeError):
    """Bytes at another offset than the upload has reached, or while another request is writing."""
