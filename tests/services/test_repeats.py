"""Requests that are sent again are answered as before; what they make is made once, whenever their server is killed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from indexer.errors import KeyRefused, RepeatConflict
from services import repeats as module
from services import tables
from services.database import Database
from services.jobs.store import Jobs
from services.jobs.types import JobState, NewJob, ReindexRequest
from services.keys import Keys, Scope
from services.repeats import Answered, Repeatable, Repeats

ASKED = Repeatable("key", "import", "a" * 64)
ANSWER = Answered(202, {"content-type": "application/json", "location": "/there"}, b'{"id": "1"}')
NEW = NewJob(ReindexRequest())
START, SOON, DAY = 1_000_000.0, 15.0, 24 * 3600.0


@pytest.fixture
def repeats(database: Database) -> Repeats:
    return Repeats(database)


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database, most_attempts=1)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock, a Unix time."""
    return lambda time: monkeypatch.setattr(module, "now", lambda: time)


def test_an_answer_is_given_again_for_a_day(repeats: Repeats, at: Callable[[float], None]) -> None:
    at(START)
    assert repeats.begin(ASKED) is None
    repeats.finish(ASKED, ANSWER)
    at(START + DAY - 1)
    assert repeats.begin(ASKED) == ANSWER
    assert repeats.begin(Repeatable("another key", ASKED.name, ASKED.request)) is None
    at(START + DAY + 1)
    assert repeats.begin(ASKED) is None


def test_another_request_of_that_name_is_a_conflict(repeats: Repeats) -> None:
    repeats.begin(ASKED)
    other = Repeatable(ASKED.who, ASKED.name, "b" * 64)
    with pytest.raises(RepeatConflict, match="another request was sent as 'import'"):
        repeats.begin(other)
    repeats.finish(ASKED, ANSWER)
    with pytest.raises(RepeatConflict, match="another request"):
        repeats.begin(other)


def test_a_request_waits_for_its_answer_unless_its_server_seems_gone(
    repeats: Repeats, at: Callable[[float], None]
) -> None:
    at(START)
    repeats.begin(ASKED)
    at(START + SOON - 1)
    with pytest.raises(RepeatConflict, match="is being answered"):
        repeats.begin(ASKED)
    at(START + SOON + 1)
    assert repeats.begin(ASKED) is None


def test_a_request_that_came_to_nothing_is_done_anew(repeats: Repeats) -> None:
    repeats.begin(ASKED)
    repeats.drop(ASKED)
    assert repeats.begin(ASKED) is None


def test_a_job_is_made_once_though_its_server_is_killed_before_it_answers(repeats: Repeats, jobs: Jobs) -> None:
    repeats.begin(ASKED)
    job = jobs.submit(NEW, ASKED)
    assert repeats.begin(ASKED) is None  # at once: there is something to be told of
    assert jobs.submit(NEW, ASKED) == job
    repeats.drop(ASKED)  # as where the second try failed: what was made stays known
    assert jobs.submit(NEW, ASKED) == job
    repeats.finish(ASKED, ANSWER)
    assert repeats.begin(ASKED) == ANSWER
    assert [one.id for one in jobs.page().items] == [job.id]
    assert len(jobs.events(job.id)) == 1


def test_of_many_who_are_at_one_request_one_makes_its_job(jobs: Jobs) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: jobs.submit(NEW, ASKED).id, range(24)))
    assert len(set(made)) == 1 == len(jobs.page().items)
    assert jobs.submit(NEW, Repeatable("another key", ASKED.name, ASKED.request)).id not in made


def test_a_job_is_retried_once_by_a_request(jobs: Jobs) -> None:
    job = jobs.cancel(jobs.submit(NEW).id)
    assert jobs.retry(job.id, ASKED).state is JobState.QUEUED
    jobs.cancel(job.id)
    assert jobs.retry(job.id, ASKED).state is JobState.CANCELLED
    assert jobs.retry(job.id, Repeatable("key", "again", "b" * 64)).state is JobState.QUEUED


def test_a_key_is_made_once_and_only_the_secret_that_was_told_last_opens(database: Database) -> None:
    keys = Keys(database)
    made, lost = keys.create("the kitchen's", [Scope.READ], once=ASKED)
    again, secret = keys.create("the kitchen's", [Scope.READ], once=ASKED)
    assert again == made and [key.id for key in keys.list()] == [made.id]
    assert keys.verify(secret).id == made.id
    with pytest.raises(KeyRefused):
        keys.verify(lost)
    keys.revoke(made.id)
    with pytest.raises(KeyRefused, match="revoked"):
        keys.verify(keys.create("the kitchen's", [Scope.READ], once=ASKED)[1])
    with database.reading() as connection:
        assert connection.execute(select(tables.Repeats.made, tables.Repeats.body)).one() == (made.id, None)
