"""`Webhooks`: tell URLs of the ends of jobs, signed, again and again until they have heard.

A delivery is a POST of JSON, `{"event": "job.done", "job": {…}}`, with these headers:

    Afterimage-Delivery: <id>               the same in every try of a delivery
    Afterimage-Signature: t=<t>,v1=<hex>    t: the Unix time of this try; hex: HMAC-SHA256, under the secret of
                                            AFTERIMAGE_JOBS__WEBHOOK_SECRET, of `<t>.` and the body's bytes

Who receives it computes the same, compares in constant time, and refuses a `t` that is more than some minutes old.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from threading import Event
from typing import TYPE_CHECKING

from services.database.clock import now
from services.egress.errors import RemoteUnavailable, SourceForbidden
from services.jobs.outbox import Delivery, Outbox

if TYPE_CHECKING:
    from services.egress.http import OutboundClient

_log = logging.getLogger(__name__)
_INITIAL_BACKOFF_S, _MAX_BACKOFF_S = 10.0, 6 * 3600.0
_VISIBILITY_TIMEOUT_S = 600.0
"""A delivery whose process died is tried again after this; no try may take longer."""


def sign_payload(secret: str, timestamp: int, body: bytes) -> str:
    """The value of the header `Afterimage-Signature` at a Unix time."""
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"t={timestamp},v1={mac.hexdigest()}"


class WebhookSender:
    """Works the outbox off. Any number of processes may do so side by side: each delivery is one's at a time."""

    def __init__(self, outbox: Outbox, outbound: OutboundClient, secret: str, max_attempts: int) -> None:
        self._outbox, self._outbound = outbox, outbound
        self._secret, self._max_attempts, self._stopped = secret, max_attempts, Event()

    def validate_url(self, url: str) -> None:
        """Whether a URL may be told anything. Errors: NotAllowed."""
        if not self._secret:
            raise SourceForbidden("webhooks are off: AFTERIMAGE_JOBS__WEBHOOK_SECRET, which signs them, is empty")
        self._outbound.validate(url)

    def deliver_due(self) -> None:
        """Try every delivery whose time has come, once, until `stop`. Errors: those of the database."""
        while not self._stopped.is_set() and (due := self._outbox.claim_due(_VISIBILITY_TIMEOUT_S, limit=1)):
            self._attempt(due[0])

    def stop(self) -> None:
        """Try no more, once what is being tried has come to its end."""
        self._stopped.set()

    def _attempt(self, delivery: Delivery) -> None:
        body, at = delivery.body.encode(), int(now())
        headers = {"content-type": "application/json", "afterimage-delivery": delivery.id}
        try:
            self.validate_url(delivery.url)
            signed = headers | {"afterimage-signature": sign_payload(self._secret, at, body)}
            self._outbound.post(delivery.url, body, signed)
        except (RemoteUnavailable, SourceForbidden) as error:
            last = delivery.attempts >= self._max_attempts or isinstance(error, SourceForbidden)
            _log.warning("webhook of job %s, try %d: %s", delivery.job_id, delivery.attempts, error)
            wait_s = min(_INITIAL_BACKOFF_S * 2.0 ** (delivery.attempts - 1), _MAX_BACKOFF_S)
            self._outbox.mark_failed(delivery, str(error), None if last else now() + wait_s)
        else:
            self._outbox.mark_delivered(delivery)
