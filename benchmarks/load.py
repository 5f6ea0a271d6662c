"""Load benchmark of the HTTP API: overhead of search, concurrent answers, a thousand jobs, and one very long upload.

A server over the sample archive, in a process of its own, and its clients share this machine. Searches are sent by 1,
10 and 50 clients, each of which sends the next one when the last is answered, and, in alternating rounds, to the
service itself by as many threads. The cost of HTTP is the difference of the medians at one client; with many, everyone
waits for all others, and the difference of the mean time per search is given instead.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import fmean, median
from threading import Event, Semaphore
from typing import TypeVar

import numpy as np
from PIL import Image
from pydantic import BaseModel

from api.client import Client
from api.schemas.jobs import JobShape
from api.schemas.responses import EvidenceEvent, PageShape
from api.schemas.results import AnswerShape
from benchmarks.answers import load_answerable, load_unrelated
from benchmarks.report import Figure, make_parser, print_table, report
from demoworld.archive import make_archive
from demoworld.world.questions import QuestionKind, generate_questions
from demoworld.world.sample import make_sample
from demoworld.world.truth import read_video_truth
from indexer.types import SegmentFilter
from services.container import Container
from services.search.types import Query
from tests.support import database_servers
from tests.support.server_processes import RunningServer, open_container, run_server, run_worker

_PARTS = ("searches", "answers", "jobs", "upload")
_CLIENT_COUNTS, _ROUND_COUNT, _SEARCHES_PER_ROUND = (1, 10, 50), 3, 120
_ASKING_CLIENTS, _QUESTIONS_PER_CLIENT = 10, 6
_MAX_OVERHEAD_MS, _MAX_UPLOAD_MB, _BYTES_PER_MB = 5.0, 64.0, 1 << 20
_Call = Callable[[str], object]
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Timings:
    """Latency of each call, and the duration of all together, in seconds."""

    latencies_s: list[float]
    total_s: float

    @property
    def p50_ms(self) -> float:
        """Median latency."""
        return 1000 * median(self.latencies_s)

    @property
    def p95_ms(self) -> float:
        """95th percentile of latency."""
        return 1000 * float(np.quantile(self.latencies_s, 0.95))

    @property
    def ms_per_call(self) -> float:
        """Duration of all together over the number of calls."""
        return 1000 * self.total_s / len(self.latencies_s)


def time_calls(calls: Sequence[_Call], questions: Sequence[str]) -> Timings:
    """Send every question once, by as many threads as there are calls, each with its own."""
    waiting, latencies_s = iter(questions), []

    def run_client(call: _Call) -> None:
        for question in waiting:  # a list's iterator gives each item to one thread only
            started = time.perf_counter()
            call(question)
            latencies_s.append(time.perf_counter() - started)

    started = time.perf_counter()
    with ThreadPoolExecutor(len(calls)) as pool:
        list(pool.map(run_client, calls))
    return Timings(latencies_s, time.perf_counter() - started)


def measure_searches(server: RunningServer, services: Container, count: int) -> tuple[list[Figure], list[list[str]]]:
    """Measure searches over HTTP and of the bare service, in alternating rounds."""
    words = [answerable.question for answerable in load_answerable()] + load_unrelated()
    questions = list(islice(cycle(words), count))
    slots = Semaphore(services.settings.serve.max_concurrent_searches)

    def search_service(question: str) -> object:
        with slots:
            return services.retrieval.search(Query(question), SegmentFilter(), 10)

    figures, rows = [], []
    for clients in _CLIENT_COUNTS:
        direct, over_http = Timings([], 0.0), Timings([], 0.0)
        with _open_clients(server, clients) as calls:
            for _ in range(_ROUND_COUNT):
                direct = _add_timings(direct, time_calls([search_service] * clients, questions))
                over_http = _add_timings(over_http, time_calls(calls, questions))
        for name, timings in (("service", direct), ("HTTP", over_http)):
            rows.append(
                [
                    str(clients),
                    name,
                    *(f"{value:.1f}" for value in (timings.p50_ms, timings.p95_ms)),
                    _format_rate(timings),
                ]
            )
        if clients == 1:
            figures.append(
                Figure(
                    "HTTP over the service, p50, 1 at a time",
                    over_http.p50_ms - direct.p50_ms,
                    "ms",
                    _MAX_OVERHEAD_MS,
                    at_least=False,
                )
            )
        else:
            more = over_http.ms_per_call - direct.ms_per_call
            figures.append(Figure(f"HTTP over the service, each of {clients} at a time", more, "ms"))
    return figures, rows


def measure_answers(server: RunningServer, questions: Sequence[str]) -> list[Figure]:
    """Measure streamed answers to ten concurrent clients, and searches meanwhile."""
    share = list(islice(cycle(questions), _ASKING_CLIENTS * _QUESTIONS_PER_CLIENT))
    alone = _time_answers(server, share)
    done, search_times_s = Event(), list[float]()
    with ThreadPoolExecutor(_ASKING_CLIENTS + 1) as pool:
        searching = pool.submit(_search_until_done, server, done, search_times_s)
        started = time.perf_counter()
        asking = [pool.submit(_time_answers, server, share[n::_ASKING_CLIENTS]) for n in range(_ASKING_CLIENTS)]
        timings_by_client = [future.result() for future in asking]
        whole_s = time.perf_counter() - started
        done.set()
        searching.result()
    means = [fmean(timing.total_s for timing in client_timings) for client_timings in timings_by_client]
    timings = [timing for client_timings in timings_by_client for timing in client_timings]
    return [
        Figure("answers a second, one at a time", len(alone) / sum(timing.total_s for timing in alone), "/s"),
        Figure(f"answers a second, {_ASKING_CLIENTS} at once", len(timings) / whole_s, "/s"),
        Figure(f"an answer, p50, {_ASKING_CLIENTS} at once", median(timing.total_s for timing in timings), "s"),
        Figure(
            f"an answer, p95, {_ASKING_CLIENTS} at once",
            float(np.quantile([timing.total_s for timing in timings], 0.95)),
            "s",
        ),
        Figure(f"its evidence, p50, {_ASKING_CLIENTS} at once", median(timing.evidence_s for timing in timings), "s"),
        Figure(
            "fairness (Jain's index of the clients' means)",
            sum(means) ** 2 / (len(means) * sum(m * m for m in means)),
            "",
            0.9,
        ),
        Figure("slowest client over quickest", max(means) / min(means), "×"),
        Figure("a search meanwhile, p50", 1000 * median(search_times_s), "ms"),
    ]


def measure_jobs(server: RunningServer, folder: Path, count: int, label: str = "") -> list[Figure]:
    """Submit `count` pictures at once and wait until all are indexed; the job list is requested meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [_write_picture(folder, number) for number in range(count)]
    page_times_s = []
    with Client(server.url) as client:
        started = time.perf_counter()
        submissions = time_calls([lambda path: client.import_source(path, "many")], paths)
        while client.list_jobs("many", limit=1, states=("queued", "running")).items:
            page_times_s.append(_time_call(lambda: client.list_jobs("many")))
            time.sleep(0.5)
        whole_s = time.perf_counter() - started
        jobs = list(_list_all(lambda after: client.list_jobs("many", after, 500)))
        asset_count = len(list(_list_all(lambda after: client.list_assets("many", after, 500))))
    done = sum(job.state == "done" for job in jobs)
    return [
        Figure(f"{label}jobs submitted", len(jobs)),
        Figure(f"{label}jobs done", done, "", float(count)),
        Figure(f"{label}assets indexed", asset_count, "", float(count)),
        Figure(f"{label}to submit one, p50", submissions.p50_ms, "ms"),
        Figure(f"{label}to submit one, p95", submissions.p95_ms, "ms"),
        Figure(f"{label}jobs done a second", count / whole_s, "/s"),
        Figure(f"{label}a page of the list meanwhile, p50", 1000 * median(page_times_s), "ms"),
    ]


