"""Webhooks: sent at every end of a job, signed as Standard Webhooks, and retried."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator

import pytest
import standardwebhooks

from indexer.errors import SettingsError
from services.database.engine import SqlDatabase
from services.egress.errors import SourceForbidden
from services.egress.http import OutboundClient
from services.egress.url_policy import UrlPolicy
from services.jobs.leases import Leases
from services.jobs.outbox import Outbox
from services.jobs.store import JobStore
from services.jobs.types import Job
from services.jobs.webhooks import WebhookSender, decode_secret, sign_payload
from tests.support.fake_clock import FakeClock
from tests.support.http_server import FakeWebServer, run_web_server
from tests.support.job_fixtures import INDEX_RESULT, new_index_job

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
MakeWebhooks = Callable[..., WebhookSender]


@pytest.fixture
def web_server() -> Iterator[FakeWebServer]:
    with run_web_server() as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def jobs(database: SqlDatabase, clock: FakeClock) -> JobStore:
    return JobStore(database, max_attempts=3, clock=clock)


@pytest.fixture
def leases(database: SqlDatabase, clock: FakeClock) -> Leases:
    return Leases(database, lease_s=60, retry_backoff_s=0, clock=clock)


@pytest.fixture
def make_webhooks(database: SqlDatabase, clock: FakeClock) -> MakeWebhooks:
    def make(
        private: frozenset[str] = frozenset({"127.0.0.1"}), secret: str = SECRET, attempts: int = 3
    ) -> WebhookSender:
        outbound = OutboundClient(UrlPolicy(None, private, "SETTING"), read_timeout_s=5, total_timeout_s=10)
        return WebhookSender(Outbox(database, clock), outbound, secret, attempts, clock)

    return make


def _finish_job(jobs: JobStore, leases: Leases, url: str) -> Job:
    return leases.finish(leases.claim(jobs.submit(new_index_job(webhook=url)).id, "w"), INDEX_RESULT)


def test_the_end_of_a_job_is_told_once_and_signed(
    jobs: JobStore, leases: Leases, make_webhooks: MakeWebhooks, web_server: FakeWebServer, clock: FakeClock
) -> None:
    clock.at = 1_700_000_000.25
    job = _finish_job(jobs, leases, f"{web_server.url}/told")
    make_webhooks().deliver_due()
    make_webhooks().deliver_due()
    (sent,) = web_server.received_requests
    body = json.loads(sent.body)
    assert (body["type"], body["timestamp"]) == ("job.done", "2023-11-14T22:13:20.250Z")
    assert body["data"] == {"id": job.id, "kind": "index", "state": "done", "collection": "default"} | {
        "asset_id": job.asset_id,
        "error": None,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
    }
    message_id, timestamp = sent.headers["webhook-id"], sent.headers["webhook-timestamp"]
    assert timestamp == "1700000000"
    mac = hmac.new(KEY, f"{message_id}.{timestamp}.".encode() + sent.body, hashlib.sha256).digest()
    assert sent.headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"


def test_the_standards_own_library_verifies_a_delivery(
    jobs: JobStore, leases: Leases, make_webhooks: MakeWebhooks, web_server: FakeWebServer
) -> None:
    _finish_job(jobs, leases, f"{web_server.url}/told")
    make_webhooks().deliver_due()
    (sent,) = web_server.received_requests
    receiver = standardwebhooks.Webhook(SECRET)
    assert receiver.verify(sent.body, dict(sent.headers))["type"] == "job.done"
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        receiver.verify(sent.body.replace(b"done", b"fail"), dict(sent.headers))


def test_a_message_is_signed_as_in_the_standard() -> None:
    """The test vector of the standard's reference libraries."""
    key = decode_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign_payload(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret",
    ["of the webhooks", "whsec_", "whsec_no base64", f"whsec_{'A' * 28}", f"whsec_{'A' * 88}", SECRET[6:]],
)
def test_a_secret_of_another_form_is_refused_without_being_shown(make_webhooks: MakeWebhooks, secret: str) -> None:
    with pytest.raises(SettingsError, match="AFTERIMAGE_JOBS__WEBHOOK_SECRET: must be whsec_ and the base64") as raised:
        make_webhooks(secret=secret)
    assert secret.removeprefix("whsec_") == "" or secret not in str(raised.value)


