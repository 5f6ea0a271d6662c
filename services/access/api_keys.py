"""API keys: creation, verification and revocation.

A secret is `ai_<id>_<random>` and is shown once. The random part has 256 bits, so a plain SHA-256 of it is safe to
store: unlike a password it cannot be guessed.
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

from sqlalchemy import Row, insert, or_, select, update

from indexer.errors import InvalidInput, StorageFull
from services.access.errors import InvalidApiKey, KeyNotFound
from services.catalog.types import validate_collection_name
from services.database.clock import Clock, now
from services.database.engine import SqlDatabase
from services.database.errors import DatabaseUnavailable
from services.database.idempotency import IdempotencyKey, claim_resource
from services.database.schema import ApiKeys

_SECRET_PREFIX = "ai"
_ID_BYTES = 6
"""Chosen: 12 hex digits; an id that exists already makes creation fail, 1 in 560 for a million keys."""
_RANDOM_BYTES = 32
"""Chosen: 256 bits, as many as its SHA-256; they cannot be guessed."""
_MAX_NAME_LENGTH = 200
"""Chosen: names are for lists that people read; the column has no limit."""
_LAST_USED_RESOLUTION_S = 60.0
"""Chosen: `last_used_at` may be a minute old, which saves a write per request."""


class Scope(StrEnum):
    """Permission of an API key; none includes another. `admin` covers keys and the archive as a whole."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """API key without its secret. Times are Unix times; from `expires_at` on the key is refused.

    `collections` None means all, `requests_per_minute` None no limit of its own. `last_used_at` is up to a minute old.
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
    """Store of API keys. Errors: also those of SqlDatabase."""

    def __init__(self, database: SqlDatabase, clock: Clock = now) -> None:
        self._database, self._clock = database, clock

    def create(
        self,
        name: str,
        scopes: Collection[Scope],
        collections: Collection[str] | None = None,
        expires_at: float | None = None,
        requests_per_minute: int | None = None,
        idempotency_key: IdempotencyKey | None = None,
    ) -> tuple[ApiKey, str]:
        """Create a key; return it and its secret, which cannot be read again.

        A retried request, by its idempotency key, returns the key that it created before with a new secret in place of
        the lost one. Errors: InvalidInput.
        """
        key = ApiKey(
            id=secrets.token_hex(_ID_BYTES),
            name=name,
            scopes=frozenset(scopes),
            collections=None if collections is None else frozenset(map(validate_collection_name, collections)),
            created_at=self._clock(),
            expires_at=expires_at,
            revoked_at=None,
            last_used_at=None,
            requests_per_minute=requests_per_minute,
        )
        _validate(key)
        random = secrets.token_urlsafe(_RANDOM_BYTES)
        key = self._insert(key, _digest(random), idempotency_key)
        return key, f"{_SECRET_PREFIX}_{key.id}_{random}"

    def verify(self, secret: str) -> ApiKey:
        """Return the key of a secret. Errors: InvalidApiKey if it is unknown, expired or revoked."""
        prefix, _, rest = secret.partition("_")
        key_id, _, random = rest.partition("_")
        row = self._find_row(key_id) if prefix == _SECRET_PREFIX and key_id.isalnum() and key_id.isascii() else None
        expected = b"" if row is None else row.digest
        if row is None or not hmac.compare_digest(expected, _digest(random)):
            raise InvalidApiKey("this key is not known")
        return self._use(_from_row(row))

    def require_active(self, key_id: str) -> ApiKey:
        """Return the key of an id, for a caller that has proved that the key let it in. Errors: InvalidApiKey."""
        row = self._find_row(key_id)
        if row is None:
            raise InvalidApiKey("this key is not known")
        return self._use(_from_row(row))

    def _use(self, key: ApiKey) -> ApiKey:
        """Return a key that is neither revoked nor expired, and record its use. Errors: InvalidApiKey."""
        time = self._clock()
        if key.revoked_at is not None:
            raise InvalidApiKey(f"the key {key.id} was revoked")
        if key.expires_at is not None and key.expires_at <= time:
            raise InvalidApiKey(f"the key {key.id} has expired")
        if time - (key.last_used_at or 0.0) >= _LAST_USED_RESOLUTION_S:
            self._record_use(key.id, time)
        return key

    def list(self) -> tuple[ApiKey, ...]:
        """Return all keys, newest first, expired and revoked ones included."""
        with self._database.read() as connection:
            rows = connection.execute(select(ApiKeys).order_by(ApiKeys.created_at.desc(), ApiKeys.key_id)).all()
        return tuple(_from_row(row) for row in rows)

    def any_active(self) -> bool:
        """Return whether a key exists that is neither expired nor revoked."""
        unexpired = or_(ApiKeys.expires_at.is_(None), ApiKeys.expires_at > self._clock())
        query = select(ApiKeys.key_id).where(ApiKeys.revoked_at.is_(None), unexpired).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def revoke(self, key_id: str) -> ApiKey:
        """Revoke a key; idempotent. Errors: KeyNotFound."""
        matches, at = ApiKeys.key_id == key_id, self._clock()
        with self._database.write() as connection:
            connection.execute(update(ApiKeys).where(matches, ApiKeys.revoked_at.is_(None)).values(revoked_at=at))
            row = connection.execute(select(ApiKeys).where(matches)).first()
        if row is None:
            raise KeyNotFound(f"no key {key_id!r}")
        return _from_row(row)

    def _insert(self, key: ApiKey, digest: bytes, idempotency_key: IdempotencyKey | None) -> ApiKey:
        """Store a key, or replace the digest of the key that a retried request created before; return the key."""
        with self._database.write() as connection:
            existing_id = None
            if idempotency_key is not None:
                existing_id = claim_resource(self._database, connection, idempotency_key, key.id, self._clock)
            if existing_id is None:
                connection.execute(insert(ApiKeys).values(digest=digest, **_to_row(key)))
                return key
            matches = ApiKeys.key_id == existing_id
            connection.execute(update(ApiKeys).where(matches).values(digest=digest))
            return _from_row(connection.execute(select(ApiKeys).where(matches)).one())

    def _find_row(self, key_id: str) -> Row[Any] | None:
        with self._database.read() as connection:
            return connection.execute(select(ApiKeys).where(ApiKeys.key_id == key_id)).first()

    def _record_use(self, key_id: str, time: float) -> None:
        """Record the time of use; a database that cannot be written must not refuse readers."""
        with suppress(StorageFull, DatabaseUnavailable), self._database.write() as connection:
            connection.execute(update(ApiKeys).where(ApiKeys.key_id == key_id).values(last_used_at=time))


def looks_like_key(text: str) -> bool:
    """Return whether a text has the form of a secret."""
    return text.startswith(f"{_SECRET_PREFIX}_")


def _validate(key: ApiKey) -> None:
    """Raise InvalidInput for a key that makes no sense."""
    if not key.name.strip() or len(key.name) > _MAX_NAME_LENGTH or not key.name.isprintable():
        raise InvalidInput(f"a key's name has 1 to {_MAX_NAME_LENGTH} printable characters")
    if not key.scopes:
        raise InvalidInput("a key needs a scope")
    if key.collections is not None and not key.collections:
        raise InvalidInput("a key of no collection could see nothing; leave collections out for a key of all of them")
    if Scope.ADMIN in key.scopes and key.collections is not None:
        raise InvalidInput("an admin key is one of all collections: it could create a wider key for itself")
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
