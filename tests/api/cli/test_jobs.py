"""`afterimage jobs` and `afterimage worker`: what a person sees of jobs, and the worker as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.container import Container
from services.jobs.types import IndexRequest, Job, NewJob
from tests.support.cli_runner import RunCommand
from tests.support.containers import MakeContainer

WEBHOOK_URL = "https://example.org/told"


@pytest.fixture
def container(services: MakeContainer, tmp_path: Path) -> Container:
    return services(tmp_path / "home", jobs__webhook_secret="x")


@pytest.fixture
def failed(container: Container) -> Job:
    job = container.dispatcher.submit(
        NewJob(IndexRequest("file:///srv/film.mp4", "film.mp4"), "trips", webhook=WEBHOOK_URL)
    )
    return container.leases.fail(container.leases.claim(job.id, "machine:7"), "film.mp4: is [bold]empty")


def test_jobs_are_listed_newest_first_with_what_went_wrong(cli: RunCommand, container: Container, failed: Job) -> None:
    queued = container.dispatcher.submit(NewJob(IndexRequest("file:///srv/lease.pdf", "lease.pdf"), "leases"))
    said = cli(container.home, "jobs", "list").stdout
    assert [line.split()[0] for line in said.splitlines()[1:]] == [queued.id, failed.id]
    assert "film.mp4: is [bold]empty" in said
    assert [job["id"] for job in cli(container.home, "jobs", "list", "-c", "leases", "--json").json] == [queued.id]
    assert [job["id"] for job in cli(container.home, "jobs", "list", "--state", "failed", "--json").json] == [failed.id]


def test_a_job_is_shown_with_what_happened_to_it(cli: RunCommand, container: Container, failed: Job) -> None:
    said = cli(container.home, "jobs", "show", failed.id).stdout
    for part in ("failed", "trips", "machine:7", "queued", "running", f"{WEBHOOK_URL}: to be told, tries: 0"):
        assert part in said
    shown = cli(container.home, "jobs", "show", failed.id, "--json").json
    assert [event["state"] for event in shown["events"]] == ["queued", "running", "failed"]
    assert shown["request"] == {"uri": "file:///srv/film.mp4", "name": "film.mp4"}


def test_jobs_are_cancelled_and_tried_again(cli: RunCommand, container: Container, failed: Job) -> None:
    assert cli(container.home, "jobs", "retry", failed.id).stdout == f"{failed.id}: queued\n"
    assert cli(container.home, "jobs", "cancel", failed.id).stdout == f"{failed.id}: cancelled\n"
    assert container.jobs.get(failed.id).state == "cancelled"


def test_a_job_that_is_not_there_is_one_line(cli: RunCommand, tmp_path: Path) -> None:
    for command in ("show", "cancel", "retry"):
        said = cli(tmp_path / "home", "jobs", command, "x")
        assert (said.exit_code, said.error_lines) == (1, ["error: no job 'x'"])


@pytest.mark.slow
def test_a_worker_touches_a_file_while_what_it_needs_answers(tmp_path: Path) -> None:
    alive, plain = tmp_path / "alive", {"TEXT__MODEL": "", "VISUAL__MODEL": "", "OCR__ENABLED": "false"}
    settings = {"PROFILE": "demo", "HOME": str(tmp_path / "home"), "GENERATOR__KIND": "extractive", **plain}
    environment = os.environ | {f"AFTERIMAGE_{name}": value for name, value in settings.items()}
    process = subprocess.Popen([sys.executable, "-m", "api.cli", "worker", "--alive", str(alive)], env=environment)
    while process.poll() is None and not alive.exists():
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert alive.exists()


def test_a_queue_that_is_not_there_is_named(cli: RunCommand, tmp_path: Path) -> None:
    said = cli(tmp_path / "home", "worker", "--queues", "index,dreams")
    assert said.exit_code == 2
    assert "there is no queue 'dreams'" in said.stderr
