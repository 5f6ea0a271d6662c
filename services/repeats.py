"""`Repeats`: a request that is sent again, since its answer was lost, is answered as before and done once.

What a request makes is noted in the transaction that makes it (`made_before`): a server may be killed at any moment,
and who asks again is told of what was made, not given another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from indexer.errors import RepeatConflict
from services import tables
from services.catalog import now
from services.database import Database

_KEPT_S, _GIVEN_UP_S = 24 * 3600.0, 15.0


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request that has a name: `who` is its key's id or empty, `request` the SHA-256 of all that it says, in hex."""

    who: str
    name: str
    request: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What a request was answered with; the length is not among the headers."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Repeats:
    """Answers are kept for a day. A request that made nothing and was not answered within a quarter of a minute may be
    sent again, since its server may have been killed; where it was only slow, both make one thing.

    Errors: also those of Database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, named: Repeatable) -> Answered | None:
        """What it was answered with; None: it is to be answered now, and `finish` or `drop` is to be called.

        Errors: RepeatConflict where another request has that name, or it is being answered right now.
        """
        at, table = now(), tables.Repeats
        with self._database.begin() as connection:
            _forget_old(connection)
            values = {"who": named.who, "name": named.name, "request": named.request, "at": at}
            new = self._database.insert(table).values(**values).on_conflict_do_nothing().returning(table.name)
            if connection.execute(new).first() is not None:
                return None
            row = connection.execute(select(table).where(_is(named))).one()
        if row.request != named.request:
            raise RepeatConflict(f"another request was sent as {named.name!r} before")
        if row.status is not None:
            return Answered(row.status, row.headers or {}, row.body or b"")
        if row.made is None and row.at > at - _GIVEN_UP_S:
            raise RepeatConflict(f"the request {named.name!r} is being answered")
        return None

    def clear(self) -> None:
        """Forget what was asked more than a day ago."""
        with self._database.begin() as connection:
            _forget_old(connection)

    def finish(self, named: Repeatable, answer: Answered) -> None:
        """It is answered."""
        values = {"status": answer.status, "headers": dict(answer.headers), "body": answer.body}
        with self._database.begin() as connection:
            connection.execute(update(tables.Repeats).where(_is(named)).values(**values))

    def drop(self, named: Repeatable) -> None:
        """Its answer is not kept. Where it made nothing, it may be sent again as if for the first time."""
        table = tables.Repeats
        with self._database.begin() as connection:
            connection.execute(delete(table).where(_is(named), table.made.is_(None), table.status.is_(None)))


def made_before(database: Database, connection: Connection, named: Repeatable, made: str) -> str | None:
    """The id of what a request made when it was sent before; None: nothing, and what it makes now is noted.

    To be called in the transaction that makes it. Of several who are at the same request the first to end theirs makes
    something, the others wait for it and are given its id.
    """
    table = tables.Repeats
    values = {"who": named.who, "name": named.name, "request": named.request, "at": now(), "made": made}
    note = database.insert(table).values(**values)
    note = note.on_conflict_do_update(
        index_elements=[table.who, table.name], set_={"made": made}, where=table.made.is_(None)
    )
    if connection.execute(note.returning(table.made)).first() is not None:
        return None
    return str(connection.execute(select(table.made).where(_is(named))).scalar_one())


def _forget_old(connection: Connection) -> None:
    connection.execute(delete(tables.Repeats).where(tables.Repeats.at < now() - _KEPT_S))


def _is(named: Repeatable) -> ColumnElement[bool]:
    return and_(tables.Repeats.who == named.who, tables.Repeats.name == named.name)
