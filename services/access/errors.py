"""Errors of API keys and scopes."""

from __future__ import annotations

from indexer.errors import AfterimageError


class InvalidApiKey(AfterimageError, PermissionError):
    """An API key is unknown, expired or revoked."""


class InvalidMediaUrl(AfterimageError, PermissionError):
    """The signature of a media URL is not of this asset, was altered, or has expired."""


class KeyNotFound(AfterimageError, LookupError):
    """No API key has this id."""


class InsufficientScope(AfterimageError, PermissionError):
    """A valid API key lacks the scope of the request."""
