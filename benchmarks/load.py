"""What the HTTP API costs, and how it bears many at once: searches, answers, jobs, and one very long upload.

A server over the sample archive, a process of its own, and its clients share this machine. Searches are asked for by 1,
10 and 50 clients at a time, each of which asks again once it is answered, and, in turns with that, of the service
itself by as many threads. What HTTP costs is the difference of the medians where one asks; where many ask, everyone
waits for all others, and the difference of the time that each search takes of the whole is told instead.
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
from api.job_shapes import JobShape
from api.replies import EvidenceEvent, PageShape
from api.schemas import AnswerShape
from benchmarks import servers
from benchmarks.answers import load_answerable, load_unrelated
from benchmarks.report import Figure, arguments, print_table, report
from benchmarks.serving import Running, container, serving, working
from demoworld.archive import make_archive
from demoworld.world.questions import Kind, questions
from demoworld.world.sample import make_sample
from demoworld.world.truth import read_video_truth
from indexer.types import SegmentFilter
from services.container import Container
from services.types import Query

_PARTS = ("searches", "answers", "jobs", "upload")
_AT_ONCE, _ROUNDS, _SEARCHES = (1, 10, 50), 3, 120
_ASKING, _ASKED_EACH = 10, 6
_MOST_MS, _FLAT_MB, _MB = 5.0, 64.0, 1 << 20
_Call = Callable[[str], object]
_Shape = TypeVar("_Shape", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Timed:
    """How long each call took, in seconds, and all of them together."""

    each_s: list[float]
    whole_s: float

    @property
    def p50_ms(self) -> float:
        return 1000 * median(self.each_s)

    @property
    def p95_ms(self) -> float:
        return 1000 * float(np.quantile(self.each_s, 0.95))

    @property
    def ms_of_the_whole(self) -> float:
        return 1000 * self.whole_s / len(self.each_s)


def timed(calls: Sequence[_Call], asked: Sequence[str]) -> Timed:
    """Every question asked once, by as many threads as there are calls, each with its own."""
    waiting, each_s = iter(asked), []

    def one(call: _Call) -> None:
        for question in waiting:  # a list's iterator gives each item to one thread only
            begun = time.perf_counter()
            call(question)
            each_s.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    with ThreadPoolExecutor(len(calls)) as pool:
        list(pool.map(one, calls))
    return Timed(each_s, time.perf_counter() - begun)


def searches(server: Running, services: Container, count: int) -> tuple[list[Figure], list[list[str]]]:
    """Searches over HTTP beside the bare service, by turns."""
    words = [one.question for one in load_answerable()] + load_unrelated()
    asked = list(islice(cycle(words), count))
    slots = Semaphore(services.settings.serve.max_concurrent_searches)

    def bare(question: str) -> object:
        with slots:
            return services.retrieval.search(Query(question), SegmentFilter(), 10)

    figures, rows = [], []
    for clients in _AT_ONCE:
        direct, over_http = Timed([], 0.0), Timed([], 0.0)
        with _clients(server, clients) as calls:
            for _ in range(_ROUNDS):
                direct = _sum(direct, timed([bare] * clients, asked))
                over_http = _sum(over_http, timed(calls, asked))
        for name, one in (("service", direct), ("HTTP", over_http)):
            rows.append([str(clients), name, *(f"{value:.1f}" for value in (one.p50_ms, one.p95_ms)), _rate(one)])
        if clients == 1:
            figures.append(
                Figure(
                    "HTTP over the service, p50, 1 at a time",
                    over_http.p50_ms - direct.p50_ms,
                    "ms",
                    _MOST_MS,
                    at_least=False,
                )
            )
        else:
            more = over_http.ms_of_the_whole - direct.ms_of_the_whole
            figures.append(Figure(f"HTTP over the service, each of {clients} at a time", more, "ms"))
    return figures, rows


def answers(server: Running, asked: Sequence[str]) -> list[Figure]:
    """Ten who ask at once, each question after question, as streams; and searches meanwhile."""
    share = list(islice(cycle(asked), _ASKING * _ASKED_EACH))
    alone = _answered(server, share)
    over, meanwhile = Event(), list[float]()
    with ThreadPoolExecutor(_ASKING + 1) as pool:
        searching = pool.submit(_search_until, server, over, meanwhile)
        begun = time.perf_counter()
        asking = [pool.submit(_answered, server, share[n::_ASKING]) for n in range(_ASKING)]
        each = [one.result() for one in asking]
        whole_s = time.perf_counter() - begun
        over.set()
        searching.result()
    means = [fmean(one.whole_s for one in own) for own in each]
    every = [one for own in each for one in own]
    return [
        Figure("answers a second, one at a time", len(alone) / sum(one.whole_s for one in alone), "/s"),
        Figure(f"answers a second, {_ASKING} at once", len(every) / whole_s, "/s"),
        Figure(f"an answer, p50, {_ASKING} at once", median(one.whole_s for one in every), "s"),
        Figure(f"an answer, p95, {_ASKING} at once", float(np.quantile([one.whole_s for one in every], 0.95)), "s"),
        Figure(f"its evidence, p50, {_ASKING} at once", median(one.evidence_s for one in every), "s"),
        Figure(
            "fairness (Jain's index of the clients' means)",
            sum(means) ** 2 / (len(means) * sum(m * m for m in means)),
            "",
            0.9,
        ),
        Figure("slowest client over quickest", max(means) / min(means), "×"),
        Figure("a search meanwhile, p50", 1000 * median(meanwhile), "ms"),
    ]


def many_jobs(server: Running, folder: Path, count: int, where: str = "") -> list[Figure]:
    """So many pictures asked for at once, until all are done; the list is asked for meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [_picture(folder, number) for number in range(count)]
    listed = []
    with Client(server.url) as client:
        begun = time.perf_counter()
        each = timed([lambda path: client.import_source(path, "many")], paths)
        while client.list_jobs("many", limit=1, states=("queued", "running")).items:
            listed.append(_seconds(lambda: client.list_jobs("many")))
            time.sleep(0.5)
        whole_s = time.perf_counter() - begun
        ended = list(_all(lambda after: client.list_jobs("many", after, 500)))
        there = len(list(_all(lambda after: client.list_assets("many", after, 500))))
    done = sum(job.state == "done" for job in ended)
    return [
        Figure(f"{where}jobs asked for", len(ended)),
        Figure(f"{where}jobs done", done, "", float(count)),
        Figure(f"{where}assets of theirs", there, "", float(count)),
        Figure(f"{where}to ask for one, p50", each.p50_ms, "ms"),
        Figure(f"{where}to ask for one, p95", each.p95_ms, "ms"),
        Figure(f"{where}jobs done a second", count / whole_s, "/s"),
        Figure(f"{where}a page of the list meanwhile, p50", 1000 * median(listed), "ms"),
    ]


