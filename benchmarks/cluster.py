"""The same archive in one process and on a cluster's parts: is the same found, and the same answered?

The sample archive is indexed twice: by one process into FAISS and SQLite, and by a worker, file by file as jobs that
Celery carries over Redis, into Qdrant and PostgreSQL. Both are then asked the same, with the same generator: dense
scores, the ten best results of search, and the questions of the demo. Qdrant is its client's local mode, or the server
that AFTERIMAGE_TEST_QDRANT_URL names.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks import servers
from benchmarks.answers import load_answerable, load_unrelated
from benchmarks.report import Figure, arguments, print_table, report
from benchmarks.serving import container, working
from demoworld.archive import make_archive
from demoworld.tour import TOUR, VIDEO
from demoworld.world.sample import asked_of, make_sample
from demoworld.world.truth import read_video_truth
from indexer.errors import AfterimageError
from indexer.types import Lane, SegmentFilter
from services.container import Container
from services.jobs.types import IndexRequest, JobState, NewJob
from services.sources import DiscoveredFile, discover
from services.types import Answer, Citation, Query

_BEST, _DEPTH, _PATIENCE_S = 10, 50, 1800.0
_EVERYWHERE = SegmentFilter()
_MOST_APART, _LEAST_SHARED = 1e-4, 0.95
_Place: TypeAlias = tuple[str, int]
"""An asset and a segment of it."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How far two archives are apart: the largest difference of a dense score, the shares of the ten best that both
    have, of search and of keywords alone, and the questions with their answers where those differ."""

    scores: float
    found: float
    keywords: float
    asked: int
    different: list[tuple[str, str, str]]


def in_one_process(home: Path, files: Path, settings: dict[str, str]) -> Container:
    """The files, indexed here."""
    made = container(home, settings)
    list(made.indexing.index_paths([files], "default"))
    return made


@contextmanager
def on_a_cluster(work: Path, files: Path, settings: dict[str, str]) -> Iterator[Container]:
    """The files, indexed by a worker; the services over what it made."""
    with servers.postgres() as postgres, servers.redis() as redis, postgres.database() as url:
        shared = {"catalog__url": url, "jobs__kind": "celery", "jobs__url": redis.url, "index__kind": "qdrant"}
        server = os.environ.get("AFTERIMAGE_TEST_QDRANT_URL", "")
        shared |= {"index__url": server, "index__prefix": f"compared_{token_hex(4)}"}
        settings = settings | shared | {"ingest__allowed_roots": f'["{files}"]'}
        with closing(container(work / "cluster", settings)) as asking:
            _index(asking, work, files, settings)
        with closing(container(work / "cluster", settings)) as made:
            yield made


def compare(
    one: Container, other: Container, searched: Sequence[str], asked: Sequence[tuple[str, SegmentFilter]]
) -> Compared:
    """Both asked the same: searches, and questions with where they are asked."""
    scores, found, keywords = 0.0, [], []
    for words in searched:
        for lane, vector in _dense(one, words):
            scores = max(scores, _apart(one, other, lane, vector))
        found.append(_shared(_search(one, words), _search(other, words)))
        keywords.append(_shared(_by_words(one, words), _by_words(other, words)))
    answers = [(text, one.answering.ask(text, where), other.answering.ask(text, where)) for text, where in asked]
    different = [(text, a.text, b.text) for text, a, b in answers if _said(a) != _said(b)]
    return Compared(scores, sum(found) / len(found), sum(keywords) / len(keywords), len(answers), different)


def _index(asking: Container, work: Path, files: Path, settings: dict[str, str]) -> None:
    """Errors: AfterimageError where a job does not come to a good end."""
    paths = [one.path for one in discover(files) if isinstance(one, DiscoveredFile) and one.explicit]
    jobs = [
        asking.dispatcher.submit(NewJob(IndexRequest(path.as_uri(), _name(path, files)), "default")) for path in paths
    ]
    deadline = time.monotonic() + _PATIENCE_S
    with working(work / "cluster", work / "worker.log", settings):
        while any(not asking.jobs.get(job.id).state.is_terminal for job in jobs) and time.monotonic() < deadline:
            time.sleep(0.2)
    for job in jobs:
        ended = asking.jobs.get(job.id)
        if ended.state is not JobState.DONE:
            raise AfterimageError(f"a job is {ended.state}: {ended.error}")


def _name(path: Path, files: Path) -> str:
    return path.relative_to(files).as_posix()


def _dense(services: Container, words: str) -> Iterator[tuple[Lane, NDArray[np.float32]]]:
    if services.image_text_encoder is not None:
        yield Lane.VISUAL, services.image_text_encoder.encode_texts([words])[0]
    if services.sentence_encoder is not None:
        yield Lane.TEXT, services.sentence_encoder.encode([words])[0]


def _apart(one: Container, other: Container, lane: Lane, vector: NDArray[np.float32]) -> float:
    """The largest difference of the scores of best, second best …; infinite where one finds less."""
    hits = [[hit.score for hit in each.index.search(lane, vector, _DEPTH, _EVERYWHERE)] for each in (one, other)]
    if len(hits[0]) != len(hits[1]):
        return float("inf")
    return max((abs(a - b) for a, b in zip(*hits, strict=True)), default=0.0)


def _search(services: Container, words: str) -> list[_Place]:
    moments = services.retrieval.search(Query(words), _EVERYWHERE, _BEST)
    return [(moment.asset.asset_id, moment.best_segment.ordinal) for moment in moments]


def _by_words(services: Container, words: str) -> list[_Place]:
    hits = services.index.search(Lane.KEYWORDS, words, _BEST, _EVERYWHERE)
    return [(hit.asset_id, hit.segment.ordinal) for hit in hits]


def _shared(one: Sequence[_Place], other: Sequence[_Place]) -> float:
    """How many of the longer list's places the other one has, as a share; two empty ones share all."""
    return len({*one} & {*other}) / max(len(one), len(other)) if one or other else 1.0