def measure_upload(server: RunningServer, film: Path, folder: Path, gb: float) -> list[Figure]:
    """Upload a film padded to `gb` GiB in parts, and wait until it is indexed."""
    padded = folder / "long.mp4"
    size = int(gb * (1 << 30))
    pad_film(film, padded, size)
    with Client(server.url, timeout_s=600) as client:
        server.reset_peak()
        before = server.memory_mb()
        started = time.perf_counter()
        job = client.upload(padded, "long")
        sent_s = time.perf_counter() - started
        growth_mb = server.memory_mb("VmHWM") - before
        padded.unlink()
        *_, job_result = client.follow_job(job.id)
        assert isinstance(job_result, JobShape)
        indexed = server.memory_mb("VmHWM") - before
        stored = job_result.asset_id if job_result.state == "done" else None
    return [
        Figure("upload", size / (1 << 30), "GiB"),
        Figure("upload, at", size / _BYTES_PER_MB / sent_s, "MiB/s"),
        Figure("memory that it takes", growth_mb, "MiB", _MAX_UPLOAD_MB, at_least=False),
        Figure("memory with its indexing", indexed, "MiB"),
        Figure("it was indexed", float(stored is not None), "", 1.0),
    ]


def pad_film(film: Path, padded: Path, size: int) -> None:
    """Write a film padded to `size` bytes by a last box that readers skip; the padding takes no disk space."""
    whole = film.read_bytes()
    box = (1).to_bytes(4, "big") + b"free" + (size - len(whole)).to_bytes(8, "big")
    padded.write_bytes(whole + box)
    os.truncate(padded, size)


@dataclass(frozen=True, slots=True)
class _AnswerTiming:
    evidence_s: float
    total_s: float


def _time_answers(server: RunningServer, questions: Sequence[str]) -> list[_AnswerTiming]:
    timings = []
    with Client(server.url, timeout_s=600) as client:
        for question in questions:
            started = time.perf_counter()
            evidence_s = whole_s = 0.0
            for event in client.ask_stream(question):
                if isinstance(event, EvidenceEvent):
                    evidence_s = time.perf_counter() - started
                elif isinstance(event, AnswerShape):
                    whole_s = time.perf_counter() - started
            timings.append(_AnswerTiming(evidence_s, whole_s))
    return timings