def long_upload(server: Running, film: Path, folder: Path, gb: float) -> list[Figure]:
    """A film of so many GB, most of it padding, sent piece by piece, and indexed."""
    padded = folder / "long.mp4"
    size = int(gb * (1 << 30))
    pad(film, padded, size)
    with Client(server.url, timeout_s=600) as client:
        server.forget_peak()
        before = server.memory_mb()
        begun = time.perf_counter()
        job = client.upload(padded, "long")
        sent_s = time.perf_counter() - begun
        grown = server.memory_mb("VmHWM") - before
        padded.unlink()
        *_, ended = client.follow_job(job.id)
        assert isinstance(ended, JobShape)
        indexed = server.memory_mb("VmHWM") - before
        stored = ended.asset_id if ended.state == "done" else None
    return [
        Figure("upload", size / (1 << 30), "GiB"),
        Figure("upload, at", size / _MB / sent_s, "MiB/s"),
        Figure("memory that it takes", grown, "MiB", _FLAT_MB, at_least=False),
        Figure("memory with its indexing", indexed, "MiB"),
        Figure("it was indexed", float(stored is not None), "", 1.0),
    ]


def pad(film: Path, padded: Path, size: int) -> None:
    """The film with a last box that is skipped by everyone, so that the file has `size` bytes; those take no space."""
    whole = film.read_bytes()
    box = (1).to_bytes(4, "big") + b"free" + (size - len(whole)).to_bytes(8, "big")
    padded.write_bytes(whole + box)
    os.truncate(padded, size)


@dataclass(frozen=True, slots=True)
class _Answered:
    evidence_s: float
    whole_s: float


def _answered(server: Running, asked: Sequence[str]) -> list[_Answered]:
    told = []
    with Client(server.url, timeout_s=600) as client:
        for question in asked:
            begun = time.perf_counter()
            evidence_s = whole_s = 0.0
            for event in client.ask_stream(question):
                if isinstance(event, EvidenceEvent):
                    evidence_s = time.perf_counter() - begun
                elif isinstance(event, AnswerShape):
                    whole_s = time.perf_counter() - begun
            told.append(_Answered(evidence_s, whole_s))
    return told


