"""Keys: a secret opens until it expires or is revoked, and is nowhere kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from indexer.errors import InvalidInput
from services.access.api_keys import ApiKeyStore, Scope
from services.access.errors import InvalidApiKey, KeyNotFound
from services.database.engine import SqlDatabase
from tests.support.fake_clock import FakeClock

READ_SCOPES = [Scope.READ]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def keys(database: SqlDatabase, clock: FakeClock) -> ApiKeyStore:
    return ApiKeyStore(database, clock)


def test_a_secret_opens_what_it_was_made_for(keys: ApiKeyStore, clock: FakeClock) -> None:
    key, secret = keys.create("the kitchen's", [Scope.READ, Scope.WRITE], ["one", "two"], 1e11, 60)
    found = keys.verify(secret)
    assert (found.id, found.name, found.scopes) == (key.id, "the kitchen's", {Scope.READ, Scope.WRITE})
    assert (found.collections, found.expires_at, found.requests_per_minute) == ({"one", "two"}, 1e11, 60)
    clock.at += 1
    everywhere, _ = keys.create("all", [Scope.ADMIN])
    assert keys.list()[0] == everywhere
    assert everywhere.collections is None


def test_secrets_are_long_and_never_the_same(keys: ApiKeyStore) -> None:
    secrets = {keys.create("x", READ_SCOPES)[1] for _ in range(20)}
    assert len(secrets) == 20
    assert all(secret.startswith("ai_") and len(secret.split("_", 2)[2]) == 43 for secret in secrets)


def test_the_secret_is_nowhere_in_the_database(keys: ApiKeyStore, database: SqlDatabase, tmp_path: Path) -> None:
    key, secret = keys.create("x", READ_SCOPES)
    random = secret.split("_", 2)[2]
    with database.read() as connection:
        row = connection.execute(text("SELECT * FROM api_keys")).one()
    assert random not in repr(tuple(row)) + repr(key)
    assert all(random.encode() not in file.read_bytes() for file in tmp_path.iterdir())


def test_no_other_secret_opens(keys: ApiKeyStore) -> None:
    key, secret = keys.create("x", READ_SCOPES)
    other, _ = keys.create("y", READ_SCOPES)
    random = secret.split("_", 2)[2]
    wrong = ["", "ai", "ai_", "ai__", random, f"ai_{other.id}_{random}", secret[:-1], f"{secret}x", secret.upper()]
    wrong += [f"xx_{key.id}_{random}", f"ai_{key.id}", f"ai_{key.id}_", "ai_\0_x", "ai_é_x", f"ai_{key.id}_\udcff"]
    for one in wrong:
        with pytest.raises(InvalidApiKey, match="this key is not known"):
            keys.verify(one)


def test_a_key_expires(keys: ApiKeyStore, clock: FakeClock) -> None:
    clock.at = 1000.0
    key, secret = keys.create("x", READ_SCOPES, expires_at=1500.0)
    clock.at = 1499.9
    keys.verify(secret)
    clock.at = 1500.0
    with pytest.raises(InvalidApiKey, match=f"the key {key.id} has expired"):
        keys.verify(secret)


def test_a_revoked_key_stays_revoked(keys: ApiKeyStore, clock: FakeClock) -> None:
    key, secret = keys.create("x", READ_SCOPES)
    clock.at = 2000.0
    assert keys.revoke(key.id).revoked_at == 2000.0
    clock.at = 3000.0
    assert keys.revoke(key.id).revoked_at == 2000.0
    with pytest.raises(InvalidApiKey, match=f"the key {key.id} was revoked"):
        keys.verify(secret)
    with pytest.raises(KeyNotFound, match="no key 'nothing'"):
        keys.revoke("nothing")


def test_when_a_key_was_used_is_noted_once_a_minute(keys: ApiKeyStore, clock: FakeClock) -> None:
    clock.at = 1000.0
    _, secret = keys.create("x", READ_SCOPES)
    assert keys.list()[0].last_used_at is None
    for time, noted in ((2000.0, 2000.0), (2059.0, 2000.0), (2060.0, 2060.0)):
        clock.at = time
        keys.verify(secret)
        assert keys.list()[0].last_used_at == noted


def test_keys_are_listed_newest_first(keys: ApiKeyStore, clock: FakeClock) -> None:
    for time, name in ((1.0, "old"), (3.0, "new"), (2.0, "between")):
        clock.at = time
        keys.create(name, READ_SCOPES)
    assert [key.name for key in keys.list()] == ["new", "between", "old"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": " "}, "a key's name has 1 to 200"),
        ({"name": "a\nb"}, "a key's name has 1 to 200"),
        ({"scopes": []}, "a key needs a scope"),
        ({"collections": []}, "could see nothing"),
        ({"collections": ["a/b"]}, "cannot be a collection's name"),
        ({"scopes": [Scope.ADMIN], "collections": ["one"]}, "an admin key is one of all collections"),
        ({"expires_at": 1.0}, "would have expired already"),
        ({"requests_per_minute": 0}, "at least one request"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(keys: ApiKeyStore, wrong: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"name": "x", "scopes": READ_SCOPES} | wrong
    with pytest.raises(InvalidInput, match=message):
        keys.create(**arguments)  # type: ignore[arg-type]
    assert keys.list() == ()
