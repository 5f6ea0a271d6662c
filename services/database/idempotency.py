"""Idempotency-Key support: a retried request gets the stored response, and its effect happens once.

The id of what a request creates is recorded in the transaction that creates it (`claim_resource`), because a server may
be killed at any moment (decision 0066).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from services.database import schema
from services.database.clock import Clock, now
from services.database.engine import SqlDatabase
from services.database.errors import IdempotencyConflict

_TTL_S = 24 * 3600.0
"""Chosen: a client that was offline for a day may still retry; the table holds the responses of one day."""
_CLAIM_TIMEOUT_S = 15.0
"""Chosen: after this long without a response the first server counts as killed; longer delays honest retries."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """Idempotency key of a request.

    `owner` is the id of its API key (empty: none), `key` the client's header, `request_hash` the SHA-256 of the whole
    request in hex.
    """

    owner: str
    key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """HTTP response of a request; `headers` leave out the content length."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class IdempotencyStore:
    """Store of idempotency keys and responses, kept for a day.

    A request without a response for `_CLAIM_TIMEOUT_S` that created nothing may be processed again. If its first server
    was only slow, both create the same resource. Errors: also those of SqlDatabase.
    """

    def __init__(self, database: SqlDatabase, clock: Clock = now) -> None:
        self._database, self._clock = database, clock

    def claim(self, key: IdempotencyKey) -> StoredResponse | None:
        """Return the stored response; None: the caller processes the request, then calls `store` or `release`.

        Errors: IdempotencyConflict if the key belongs to another request, or its request is being processed.
        """
        at, table = self._clock(), schema.IdempotencyKeys
        with self._database.write() as connection:
            _delete_expired(connection, at)
            values = {"owner": key.owner, "key": key.key, "request_hash": key.request_hash, "claimed_at": at}
            new = self._database.insert(table).values(**values).on_conflict_do_nothing().returning(table.key)
            if connection.execute(new).first() is not None:
                return None
            row = connection.execute(select(table).where(_matches(key))).one()
        if row.request_hash != key.request_hash:
            raise IdempotencyConflict(f"another request was sent with the key {key.key!r} before")
        if row.status is not None:
            return StoredResponse(row.status, row.headers or {}, row.body or b"")
        if row.resource_id is None and row.claimed_at > at - _CLAIM_TIMEOUT_S:
            raise IdempotencyConflict(f"the request with the key {key.key!r} is being answered")
        return None

    def purge_expired(self) -> None:
        """Delete the keys that are older than a day."""
        with self._database.write() as connection:
            _delete_expired(connection, self._clock())

    def store(self, key: IdempotencyKey, response: StoredResponse) -> None:
        """Store the response of a claimed request."""
        values = {"status": response.status, "headers": dict(response.headers), "body": response.body}
        with self._database.write() as connection:
            connection.execute(update(schema.IdempotencyKeys).where(_matches(key)).values(**values))

    def release(self, key: IdempotencyKey) -> None:
        """Release a claimed request without a response; if it created nothing, a retry is processed as new."""
        table = schema.IdempotencyKeys
        with self._database.write() as connection:
            connection.execute(delete(table).where(_matches(key), table.resource_id.is_(None), table.status.is_(None)))


def claim_resource(
    database: SqlDatabase, connection: Connection, key: IdempotencyKey, resource_id: str, clock: Clock = now
) -> str | None:
    """Record the id of the resource that a request creates; return the earlier id if it created one before, else None.

    Called in the transaction that creates the resource. Of several transactions for one key the first to commit
    creates; the others wait for it and get its id.
    """
    table = schema.IdempotencyKeys
    values = {
        "owner": key.owner,
        "key": key.key,
        "request_hash": key.request_hash,
        "claimed_at": clock(),
        "resource_id": resource_id,
    }
    statement = database.insert(table).values(**values)
    statement = statement.on_conflict_do_update(
        index_elements=[table.owner, table.key], set_={"resource_id": resource_id}, where=table.resource_id.is_(None)
    )
    if connection.execute(statement.returning(table.resource_id)).first() is not None:
        return None
    return str(connection.execute(select(table.resource_id).where(_matches(key))).scalar_one())


def _delete_expired(connection: Connection, at: float) -> None:
    connection.execute(delete(schema.IdempotencyKeys).where(schema.IdempotencyKeys.claimed_at < at - _TTL_S))


def _matches(key: IdempotencyKey) -> ColumnElement[bool]:
    return and_(schema.IdempotencyKeys.owner == key.owner, schema.IdempotencyKeys.key == key.key)