def _search_until(server: Running, over: Event, each_s: list[float]) -> None:
    with Client(server.url) as client:
        while not over.wait(0.2):
            each_s.append(_seconds(lambda: client.search("lifejackets")))


def _picture(folder: Path, number: int) -> str:
    path = folder / f"picture_{number:05}.png"
    Image.new("RGB", (64, 48), (number % 256, number // 256 % 256, 100)).save(path)
    return str(path)


def _all(part: Callable[[str | None], PageShape[_Shape]]) -> Iterator[_Shape]:
    after = None
    while True:
        page = part(after)
        yield from page.items
        if (after := page.after) is None:
            return


@contextmanager
def _clients(server: Running, count: int) -> Iterator[list[_Call]]:
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(server.url)) for _ in range(count)]
        yield [partial(_search, client) for client in clients]


def _search(client: Client, question: str) -> object:
    return client.search(question, limit=10)


def _sum(one: Timed, other: Timed) -> Timed:
    return Timed(one.each_s + other.each_s, one.whole_s + other.whole_s)


def _rate(one: Timed) -> str:
    return f"{len(one.each_s) / one.whole_s:.1f}"


def _seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def archive(work: Path) -> tuple[Path, list[str]]:
    """The home of the sample archive, indexed where it is not yet, and questions about what is seen in it."""
    files, home = work / "archive", work / "home"
    if not (files / "drawn" / "camera.truth.json").exists():
        make_archive(files)
        make_sample(files / "drawn")
    with closing(container(home, {})) as services:
        list(services.indexing.index_paths([files], "default"))
    truth = read_video_truth(files / "drawn" / "camera.truth.json")
    kinds = (Kind.IS_THERE, Kind.WHAT, Kind.WHEN, Kind.PLACE, Kind.FIRST, Kind.HOW_MANY)
    return home, [asked.text for asked in questions(truth, 1, 4) if asked.kind in kinds]


@contextmanager
def cluster() -> Iterator[dict[str, str]]:
    """The settings of a catalog in PostgreSQL and of jobs that Celery carries over Redis to a worker elsewhere."""
    with servers.postgres() as postgres, servers.redis() as redis, postgres.database() as url:
        yield {"catalog__url": url, "jobs__kind": "celery", "jobs__url": redis.url}


def run(given: argparse.Namespace, work: Path) -> list[Figure]:
    """The parts that were named, in this order, each with a server of its own; jobs with an archive of their own."""
    home, asked = archive(work)
    (work / "many").mkdir(exist_ok=True)
    settings = {"ingest__allowed_roots": f'["{work / "many"}"]', "ingest__max_bytes": str(16 << 30)}
    log, film = work / "server.log", work / "archive" / "drawn" / "camera.mp4"
    figures: list[Figure] = []
    if "searches" in given.parts:
        with serving(home, log, settings) as server, closing(container(home, {})) as services:
            found, rows = searches(server, services, given.searches)
        print_table("searches", ("at a time", "asked of", "p50 ms", "p95 ms", "a second"), rows)
        figures += found
    if "answers" in given.parts:
        with serving(home, log, settings) as server:
            figures += answers(server, asked)
    if "jobs" in given.parts:
        with _empty(work) as new, serving(new, log, settings) as server:
            figures += many_jobs(server, work / "many", given.jobs)
        with _empty(work) as new, cluster() as shared, ExitStack() as running:
            server = running.enter_context(serving(new, log, settings | shared))
            running.enter_context(working(new, work / "worker.log", settings | shared))
            figures += many_jobs(server, work / "many", given.jobs, "Celery: ")
    if "upload" in given.parts:
        with _empty(work) as new, serving(new, log, settings) as server:
            figures += long_upload(server, film, work, given.gb)
    return figures


@contextmanager
def _empty(work: Path) -> Iterator[Path]:
    """A new home."""
    with tempfile.TemporaryDirectory(dir=work, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def main() -> int:
    """The command."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--parts", nargs="+", default=[*_PARTS], choices=_PARTS, help="which")
    parser.add_argument("--searches", type=int, default=_SEARCHES, help="searches a round")
    parser.add_argument("--jobs", type=int, default=1000, help="jobs that are asked for at once")
    parser.add_argument("--gb", type=float, default=4.0, help="length of the upload in GiB; as much again is stored")
    parser.add_argument("--work", type=Path, help="where the archive is kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        work = given.work or Path(made)
        work.mkdir(parents=True, exist_ok=True)
        return report("load", run(given, work), given.check, given.json)


if __name__ == "__main__":
    sys.exit(main())
