"""`Repeats`: a request that is sent again, since its answer was lost, is answered as before and done once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, delete, select, update

from indexer.errors import RepeatConflict
from services import tables
from services.catalog import now
from services.database import Database

_KEPT_S, _GIVEN_UP_S = 24 * 3600.0, 600.0


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request that a client has named: `who` is its key's id or empty, `request` the SHA-256 of all that it says."""

    who: str
    name: str
    request: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What a request was answered with."""

    status: int
    media_type: str
    body: bytes


class Repeats:
    """Answers are kept for a day. A request whose server died before it answered may be sent again after ten minutes.

    Errors: also those of Database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, named: Repeatable) -> Answered | None:
        """What it was answered with; None: it is to be answered now, and `finish` or `drop` is to be called.

        Errors: RepeatConflict where another request has that name, or it is being answered right now.
        """
        at, table = now(), tables.Repeats
        mine = and_(table.who == named.who, table.name == named.name)
        over = and_(table.status.is_(None), table.at < at - _GIVEN_UP_S)
        with self._database.begin() as connection:
            connection.execute(delete(table).where((table.at < at - _KEPT_S) | over))
            values = {"who": named.who, "name": named.name, "request": named.request, "at": at}
            new = self._database.insert(table).values(**values).on_conflict_do_nothing().returning(table.name)
            if connection.execute(new).first() is not None:
                return None
            row = connection.execute(select(table).where(mine)).one()
        if row.request != named.request:
            raise RepeatConflict(f"another request was sent as {named.name!r} before")
        if row.status is None:
            raise RepeatConflict(f"the request {named.name!r} is being answered")
        return Answered(row.status, row.media_type or "", row.body or b"")

    def finish(self, named: Repeatable, answer: Answered) -> None:
        """It is answered."""
        table = tables.Repeats
        values = {"status": answer.status, "media_type": answer.media_type, "body": answer.body}
        with self._database.begin() as connection:
            connection.execute(update(table).where(table.who == named.who, table.name == named.name).values(**values))

    def drop(self, named: Repeatable) -> None:
        """It came to nothing: it may be sent again as if for the first time."""
        table = tables.Repeats
        with self._database.begin() as connection:
            connection.execute(delete(table).where(table.who == named.who, table.name == named.name))
