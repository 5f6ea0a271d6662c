"""Errors of API keys and scopes."""

from __future__ import annotations

from indexer.errors import AfterimageError


class InvalidApiKey(AfterimageError, PermissionError):
    """A key that is not known, has expired or was revoked."""


class KeyNotFound(AfterimageError, LookupError):
    """No key of that id."""


class InsufficientScope(AfterimageError, PermissionError):
    """A key that is known, but may not do this."""
