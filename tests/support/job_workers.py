"""Submitting and running jobs in tests: settings that lose no time, files to index, worker processes."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from services.container import Container
from services.jobs.types import IndexRequest, Job, JobState, NewJob
from tests.support.http_server import FakeWebServer, run_web_server
from tests.support.server_processes import start_afterimage
from tests.support.synthetic_workload import make_film

TIMEOUT_S = 600.0
CHECKPOINT_S, CHECKPOINTS = 5, 8
FAST_JOB_SETTINGS = {
    "text__model": "",
    "speech__model": "",
    "visual__model": "",
    "ocr__enabled": "false",
    "generator__kind": "extractive",
    "sampling__checkpoint_s": str(CHECKPOINT_S),
    "jobs__lease_s": "30",
    "jobs__sweep_interval_s": "0.2",
    "jobs__redeliver_after_s": "1",
    "jobs__retry_backoff_s": "0.1",
    "ingest__allowed_private_hosts": '["127.0.0.1"]',
}
"""Settings of containers where nothing is encoded, and what is lost is soon found."""


def make_files(folder: Path) -> None:
    """Write a film of eight checkpoints with subtitles, a report of three pages, a photo, and a broken film."""
    make_film(folder / "film.mp4", CHECKPOINTS * CHECKPOINT_S, 160, 90, 5, 7)
    cues = [(3, 7, "The ferry leaves at a quarter past nine."), (19, 22, "Mind the green door, it sticks.")]
    text = [f"{i}\n00:00:{a:02},500 --> 00:00:{b:02},000\n{words}\n" for i, (a, b, words) in enumerate(cues, 1)]
    (folder / "film.srt").write_text("\n".join(text), "utf-8")
    canvas = Canvas(str(folder / "report.pdf"), pagesize=(300, 400), invariant=True)
    for number in range(3):
        canvas.drawString(50, 300, f"Page {number} tells of the harbour.")
        canvas.showPage()
    canvas.save()
    Image.new("RGB", (64, 48), "ivory").save(folder / "photo.png")
    (folder / "broken.mp4").write_bytes(b"\0" * 2000)


def import_job(path: Path, collection: str = "default") -> NewJob:
    """Return a job that indexes a file or folder."""
    return NewJob(IndexRequest(path.as_uri(), path.name), collection)


@dataclass(frozen=True, slots=True)
class SlowFilm:
    """A film that comes a byte at a time until it is sped up: its job runs as long as a test needs it to."""

    web_server: FakeWebServer

    def import_job(self) -> NewJob:
        """Return a job that indexes the film."""
        return NewJob(IndexRequest(f"{self.web_server.url}/film.mp4", "film.mp4"), "default")

    def speed_up(self) -> None:
        """Let later requests have it at once."""
        self.web_server.byte_delay_s = 0.0


@contextmanager
def serve_slow_film(path: Path) -> Iterator[SlowFilm]:
    """Serve a film slowly."""
    with run_web_server() as web_server:
        web_server.files["/film.mp4"] = path.read_bytes()
        web_server.byte_delay_s = 0.02
        yield SlowFilm(web_server)


def make_photo(folder: Path, number: int) -> Path:
    """Write a picture of its own color; gives its path."""
    path = folder / f"photo-{number:03}.png"
    Image.new("RGB", (32, 24), (number % 256, 100, 200)).save(path)
    return path


def wait_until_finished(container: Container, *jobs: Job) -> list[Job]:
    """Return the jobs once all have ended."""
    return [wait_for_job(container, job, lambda current: current.state.is_terminal) for job in jobs]


def wait_for_job(container: Container, job: Job, condition: Callable[[Job], bool]) -> Job:
    """Return the job once a condition holds; fail where it ends before, or takes too long."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition(current := container.background.jobs.get(job.id)):
        assert time.monotonic() < deadline, current
        assert not current.state.is_terminal, current
        time.sleep(0.02)
    return current


def count_starts(container: Container, job: Job) -> int:
    """Return how often workers took the job from the queue."""
    events = container.background.jobs.list_events(job.id)
    begun = [event for before, event in pairwise(events) if before.state is JobState.QUEUED]
    return sum(event.state is JobState.RUNNING for event in begun)


@contextmanager
def run_worker(home: Path, log: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `afterimage worker` as a process; it is stopped afterwards."""
    process = start_afterimage(home, log, FAST_JOB_SETTINGS | settings, "worker")
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(TIMEOUT_S)
