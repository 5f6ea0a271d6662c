"""Signed media URLs: for a while, whoever holds one may read one asset's media, pictures and clips, without a key.

The signature is an HMAC over the asset, the time until which it holds, and the id of the key that asked for it. It
gives what that key may read at the time of use: a key that is revoked takes its URLs with it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from services.access.errors import InvalidMediaUrl
from services.database.clock import Clock, now

_PURPOSE = "afterimage media url 1"
"""First line of what is signed: no signature of another kind or version passes as one of these."""


@dataclass(frozen=True, slots=True)
class MediaSignature:
    """Signature of an asset's media, as texts that stand in a URL.

    `expires_at` is in whole seconds of Unix time, `key_id` is empty where no key was needed.
    """

    expires_at: str
    key_id: str
    signature: str


class MediaUrlSigner:
    """Signs and verifies media URLs. `secret` is asked for at each use: it may not exist before the first."""

    def __init__(self, secret: Callable[[], bytes], clock: Clock = now) -> None:
        self._secret, self._clock = secret, clock

    def sign(self, asset_id: str, key_id: str, ttl_s: float) -> MediaSignature:
        """Sign for `ttl_s` seconds from now."""
        expires_at = str(int(self._clock() + ttl_s))
        return MediaSignature(expires_at, key_id, self._digest(asset_id, expires_at, key_id))

    def verify(self, asset_id: str, signed: MediaSignature) -> None:
        """Raise InvalidMediaUrl where a signature is not of this asset, was altered, or has expired."""
        expected = self._digest(asset_id, signed.expires_at, signed.key_id)
        if not hmac.compare_digest(expected.encode(), signed.signature.encode("utf-8", "surrogatepass")):
            raise InvalidMediaUrl("the signature does not fit this URL: it was made for another asset, or altered")
        if int(signed.expires_at) <= self._clock():
            raise InvalidMediaUrl("the signature of this URL has expired; ask for a new one")

    def _digest(self, asset_id: str, expires_at: str, key_id: str) -> str:
        text = "\n".join((_PURPOSE, asset_id, expires_at, key_id))
        digest = hmac.digest(self._secret(), text.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
