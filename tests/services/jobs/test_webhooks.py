"""Webhooks: told of every end, signed, until they have heard."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator

import pytest

from services.database.engine import SqlDatabase
from services.egress.errors import SourceForbidden
from services.egress.http import OutboundClient
from services.egress.url_policy import UrlPolicy
from services.jobs import outbox as outbox_module
from services.jobs import webhooks as webhooks_module
from services.jobs.leases import Leases
from services.jobs.outbox import Outbox
from services.jobs.store import JobStore
from services.jobs.types import Job
from services.jobs.webhooks import WebhookSender
from tests.support.http_server import FakeWebServer, run_web_server
from tests.support.job_fixtures import INDEX_RESULT, new_index_job

SECRET = "of the webhooks"
MakeWebhooks = Callable[..., WebhookSender]


@pytest.fixture
def host() -> Iterator[FakeWebServer]:
    with run_web_server() as host:
        yield host


@pytest.fixture
def telling(database: SqlDatabase) -> MakeWebhooks:
    def make(
        private: frozenset[str] = frozenset({"127.0.0.1"}), secret: str = SECRET, attempts: int = 3
    ) -> WebhookSender:
        outbound = OutboundClient(UrlPolicy(None, private, "SETTING"), read_timeout_s=5, total_timeout_s=10)
        return WebhookSender(Outbox(database), outbound, secret, attempts)

    return make


def _finish_job(jobs: JobStore, leases: Leases, url: str) -> Job:
    return leases.finish(leases.claim(jobs.submit(new_index_job(webhook=url)).id, "w"), INDEX_RESULT)


def test_the_end_of_a_job_is_told_once_and_signed(
    jobs: JobStore, leases: Leases, telling: MakeWebhooks, host: FakeWebServer
) -> None:
    job = _finish_job(jobs, leases, f"{host.url}/told")
    telling().deliver_due()
    telling().deliver_due()
    (sent,) = host.received_requests
    body = json.loads(sent.body)
    assert body["event"] == "job.done"
    assert body["job"] == {"id": job.id, "kind": "index", "state": "done", "collection": "default"} | {
        "asset_id": job.asset_id,
        "error": None,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
    }
    at, mac = (part.partition("=")[2] for part in sent.headers["afterimage-signature"].split(","))
    assert abs(time.time() - int(at)) < 60
    assert mac == hmac.new(SECRET.encode(), f"{at}.".encode() + sent.body, hashlib.sha256).hexdigest()


def test_who_did_not_hear_is_told_again_later_under_the_same_id(
    jobs: JobStore,
    leases: Leases,
    telling: MakeWebhooks,
    host: FakeWebServer,
    database: SqlDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = _finish_job(jobs, leases, f"{host.url}/told")
    host.statuses = [500, 503]
    telling().deliver_due()
    (delivery,) = Outbox(database).list_deliveries(job.id)
    assert (delivery.attempts, delivery.delivered_at, delivery.error) == (1, None, "http://127.0.0.1: answered 500")
    assert delivery.next_at is not None
    assert 8 < delivery.next_at - time.time() <= 10
    at = time.time()
    for later_s in (20, 60):
        _set_clock(monkeypatch, at + later_s)
        telling().deliver_due()
    assert len({sent.headers["afterimage-delivery"] for sent in host.received_requests}) == 1
    assert len({sent.headers["afterimage-signature"] for sent in host.received_requests}) == 3
    (delivery,) = Outbox(database).list_deliveries(job.id)
    assert (delivery.attempts, delivery.next_at, delivery.error) == (3, None, None)
    assert delivery.delivered_at is not None


def test_a_process_that_is_to_stop_tells_nobody_more(
    jobs: JobStore, leases: Leases, telling: MakeWebhooks, host: FakeWebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        _finish_job(jobs, leases, f"{host.url}/told")
    webhooks, post = telling(), OutboundClient.post

    def stop_then_post(outbound: OutboundClient, url: str, body: bytes, headers: dict[str, str]) -> None:
        webhooks.stop()
        post(outbound, url, body, headers)

    monkeypatch.setattr(OutboundClient, "post", stop_then_post)
    webhooks.deliver_due()
    assert len(host.received_requests) == 1
    monkeypatch.undo()
    telling().deliver_due()
    assert len(host.received_requests) == 3


def test_who_never_hears_is_given_up(
    jobs: JobStore,
    leases: Leases,
    telling: MakeWebhooks,
    host: FakeWebServer,
    database: SqlDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job, at = _finish_job(jobs, leases, f"{host.url}/told"), time.time()
    host.statuses = [500] * 9
    for number in range(5):
        _set_clock(monkeypatch, at + 1000 * number)
        telling(attempts=3).deliver_due()
    assert len(host.received_requests) == 3
    (delivery,) = Outbox(database).list_deliveries(job.id)
    assert (delivery.next_at, delivery.delivered_at, delivery.error) == (None, None, "http://127.0.0.1: answered 500")


def test_a_private_address_is_never_told(
    jobs: JobStore, leases: Leases, telling: MakeWebhooks, host: FakeWebServer, database: SqlDatabase
) -> None:
    job = _finish_job(jobs, leases, f"{host.url}/told")
    telling(private=frozenset()).deliver_due()
    assert host.received_requests == []
    (delivery,) = Outbox(database).list_deliveries(job.id)
    assert (delivery.next_at, delivery.error) == (None, "127.0.0.1: its address 127.0.0.1 is not a public one")


def test_without_a_secret_there_are_no_webhooks(telling: MakeWebhooks) -> None:
    with pytest.raises(SourceForbidden, match="AFTERIMAGE_JOBS__WEBHOOK_SECRET, which signs them, is empty"):
        telling(secret="").validate_url("https://example.org/told")
    telling().validate_url("https://example.org/told")


def test_a_delivery_whose_process_died_is_due_again(
    jobs: JobStore, leases: Leases, database: SqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    _finish_job(jobs, leases, "https://example.org/told")
    outbox = Outbox(database)
    (first,) = outbox.claim_due(visibility_timeout_s=600)
    assert outbox.claim_due(visibility_timeout_s=600) == []
    _set_clock(monkeypatch, time.time() + 601)
    (second,) = outbox.claim_due(visibility_timeout_s=600)
    assert (second.id, second.attempts) == (first.id, 2)
    outbox.mark_delivered(first)  # its process was only slow: the try after it counts
    assert outbox.list_deliveries(first.job_id)[0].delivered_at is None


def _set_clock(monkeypatch: pytest.MonkeyPatch, at: float) -> None:
    """From now on it is that time."""
    for place in (outbox_module, webhooks_module):
        monkeypatch.setattr(place, "now", lambda: at)
