"""Signatures of media URLs: of one asset, for a while, by a secret that all servers of an archive share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.access.errors import InvalidMediaUrl
from services.access.media_urls import MediaSignature, MediaUrlSigner
from services.access.signing_secrets import load_or_create_secret
from services.database.engine import SqlDatabase
from tests.support.fake_clock import FakeClock

ASSET, OTHER = "a" * 64, "b" * 64


def make_signer(secret: bytes = b"s" * 32) -> tuple[MediaUrlSigner, FakeClock]:
    clock = FakeClock(1000.0)
    return MediaUrlSigner(lambda: secret, clock), clock


def test_a_signature_holds_for_its_asset_until_it_expires() -> None:
    signer, clock = make_signer()
    signed = signer.sign(ASSET, "0123456789ab", 60)
    assert signed.expires_at == "1060"
    signer.verify(ASSET, signed)
    with pytest.raises(InvalidMediaUrl, match="another asset"):
        signer.verify(OTHER, signed)
    clock.at = 1059.9
    signer.verify(ASSET, signed)
    clock.at = 1060.0
    with pytest.raises(InvalidMediaUrl, match="has expired"):
        signer.verify(ASSET, signed)


@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": "9999"},
        {"expires_at": "1060 "},
        {"expires_at": "never"},
        {"key_id": "0123456789ac"},
        {"key_id": ""},
        {"signature": ""},
        {"signature": "ü\udcff" * 20},
    ],
)
def test_what_was_altered_is_refused(change: dict[str, str]) -> None:
    signer, _ = make_signer()
    with pytest.raises(InvalidMediaUrl, match="altered"):
        signer.verify(ASSET, replace(signer.sign(ASSET, "0123456789ab", 60), **change))


def test_no_field_can_be_moved_into_another() -> None:
    signer, _ = make_signer()
    signed = signer.sign(ASSET, "5\n6", 60)
    with pytest.raises(InvalidMediaUrl):
        signer.verify(ASSET, MediaSignature(f"{signed.expires_at}\n5", "6", signed.signature + "A"))


def test_another_secret_signs_otherwise() -> None:
    signed = make_signer(b"t" * 32)[0].sign(ASSET, "", 60)
    with pytest.raises(InvalidMediaUrl):
        make_signer()[0].verify(ASSET, signed)


def test_the_secret_is_made_once_for_all_servers_of_an_archive(database: SqlDatabase, database_url: str) -> None:
    first = load_or_create_secret(database, "media-urls")
    other_server = SqlDatabase(database_url)
    assert load_or_create_secret(other_server, "media-urls") == first and len(first) == 32
    assert load_or_create_secret(other_server, "others") != first
    other_server.close()
