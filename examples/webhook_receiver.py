"""Receive the webhooks of finished jobs and verify them (Standard Webhooks, https://www.standardwebhooks.com).

    AFTERIMAGE_JOBS__WEBHOOK_SECRET=whsec_… python examples/webhook_receiver.py

Name `http://HOST:9000/` as the webhook of a job. The server signs `<webhook-id>.<webhook-timestamp>.<body>` by
HMAC-SHA256; `webhook-signature` holds `v1,<base64>`, several separated by spaces while a secret is being replaced.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer

MAX_AGE_S = 300
SECRET_VARIABLE = "AFTERIMAGE_JOBS__WEBHOOK_SECRET"


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> bool:
    """Return True if a delivery was signed with the secret, at most five minutes ago (a replayed one is older)."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(now_s - int(timestamp)) > MAX_AGE_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = f"v1,{base64.b64encode(mac).decode()}"
    return any(hmac.compare_digest(expected, given) for given in headers.get("webhook-signature", "").split())


class WebhookReceiver(BaseHTTPRequestHandler):
    """204 for a genuine delivery, 401 for any other; anything but 2xx makes the server try again later."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        genuine = is_genuine(os.environ[SECRET_VARIABLE], headers, body, time.time())
        if genuine:  # a delivery may come more than once: `webhook-id` tells which were seen before
            event = json.loads(body)
            print(event["type"], event["data"]["id"], event["data"]["state"], flush=True)
        self.send_response(204 if genuine else 401)
        self.end_headers()


if __name__ == "__main__":
    HTTPServer(("", 9000), WebhookReceiver).serve_forever()
