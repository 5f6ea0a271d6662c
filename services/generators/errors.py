"""Errors of generators that run behind a server."""

from __future__ import annotations

from indexer.errors import AfterimageError


class GeneratorUnavailable(AfterimageError, ConnectionError):
    """The model server cannot be reached, stalls, breaks off, or answers with an error."""


class RequestRejected(GeneratorUnavailable):
    """The model server is well but refuses the request as it is: it is too large, or its model is not there."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
