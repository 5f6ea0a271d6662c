"""Errors of generators that run behind a server."""

from __future__ import annotations

from indexer.errors import AfterimageError


class GeneratorUnavailable(AfterimageError, ConnectionError):
    """A server that should answer cannot be reached, stalls, or breaks off."""