def _search_until_done(server: RunningServer, done: Event, latencies_s: list[float]) -> None:
    with Client(server.url) as client:
        while not done.wait(0.2):
            latencies_s.append(_time_call(lambda: client.search("lifejackets")))


def _write_picture(folder: Path, number: int) -> str:
    path = folder / f"picture_{number:05}.png"
    Image.new("RGB", (64, 48), (number % 256, number // 256 % 256, 100)).save(path)
    return str(path)


def _list_all(fetch_page: Callable[[str | None], PageShape[_Model]]) -> Iterator[_Model]:
    after = None
    while True:
        page = fetch_page(after)
        yield from page.items
        if (after := page.after) is None:
            return


@contextmanager
def _open_clients(server: RunningServer, count: int) -> Iterator[list[_Call]]:
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(server.url)) for _ in range(count)]
        yield [partial(_search, client) for client in clients]


def _search(client: Client, question: str) -> object:
    return client.search(question, limit=10)


def _add_timings(left: Timings, right: Timings) -> Timings:
    return Timings(left.latencies_s + right.latencies_s, left.total_s + right.total_s)


def _format_rate(timings: Timings) -> str:
    return f"{len(timings.latencies_s) / timings.total_s:.1f}"


def _time_call(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def prepare_archive(work: Path) -> tuple[Path, list[str]]:
    """Render and index the sample archive where that is not yet done; returns its home, and questions about it."""
    files, home = work / "archive", work / "home"
    if not (files / "drawn" / "camera.truth.json").exists():
        make_archive(files)
        make_sample(files / "drawn")
    with closing(open_container(home, {})) as services:
        list(services.indexing.index_paths([files], "default"))
    truth = read_video_truth(files / "drawn" / "camera.truth.json")
    kinds = (
        QuestionKind.IS_THERE,
        QuestionKind.VISIBLE_AT,
        QuestionKind.WHEN,
        QuestionKind.PLACE,
        QuestionKind.FIRST,
        QuestionKind.HOW_MANY,
    )
    return home, [question.text for question in generate_questions(truth, 1, 4) if question.kind in kinds]


@contextmanager
def start_cluster() -> Iterator[dict[str, str]]:
    """Start PostgreSQL and Redis; yields the settings of a catalog and a job queue on them."""
    with (
        database_servers.start_postgres() as postgres,
        database_servers.start_redis() as redis,
        postgres.create_database() as url,
    ):
        yield {"catalog__url": url, "jobs__kind": "celery", "jobs__url": redis.url}


def run(args: argparse.Namespace, work: Path) -> list[Figure]:
    """Run the named parts, each with a server of its own; jobs and upload with an empty home."""
    home, questions = prepare_archive(work)
    (work / "many").mkdir(exist_ok=True)
    settings = {"ingest__allowed_roots": f'["{work / "many"}"]', "ingest__max_bytes": str(16 << 30)}
    log, film = work / "server.log", work / "archive" / "drawn" / "camera.mp4"
    figures: list[Figure] = []
    if "searches" in args.parts:
        with run_server(home, log, settings) as server, closing(open_container(home, {})) as services:
            search_figures, rows = measure_searches(server, services, args.searches)
        print_table("searches", ("clients", "target", "p50 ms", "p95 ms", "a second"), rows)
        figures += search_figures
    if "answers" in args.parts:
        with run_server(home, log, settings) as server:
            figures += measure_answers(server, questions)
    if "jobs" in args.parts:
        with _new_home(work) as new, run_server(new, log, settings) as server:
            figures += measure_jobs(server, work / "many", args.jobs)
        with _new_home(work) as new, start_cluster() as shared, ExitStack() as running:
            server = running.enter_context(run_server(new, log, settings | shared))
            running.enter_context(run_worker(new, work / "worker.log", settings | shared))
            figures += measure_jobs(server, work / "many", args.jobs, "Celery: ")
    if "upload" in args.parts:
        with _new_home(work) as new, run_server(new, log, settings) as server:
            figures += measure_upload(server, film, work, args.gb)
    return figures


@contextmanager
def _new_home(work: Path) -> Iterator[Path]:
    """Yield an empty home."""
    with tempfile.TemporaryDirectory(dir=work, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def main() -> int:
    """Run the command line."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--parts", nargs="+", default=[*_PARTS], choices=_PARTS, help="parts to run")
    parser.add_argument("--searches", type=int, default=_SEARCHES_PER_ROUND, help="searches a round")
    parser.add_argument("--jobs", type=int, default=1000, help="jobs submitted at once")
    parser.add_argument("--gb", type=float, default=4.0, help="size of the upload in GiB; as much again is stored")
    parser.add_argument("--work", type=Path, help="folder in which the archive is kept between runs")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp_folder:
        work = args.work or Path(temp_folder)
        work.mkdir(parents=True, exist_ok=True)
        return report("load", run(args, work), args.check, args.json)


if __name__ == "__main__":
    sys.exit(main())
