"""Errors of generators that run behind a server."""

from __future__ import annotations

from indexer.errors import AfterimageError


class GeneratorUnavailable(AfterimageError, ConnectionError):
    """The model server cannot be reached, stalls, breaks off, or answers with an error."""
