"""`Repeats`: a request that is sent again, since its answer was lost, is answered as before and done once.

What a request makes is noted in the transaction that makes it (`made_before`): a server may be killed at any moment,
and who asks again is told of what was made, not given another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from services.database import schema
from services.database.clock import now
from services.database.engine import SqlDatabase
from services.database.errors import IdempotencyConflict

_TTL_S, _CLAIM_TIMEOUT_S = 24 * 3600.0, 15.0


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A request that has a name: `who` is its key's id or empty, `request` the SHA-256 of all that it says, in hex."""

    owner: str
    key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """What a request was answered with; the length is not among the headers."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class IdempotencyStore:
    """Answers are kept for a day. A request that made nothing and was not answered within a quarter of a minute may be
    sent again, since its server may have been killed; where it was only slow, both make one thing.

    Errors: also those of Database.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    def claim(self, key: IdempotencyKey) -> StoredResponse | None:
        """What it was answered with; None: it is to be answered now, and `finish` or `drop` is to be called.

        Errors: RepeatConflict where another request has that name, or it is being answered right now.
        """
        at, table = now(), schema.IdempotencyKeys
        with self._database.write() as connection:
            _delete_expired(connection)
            values = {"owner": key.owner, "key": key.key, "request_hash": key.request_hash, "claimed_at": at}
            new = self._database.insert(table).values(**values).on_conflict_do_nothing().returning(table.key)
            if connection.execute(new).first() is not None:
                return None
            row = connection.execute(select(table).where(_matches(key))).one()
        if row.request_hash != key.request_hash:
            raise IdempotencyConflict(f"another request was sent as {key.key!r} before")
        if row.status is not None:
            return StoredResponse(row.status, row.headers or {}, row.body or b"")
        if row.resource_id is None and row.claimed_at > at - _CLAIM_TIMEOUT_S:
            raise IdempotencyConflict(f"the request {key.key!r} is being answered")
        return None

    def purge_expired(self) -> None:
        """Forget what was asked more than a day ago."""
        with self._database.write() as connection:
            _delete_expired(connection)

    def store(self, key: IdempotencyKey, response: StoredResponse) -> None:
        """It is answered."""
        values = {"status": response.status, "headers": dict(response.headers), "body": response.body}
        with self._database.write() as connection:
            connection.execute(update(schema.IdempotencyKeys).where(_matches(key)).values(**values))

    def release(self, key: IdempotencyKey) -> None:
        """Its answer is not kept. Where it made nothing, it may be sent again as if for the first time."""
        table = schema.IdempotencyKeys
        with self._database.write() as connection:
            connection.execute(delete(table).where(_matches(key), table.resource_id.is_(None), table.status.is_(None)))


def claim_resource(database: SqlDatabase, connection: Connection, key: IdempotencyKey, resource_id: str) -> str | None:
    """The id of what a request made when it was sent before; None: nothing, and what it makes now is noted.

    To be called in the transaction that makes it. Of several who are at the same request the first to end theirs makes
    something, the others wait for it and are given its id.
    """
    table = schema.IdempotencyKeys
    values = {
        "owner": key.owner,
        "key": key.key,
        "request_hash": key.request_hash,
        "claimed_at": now(),
        "resource_id": resource_id,
    }
    statement = database.insert(table).values(**values)
    statement = statement.on_conflict_do_update(
        index_elements=[table.owner, table.key], set_={"resource_id": resource_id}, where=table.resource_id.is_(None)
    )
    if connection.execute(statement.returning(table.resource_id)).first() is not None:
        return None
    return str(connection.execute(select(table.resource_id).where(_matches(key))).scalar_one())


def _delete_expired(connection: Connection) -> None:
    connection.execute(delete(schema.IdempotencyKeys).where(schema.IdempotencyKeys.claimed_at < now() - _TTL_S))


def _matches(key: IdempotencyKey) -> ColumnElement[bool]:
    return and_(schema.IdempotencyKeys.owner == key.owner, schema.IdempotencyKeys.key == key.key)
