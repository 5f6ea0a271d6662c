"""The doctor: what a cluster needs is probed for real, and what cannot be reached is named with its setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.container import Container
from services.doctor import Check, CheckStatus, run_checks
from services.settings import load_settings
from tests.support.closed_port import refuse_connections
from tests.support.database_servers import RedisServer
from tests.support.object_store import make_bucket, run_s3_server

_NO_MODELS = {"TEXT__MODEL": "", "OCR__ENABLED": "false", "SPEECH__MODEL": ""}


@pytest.fixture
def run_doctor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., dict[str, Check]]]:
    """What the doctor says of the cluster profile, by part."""
    containers: list[Container] = []

    def run_doctor(**settings: str) -> dict[str, Check]:
        for name, value in {"HOME": str(tmp_path), **_NO_MODELS, **settings}.items():
            monkeypatch.setenv(f"AFTERIMAGE_{name}", value)
        containers.append(Container(load_settings("cluster")))
        return {check.part: check for check in run_checks(containers[-1])}

    yield run_doctor
    for container in containers:
        container.close()


@pytest.fixture
def closed_address() -> Iterator[str]:
    """`host:port` at which nobody answers."""
    with refuse_connections() as address:
        yield address


def test_every_part_of_a_cluster_that_cannot_be_reached_is_named_with_its_setting(
    run_doctor: Callable[..., dict[str, Check]], closed_address: str
) -> None:
    checks = run_doctor(
        CATALOG__URL=f"postgresql://me:hidden@{closed_address}/afterimage",
        JOBS__URL=f"redis://{closed_address}/0",
        INDEX__URL=f"http://{closed_address}",
        GENERATOR__URL=f"http://{closed_address}/v1",
    )
    for part, setting in {
        "catalog": "AFTERIMAGE_CATALOG__URL",
        "jobs": "AFTERIMAGE_JOBS__URL",
        "index": "AFTERIMAGE_INDEX__URL",
        "generator": "AFTERIMAGE_GENERATOR__URL",
    }.items():
        assert checks[part].status is CheckStatus.FAILED
        assert setting in checks[part].detail
        assert "hidden" not in checks[part].detail
    assert checks["home"].status is checks["video"].status is CheckStatus.OK


def test_a_catalog_in_a_file_is_no_catalog_of_a_cluster(
    run_doctor: Callable[..., dict[str, Check]], closed_address: str
) -> None:
    checks = run_doctor(JOBS__URL=f"redis://{closed_address}/0", INDEX__URL="", GENERATOR__KIND="extractive")
    assert checks["catalog"].status is CheckStatus.FAILED
    assert "AFTERIMAGE_CATALOG__URL" in checks["catalog"].detail
    assert "every machine must have this folder" in checks["blobs"].detail


def test_parts_that_are_there_do_their_work(
    run_doctor: Callable[..., dict[str, Check]], monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer
) -> None:
    with run_s3_server() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        make_bucket(environment, "archive")
        checks = run_doctor(
            JOBS__URL=redis_server.url, BLOBS__URL="s3://archive/a", INDEX__URL="", GENERATOR__KIND="extractive"
        )
    assert (checks["blobs"].status, checks["blobs"].detail) == (CheckStatus.OK, "s3://archive/a")
    assert checks["jobs"].detail == "celery: 0 waiting in index, 0 waiting in summarize"
    assert (checks["index"].status, checks["index"].detail) == (CheckStatus.OK, "0 segments of 0 assets")