def test_who_did_not_hear_is_told_again_later_under_the_same_id(
    jobs: JobStore,
    leases: Leases,
    make_webhooks: MakeWebhooks,
    web_server: FakeWebServer,
    database: SqlDatabase,
    clock: FakeClock,
) -> None:
    job, at = _finish_job(jobs, leases, f"{web_server.url}/told"), clock.at
    web_server.statuses = [500, 503]
    make_webhooks().deliver_due()
    (delivery,) = Outbox(database).list_deliveries(job.id)
    assert (delivery.attempts, delivery.delivered_at, delivery.error) == (1, None, "http://127.0.0.1: answered 500")
    assert delivery.next_at == at + 10
    for later_s in (20, 60):
        clock.at = at + later_s
        make_webhooks().deliver_due()
    assert len({sent.headers["webhook-id"] for sent in web_server.received_requests}) == 1
    assert len({sent.headers["webhook-signature"] for sent in web_server.received_requests}) == 3
    (delivery,) = Outbox(database).list_deliveries(job.id)
    assert (delivery.attempts, delivery.next_at, delivery.error) == (3, None, None)
    assert delivery.delivered_at is not None


def test_a_process_that_is_to_stop_tells_nobody_more(
    jobs: JobStore,
    leases: Leases,
    make_webhooks: MakeWebhooks,
    web_server: FakeWebServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(3):
        _finish_job(jobs, leases, f"{web_server.url}/told")
    webhooks, post = make_webhooks(), OutboundClient.post

    def stop_then_post(outbound: OutboundClient, url: str, body: bytes, headers: dict[str, str]) -> None:
        webhooks.stop()
        post(outbound, url, body, headers)

    monkeypatch.setattr(OutboundClient, "post", stop_then_post)
    webhooks.deliver_due()
    assert len(web_server.received_requests) == 1
    monkeypatch.undo()
    make_webhooks().deliver_due()
    assert len(web_server.received_requests) == 3


def test_who_never_hears_is_given_up(
    jobs: JobStore,
    leases: Leases,
    make_webhooks: MakeWebhooks,
    web_server: FakeWebServer,
    database: SqlDatabase,
    clock: FakeClock,
) -> None:
    job, at = _finish_job(jobs, leases, f"{web_server.url}/told"), clock.at
    web_server.statuses = [500] * 9
    for number in range(5):
        clock.at = at + 1000 * number
        make_webhooks(attempts=3).deliver_due()
    assert len(web_server.received_requests) == 3
    (delivery,) = Outbox(database).list_deliveries(job.id)
    assert (delivery.next_at, delivery.delivered_at, delivery.error) == (None, None, "http://127.0.0.1: answered 500")


def test_a_private_address_is_never_told(
    jobs: JobStore, leases: Leases, make_webhooks: MakeWebhooks, web_server: FakeWebServer, database: SqlDatabase
) -> None:
    job = _finish_job(jobs, leases, f"{web_server.url}/told")
    make_webhooks(private=frozenset()).deliver_due()
    assert web_server.received_requests == []
    (delivery,) = Outbox(database).list_deliveries(job.id)
    assert (delivery.next_at, delivery.error) == (None, "127.0.0.1: its address 127.0.0.1 is not a public one")


def test_without_a_secret_there_are_no_webhooks(make_webhooks: MakeWebhooks) -> None:
    with pytest.raises(SourceForbidden, match="AFTERIMAGE_JOBS__WEBHOOK_SECRET, which signs them, is empty"):
        make_webhooks(secret="").validate_url("https://example.org/told")
    make_webhooks().validate_url("https://example.org/told")


def test_a_delivery_whose_process_died_is_due_again(
    jobs: JobStore, leases: Leases, database: SqlDatabase, clock: FakeClock
) -> None:
    _finish_job(jobs, leases, "https://example.org/told")
    outbox = Outbox(database, clock)
    (first,) = outbox.claim_due(visibility_timeout_s=600)
    assert outbox.claim_due(visibility_timeout_s=600) == []
    clock.at += 601
    (second,) = outbox.claim_due(visibility_timeout_s=600)
    assert (second.id, second.attempts) == (first.id, 2)
    outbox.mark_delivered(first)  # its process was only slow: the try after it counts
    assert outbox.list_deliveries(first.job_id)[0].delivered_at is None
