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
from tests.support.waiting import TIMEOUT_S

WEBHOOK_URL = "https://example.org/told"


@pytest.fixture
def container(make_container: MakeContainer, tmp_path: Path) -> Container:
    return make_container(tmp_path / "home", jobs__webhook_secret=f"whsec_{'A' * 32}")


@pytest.fixture
def failed_job(container: Container) -> Job:
    job = container.background.dispatcher.submit(
        NewJob(IndexRequest("file:///srv/film.mp4", "film.mp4"), "trips", webhook=WEBHOOK_URL)
    )
    return container.background.leases.fail(
        container.background.leases.claim(job.id, "machine:7"), "film.mp4: is [bold]empty"
    )


def test_jobs_are_listed_newest_first_with_what_went_wrong(
    run_command: RunCommand, container: Container, failed_job: Job
) -> None:
    queued = container.background.dispatcher.submit(
        NewJob(IndexRequest("file:///srv/lease.pdf", "lease.pdf"), "leases")
    )
    said = run_command(container.home, "jobs", "list").stdout
    assert [line.split()[0] for line in said.splitlines()[1:]] == [queued.id, failed_job.id]
    assert "film.mp4: is [bold]empty" in said
    assert [job["id"] for job in run_command(container.home, "jobs", "list", "-c", "leases", "--json").json] == [
        queued.id
    ]
    assert [job["id"] for job in run_command(container.home, "jobs", "list", "--state", "failed", "--json").json] == [
        failed_job.id
    ]


def test_a_job_is_shown_with_what_happened_to_it(
    run_command: RunCommand, container: Container, failed_job: Job
) -> None:
    said = run_command(container.home, "jobs", "show", failed_job.id).stdout
    for part in ("failed", "trips", "machine:7", "queued", "running", f"{WEBHOOK_URL}: to be delivered, tries: 0"):
        assert part in said
    shown = run_command(container.home, "jobs", "show", failed_job.id, "--json").json
    assert [event["state"] for event in shown["events"]] == ["queued", "running", "failed"]
    assert shown["request"] == {"uri": "file:///srv/film.mp4", "name": "film.mp4"}


def test_jobs_are_cancelled_and_tried_again(run_command: RunCommand, container: Container, failed_job: Job) -> None:
    assert run_command(container.home, "jobs", "retry", failed_job.id).stdout == f"{failed_job.id}: queued\n"
    assert run_command(container.home, "jobs", "cancel", failed_job.id).stdout == f"{failed_job.id}: cancelled\n"
    assert container.background.jobs.get(failed_job.id).state == "cancelled"


def test_a_job_that_is_not_there_is_one_line(run_command: RunCommand, tmp_path: Path) -> None:
    for command in ("show", "cancel", "retry"):
        said = run_command(tmp_path / "home", "jobs", command, "x")
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
    assert process.wait(TIMEOUT_S) == 0
    assert alive.exists()


def test_a_queue_that_is_not_there_is_named(run_command: RunCommand, tmp_path: Path) -> None:
    said = run_command(tmp_path / "home", "worker", "--queues", "index,dreams")
    assert said.exit_code == 2
    assert "there is no queue 'dreams'" in said.stderr
