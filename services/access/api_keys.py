"""Keys of the HTTP API: a secret that is shown once, what it may do, and until when.

A secret is `ai_<id>_<random>`. The random part has 256 bits, so its plain SHA-256 is all that has to be kept: there is
no password to guess, and nobody can go through so many.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, insert, select, update

from indexer.errors import InvalidInput, StorageFull
from services.access.errors import InvalidApiKey, KeyNotFound
from services.catalog.types import validate_collection_name
from services.database.clock import now
from services.database.engine import SqlDatabase
from services.database.errors import DatabaseUnavailable
from services.database.idempotency import IdempotencyKey, claim_resource
from services.database.schema import ApiKeys

_SECRET_PREFIX, _ID_BYTES, _RANDOM_BYTES = "ai", 6, 32
_MAX_NAME_LENGTH = 200
_LAST_USED_RESOLUTION_S = 60.0


class Scope(StrEnum):
    """What a key may do; none holds another. `admin`: keys, and what concerns the archive as a whole."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: without its secret. Times are Unix times; `expires_at` is the first at which it is refused.

    `collections` None stands for all, `requests_per_minute` None for no limit of its own. `last_used_at` is up to a
    minute old.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    collections: frozenset[str] | None
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None
    requests_per_minute: int | None


class ApiKeyStore:
    """Makes, verifies and revokes keys. Errors: also those of Database."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    def create(
        self,
        name: str,
        scopes: Collection[Scope],
        collections: Collection[str] | None = None,
        expires_at: float | None = None,
        requests_per_minute: int | None = None,
        idempotency_key: IdempotencyKey | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key, and its secret, which cannot be had again. Of a request that is sent again, `once`, the key is the
        one that it made before, with another secret instead of the one that was lost.

        Errors: QueryError for a key that makes no sense.
        """
        allowed_collections = (
            None if collections is None else frozenset(validate_collection_name(name) for name in collections)
        )
        key = ApiKey(
            id=secrets.token_hex(_ID_BYTES),
            name=name,
            scopes=frozenset(scopes),
            collections=allowed_collections,
            created_at=now(),
            expires_at=expires_at,
            revoked_at=None,
            last_used_at=None,
            requests_per_minute=requests_per_minute,
        )
        _validate(key)
        random = secrets.token_urlsafe(_RANDOM_BYTES)
        with self._database.write() as connection:
            before = (
                None if idempotency_key is None else claim_resource(self._database, connection, idempotency_key, key.id)
            )
            if before is None:
                connection.execute(insert(ApiKeys).values(digest=_digest(random), **_to_row(key)))
            else:
                mine = ApiKeys.key_id == before
                connection.execute(update(ApiKeys).where(mine).values(digest=_digest(random)))
                key = _from_row(connection.execute(select(ApiKeys).where(mine)).one())
        return key, f"{_SECRET_PREFIX}_{key.id}_{random}"

    def verify(self, secret: str) -> ApiKey:
        """The key of a secret. Errors: KeyRefused where it is not known, has expired or was revoked."""
        prefix, _, rest = secret.partition("_")
        key_id, _, random = rest.partition("_")
        row = self._find_row(key_id) if prefix == _SECRET_PREFIX and key_id.isalnum() and key_id.isascii() else None
        expected = b"" if row is None else row.digest
        if row is None or not hmac.compare_digest(expected, _digest(random)):
            raise InvalidApiKey("this key is not known")
        key, time = _from_row(row), now()
        if key.revoked_at is not None:
            raise InvalidApiKey(f"the key {key.id} was revoked")
        if key.expires_at is not None and key.expires_at <= time:
            raise InvalidApiKey(f"the key {key.id} has expired")
        if time - (key.last_used_at or 0.0) >= _LAST_USED_RESOLUTION_S:
            self._record_use(key.id, time)
        return key

    def list(self) -> tuple[ApiKey, ...]:
        """All keys, newest first, those that are refused by now included."""
        with self._database.read() as connection:
            rows = connection.execute(select(ApiKeys).order_by(ApiKeys.created_at.desc(), ApiKeys.key_id)).all()
        return tuple(_from_row(row) for row in rows)

    def any_active(self) -> bool:
        """Whether there is a key that is not refused."""
        at = now()
        return any(key.revoked_at is None and (key.expires_at or at + 1) > at for key in self.list())

    def revoke(self, key_id: str) -> ApiKey:
        """Refuse a key from now on; one that was revoked stays so. Errors: KeyNotFound."""
        mine = ApiKeys.key_id == key_id
        with self._database.write() as connection:
            connection.execute(update(ApiKeys).where(mine, ApiKeys.revoked_at.is_(None)).values(revoked_at=now()))
            row = connection.execute(select(ApiKeys).where(mine)).first()
        if row is None:
            raise KeyNotFound(f"no key {key_id!r}")
        return _from_row(row)

    def _find_row(self, key_id: str) -> Row[Any] | None:
        with self._database.read() as connection:
            return connection.execute(select(ApiKeys).where(ApiKeys.key_id == key_id)).first()

    def _record_use(self, key_id: str, time: float) -> None:
        """A database that cannot be written to is no reason to refuse who only reads."""
        with suppress(StorageFull, DatabaseUnavailable), self._database.write() as connection:
            connection.execute(update(ApiKeys).where(ApiKeys.key_id == key_id).values(last_used_at=time))


def looks_like_key(text: str) -> bool:
    """Whether a text has the form of a secret, whoever made it."""
    return text.startswith(f"{_SECRET_PREFIX}_")


def _validate(key: ApiKey) -> None:
    """Errors: QueryError."""
    if not key.name.strip() or len(key.name) > _MAX_NAME_LENGTH or not key.name.isprintable():
        raise InvalidInput(f"a key's name has 1 to {_MAX_NAME_LENGTH} printable characters")
    if not key.scopes:
        raise InvalidInput("a key needs a scope")
    if key.collections is not None and not key.collections:
        raise InvalidInput("a key of no collection could see nothing; leave the collections out for a key of all")
    if Scope.ADMIN in key.scopes and key.collections is not None:
        raise InvalidInput("an admin key is one of all collections: it could make itself another")
    if key.expires_at is not None and key.expires_at <= key.created_at:
        raise InvalidInput("this key would have expired already")
    if key.requests_per_minute is not None and key.requests_per_minute < 1:
        raise InvalidInput("a key may make at least one request a minute")


def _digest(random: str) -> bytes:
    return hashlib.sha256(random.encode("utf-8", "surrogatepass")).digest()


def _to_row(key: ApiKey) -> dict[str, Any]:
    values = {name: getattr(key, name) for name in ApiKey.__dataclass_fields__ if name != "id"}
    collections = None if key.collections is None else sorted(key.collections)
    return values | {"key_id": key.id, "scopes": sorted(key.scopes), "collections": collections}


def _from_row(row: Row[Any]) -> ApiKey:
    values = {name: value for name, value in row._mapping.items() if name not in ("key_id", "digest")}
    collections = None if values["collections"] is None else frozenset(values["collections"])
    scopes = frozenset(Scope(name) for name in values["scopes"])
    return ApiKey(id=row.key_id, **values | {"scopes": scopes, "collections": collections})
