"""Webhooks about finished jobs, signed as Standard Webhooks 1.0 (https://www.standardwebhooks.com) and retried.

A delivery is a POST of JSON, `{"type": "job.done", "timestamp": "…", "data": {…the job…}}`, with these headers:

    webhook-id: <id>                 the same for every attempt of a delivery
    webhook-timestamp: <t>           Unix time of this attempt, in seconds
    webhook-signature: v1,<base64>   HMAC-SHA256 of `<id>.<t>.<body>`

The key is AFTERIMAGE_JOBS__WEBHOOK_SECRET, `whsec_` and the base64 of 24 to 64 bytes. Receivers verify with a library
of the standard, which also rejects old timestamps.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
from threading import Event
from typing import TYPE_CHECKING

from indexer.errors import SettingsError
from services.database.clock import Clock, now
from services.egress.errors import RemoteUnavailable, SourceForbidden
from services.jobs.backoff import exponential_backoff_s
from services.jobs.outbox import Delivery, Outbox

if TYPE_CHECKING:
    from services.egress.http import OutboundClient

_log = logging.getLogger(__name__)
_SECRET_SETTING = "AFTERIMAGE_JOBS__WEBHOOK_SECRET"
_SECRET_PREFIX = "whsec_"
_MIN_KEY_BYTES, _MAX_KEY_BYTES = 24, 64  # Source: Standard Webhooks 1.0, "Signature scheme"
_INITIAL_BACKOFF_S = 10.0
"""Chosen: a receiver that restarts is back by then; longer delays the common case."""
_MAX_BACKOFF_S = 6 * 3600.0
"""Chosen: a receiver that was away for a day hears within hours of its return."""
_VISIBILITY_TIMEOUT_S = 600.0
"""Chosen: after this long an attempt's process counts as dead; far above the 30 s that an attempt may take."""


def decode_secret(secret: str) -> bytes:
    """Return the signing key of a `whsec_` secret. Errors: SettingsError, which never repeats the secret."""
    text = secret.removeprefix(_SECRET_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_SECRET_PREFIX) or not _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
        form = f"{_SECRET_PREFIX} and the base64 of {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} random bytes"
        raise SettingsError(f"{_SECRET_SETTING}: must be {form}, as by: echo whsec_$(openssl rand -base64 32)")
    return key


def sign_payload(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature` for a message at a Unix time (Standard Webhooks 1.0, symmetric)."""
    mac = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(mac.digest()).decode()}"


class WebhookSender:
    """Delivers the outbox; several processes may do so at once, since each delivery has one claimer at a time.

    An empty `secret` switches webhooks off. Errors of the constructor: SettingsError for a malformed secret.
    """

    def __init__(
        self, outbox: Outbox, outbound: OutboundClient, secret: str, max_attempts: int, clock: Clock = now
    ) -> None:
        self._outbox, self._outbound, self._clock = outbox, outbound, clock
        self._key = decode_secret(secret) if secret else b""
        self._max_attempts, self._stopped = max_attempts, Event()

    def validate_url(self, url: str) -> None:
        """Check that webhooks are on and may go to a URL. Errors: SourceForbidden."""
        if not self._key:
            raise SourceForbidden(f"webhooks are off: {_SECRET_SETTING}, which signs them, is empty")
        self._outbound.validate(url)

    def deliver_due(self) -> None:
        """Attempt each due delivery once, until `stop`. Errors: those of the database."""
        while not self._stopped.is_set() and (due := self._outbox.claim_due(_VISIBILITY_TIMEOUT_S, limit=1)):
            self._attempt(due[0])

    def stop(self) -> None:
        """Start no further attempts; a running one ends."""
        self._stopped.set()

    def _attempt(self, delivery: Delivery) -> None:
        body, timestamp = delivery.body.encode(), int(self._clock())
        try:
            self.validate_url(delivery.url)
            headers = {
                "content-type": "application/json",
                "webhook-id": delivery.id,
                "webhook-timestamp": str(timestamp),
                "webhook-signature": sign_payload(self._key, delivery.id, timestamp, body),
            }
            self._outbound.post(delivery.url, body, headers)
        except (RemoteUnavailable, SourceForbidden) as error:
            is_last = delivery.attempts >= self._max_attempts or isinstance(error, SourceForbidden)
            _log.warning("webhook of job %s, attempt %d: %s", delivery.job_id, delivery.attempts, error)
            delay_s = exponential_backoff_s(delivery.attempts, _INITIAL_BACKOFF_S, _MAX_BACKOFF_S)
            self._outbox.mark_failed(delivery, str(error), None if is_last else self._clock() + delay_s)
        else:
            self._outbox.mark_delivered(delivery)