def _said(answer: Answer) -> tuple[object, ...]:
    """The sentences with what they cite."""
    return tuple(
        (sentence.text, sentence.verification.verdict, tuple(_cited(citation) for citation in sentence.citations))
        for sentence in answer.sentences
    )


def _cited(citation: Citation) -> tuple[object, ...]:
    segment = citation.evidence.result.segment
    return (citation.evidence.result.asset.asset_id, segment.page, segment.start_s, segment.end_s, citation.quote)


def figures(compared: Compared) -> list[Figure]:
    """What is asked of two archives of the same files."""
    return [
        Figure("dense scores apart, at most", compared.scores, "", _MOST_APART, at_least=False),
        Figure("the ten best of search, shared", compared.found, "", _LEAST_SHARED),
        Figure("the ten best by keywords, shared", compared.keywords, "", _LEAST_SHARED),
        Figure("questions asked", compared.asked),
        Figure("answered differently", len(compared.different), "", 0.0, at_least=False),
    ]


def main() -> int:
    """The command."""
    given = arguments(__doc__ or "").parse_args()
    with tempfile.TemporaryDirectory() as made:
        work, files = Path(made), Path(made) / "archive"
        make_archive(files)
        make_sample(files / "drawn")
        truth = read_video_truth(files / "drawn" / "camera.truth.json")
        with closing(in_one_process(work / "one", files, {})) as one, on_a_cluster(work, files, {}) as other:
            video = SegmentFilter(assets=frozenset([one.catalog.find(VIDEO).asset_id]))
            asked = [(command[1], _EVERYWHERE) for command in TOUR if command[0] == "ask"]
            asked += [(question.text, video) for question in asked_of(truth)]
            searched = [one.question for one in load_answerable()] + load_unrelated()
            compared = compare(one, other, searched, asked)
    print_table("answered differently", ("question", "in one process", "on a cluster"), compared.different)
    return report("one process and a cluster", figures(compared), given.check, given.json)


if __name__ == "__main__":
    sys.exit(main())
