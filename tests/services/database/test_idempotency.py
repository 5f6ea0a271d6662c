"""Requests that are sent again are answered as before; what they make is made once, whenever their server is killed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from services.access.api_keys import ApiKeyStore, Scope
from services.access.errors import InvalidApiKey
from services.database import schema
from services.database.engine import SqlDatabase
from services.database.errors import IdempotencyConflict
from services.database.idempotency import IdempotencyKey, IdempotencyStore, StoredResponse
from services.jobs.store import JobStore
from services.jobs.types import JobState, NewJob, ReindexRequest
from tests.support.fake_clock import FakeClock

KEY = IdempotencyKey("key", "import", "a" * 64)
RESPONSE = StoredResponse(202, {"content-type": "application/json", "location": "/there"}, b'{"id": "1"}')
NEW_JOB = NewJob(ReindexRequest())
START_S, CLAIM_TIMEOUT_S, DAY_S = 1_000_000.0, 15.0, 24 * 3600.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def idempotency(database: SqlDatabase, clock: FakeClock) -> IdempotencyStore:
    return IdempotencyStore(database, clock)


@pytest.fixture
def jobs(database: SqlDatabase) -> JobStore:
    return JobStore(database, max_attempts=1)


def test_an_answer_is_given_again_for_a_day(idempotency: IdempotencyStore, clock: FakeClock) -> None:
    clock.at = START_S
    assert idempotency.claim(KEY) is None
    idempotency.store(KEY, RESPONSE)
    clock.at = START_S + DAY_S - 1
    assert idempotency.claim(KEY) == RESPONSE
    assert idempotency.claim(IdempotencyKey("another key", KEY.key, KEY.request_hash)) is None
    clock.at = START_S + DAY_S + 1
    assert idempotency.claim(KEY) is None


def test_another_request_of_that_name_is_a_conflict(idempotency: IdempotencyStore) -> None:
    idempotency.claim(KEY)
    other = IdempotencyKey(KEY.owner, KEY.key, "b" * 64)
    with pytest.raises(IdempotencyConflict, match="another request was sent with the key 'import'"):
        idempotency.claim(other)
    idempotency.store(KEY, RESPONSE)
    with pytest.raises(IdempotencyConflict, match="another request"):
        idempotency.claim(other)


def test_a_request_waits_for_its_answer_unless_its_server_seems_gone(
    idempotency: IdempotencyStore, clock: FakeClock
) -> None:
    clock.at = START_S
    idempotency.claim(KEY)
    clock.at = START_S + CLAIM_TIMEOUT_S - 1
    with pytest.raises(IdempotencyConflict, match="is being answered"):
        idempotency.claim(KEY)
    clock.at = START_S + CLAIM_TIMEOUT_S + 1
    assert idempotency.claim(KEY) is None


def test_a_request_that_came_to_nothing_is_done_anew(idempotency: IdempotencyStore) -> None:
    idempotency.claim(KEY)
    idempotency.release(KEY)
    assert idempotency.claim(KEY) is None


def test_a_job_is_made_once_though_its_server_is_killed_before_it_answers(
    idempotency: IdempotencyStore, jobs: JobStore
) -> None:
    idempotency.claim(KEY)
    job = jobs.submit(NEW_JOB, KEY)
    assert idempotency.claim(KEY) is None  # at once: there is something to be told of
    assert jobs.submit(NEW_JOB, KEY) == job
    idempotency.release(KEY)  # as where the second try failed: what was made stays known
    assert jobs.submit(NEW_JOB, KEY) == job
    idempotency.store(KEY, RESPONSE)
    assert idempotency.claim(KEY) == RESPONSE
    assert [one.id for one in jobs.list_page().items] == [job.id]
    assert len(jobs.list_events(job.id)) == 1


def test_of_many_who_are_at_one_request_one_makes_its_job(jobs: JobStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: jobs.submit(NEW_JOB, KEY).id, range(24)))
    assert len(set(made)) == 1 == len(jobs.list_page().items)
    assert jobs.submit(NEW_JOB, IdempotencyKey("another key", KEY.key, KEY.request_hash)).id not in made


def test_a_job_is_retried_once_by_a_request(jobs: JobStore) -> None:
    job = jobs.cancel(jobs.submit(NEW_JOB).id)
    assert jobs.retry(job.id, KEY).state is JobState.QUEUED
    jobs.cancel(job.id)
    assert jobs.retry(job.id, KEY).state is JobState.CANCELLED
    assert jobs.retry(job.id, IdempotencyKey("key", "again", "b" * 64)).state is JobState.QUEUED


def test_a_key_is_made_once_and_only_the_secret_that_was_told_last_opens(database: SqlDatabase) -> None:
    keys = ApiKeyStore(database)
    api_key, lost = keys.create("the kitchen's", [Scope.READ], idempotency_key=KEY)
    again, secret = keys.create("the kitchen's", [Scope.READ], idempotency_key=KEY)
    assert again == api_key and [key.id for key in keys.list()] == [api_key.id]
    assert keys.verify(secret).id == api_key.id
    with pytest.raises(InvalidApiKey):
        keys.verify(lost)
    keys.revoke(api_key.id)
    with pytest.raises(InvalidApiKey, match="revoked"):
        keys.verify(keys.create("the kitchen's", [Scope.READ], idempotency_key=KEY)[1])
    with database.read() as connection:
        assert connection.execute(select(schema.IdempotencyKeys.resource_id, schema.IdempotencyKeys.body)).one() == (
            api_key.id,
            None,
        )
