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

from indexer.errors import AddressUnavailable, NotAllowed
from services.catalog import now
from services.jobs.outbox import Delivery, Outbox

if TYPE_CHECKING:
    from services.outbound.http import Outbound

_log = logging.getLogger(__name__)
_FIRST_WAIT_S, _LONGEST_WAIT_S = 10.0, 6 * 3600.0
_AGAIN_S = 600.0
"""A delivery whose process died is tried again after this; no try may take longer."""


def signature(secret: str, at: int, body: bytes) -> str:
    """The value of the header `Afterimage-Signature` at a Unix time."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


class Webhooks:
    """Works the outbox off. Any number of processes may do so side by side: each delivery is one's at a time."""

    def __init__(self, outbox: Outbox, outbound: Outbound, secret: str, most_attempts: int) -> None:
        self._outbox, self._outbound = outbox, outbound
        self._secret, self._most_attempts, self._stopped = secret, most_attempts, Event()

    def check(self, url: str) -> None:
        """Whether a URL may be told anything. Errors: NotAllowed."""
        if not self._secret:
            raise NotAllowed("webhooks are off: AFTERIMAGE_JOBS__WEBHOOK_SECRET, which signs them, is empty")
        self._outbound.check(url)

    def deliver(self) -> None:
        """Try every delivery whose time has come, once, until `stop`. Errors: those of the database."""
        while not self._stopped.is_set() and (due := self._outbox.due(_AGAIN_S, limit=1)):
            self._try(due[0])

    def stop(self) -> None:
        """Try no more, once what is being tried has come to its end."""
        self._stopped.set()

    def _try(self, delivery: Delivery) -> None:
        body, at = delivery.body.encode(), int(now())
        headers = {"content-type": "application/json", "afterimage-delivery": delivery.id}
        try:
            self.check(delivery.url)
            signed = headers | {"afterimage-signature": signature(self._secret, at, body)}
            self._outbound.post(delivery.url, body, signed)
        except (AddressUnavailable, NotAllowed) as error:
            last = delivery.attempts >= self._most_attempts or isinstance(error, NotAllowed)
            _log.warning("webhook of job %s, try %d: %s", delivery.job_id, delivery.attempts, error)
            wait_s = min(_FIRST_WAIT_S * 2.0 ** (delivery.attempts - 1), _LONGEST_WAIT_S)
            self._outbox.failed(delivery, str(error), None if last else now() + wait_s)
        else:
            self._outbox.delivered(delivery)
