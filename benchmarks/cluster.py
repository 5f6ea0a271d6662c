"""Benchmark of equivalence between one process and a cluster: search results and answers over the same archive.

The sample archive is indexed twice: by one process into FAISS and SQLite, and by a worker, file by file as Celery jobs
over Redis, into Qdrant and PostgreSQL. Both are then asked the same, with the same generator: dense scores, the ten
best search results, and the questions of the demo. Qdrant is its client's local mode, or the server that
AFTERIMAGE_TEST_QDRANT_URL names.
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

from benchmarks.answers import load_answerable, load_unrelated
from benchmarks.report import Figure, make_parser, print_table, report
from demoworld.archive import make_archive
from demoworld.demo import DEMO_COMMANDS, VIDEO_NAME
from demoworld.world.sample import make_sample, select_questions
from demoworld.world.truth import read_video_truth
from indexer.errors import AfterimageError
from indexer.types import Lane, SegmentFilter
from services.answering.types import Answer, Citation
from services.container import Container
from services.ingest.file_discovery import DiscoveredFile, discover
from services.jobs.types import IndexRequest, JobState, NewJob
from services.search.types import Query
from tests.support import database_servers
from tests.support.server_processes import open_container, run_worker

_RESULT_LIMIT, _SCORE_DEPTH, _JOBS_TIMEOUT_S = 10, 50, 1800.0
_NO_FILTERS = SegmentFilter()
_MAX_SCORE_DIFFERENCE, _MIN_SHARED = 1e-4, 0.95
_SegmentKey: TypeAlias = tuple[str, int]
"""Asset id and ordinal of a segment."""


@dataclass(frozen=True, slots=True)
class ArchiveComparison:
    """Differences of two archives.

    The largest difference of a dense score; the shares of the ten best results that both have, of search and of
    keywords alone; and the questions with both answers where these differ.
    """

    max_score_difference: float
    shared_results: float
    shared_keyword_results: float
    question_count: int
    differing_answers: list[tuple[str, str, str]]


def index_in_one_process(home: Path, files: Path, settings: dict[str, str]) -> Container:
    """Index files in this process; returns the services over them."""
    container = open_container(home, settings)
    list(container.indexing.index_paths([files], "default"))
    return container


@contextmanager
def index_on_cluster(work: Path, files: Path, settings: dict[str, str]) -> Iterator[Container]:
    """Index files by a worker on PostgreSQL, Redis and Qdrant; yields the services over them."""
    with (
        database_servers.start_postgres() as postgres,
        database_servers.start_redis() as redis,
        postgres.create_database() as url,
    ):
        shared = {"catalog__url": url, "jobs__kind": "celery", "jobs__url": redis.url, "index__kind": "qdrant"}
        server = os.environ.get("AFTERIMAGE_TEST_QDRANT_URL", "")
        shared |= {"index__url": server, "index__prefix": f"compared_{token_hex(4)}"}
        settings = settings | shared | {"ingest__allowed_roots": f'["{files}"]'}
        with closing(open_container(work / "cluster", settings)) as submitter:
            _index_by_jobs(submitter, work, files, settings)
        with closing(open_container(work / "cluster", settings)) as container:
            yield container


def compare(
    reference: Container, candidate: Container, queries: Sequence[str], questions: Sequence[tuple[str, SegmentFilter]]
) -> ArchiveComparison:
    """Compare two archives by searches, and by questions with their filters."""
    scores, shared_results, shared_keyword_results = 0.0, [], []
    for words in queries:
        for lane, vector in _encode_dense(reference, words):
            scores = max(scores, _score_difference(reference, candidate, lane, vector))
        shared_results.append(_share_in_common(_search_segments(reference, words), _search_segments(candidate, words)))
        shared_keyword_results.append(
            _share_in_common(_search_keywords(reference, words), _search_keywords(candidate, words))
        )
    answers = [
        (text, reference.answering.ask(text, filters), candidate.answering.ask(text, filters))
        for text, filters in questions
    ]
    different = [(text, a.text, b.text) for text, a, b in answers if _answer_fingerprint(a) != _answer_fingerprint(b)]
    return ArchiveComparison(
        scores,
        sum(shared_results) / len(shared_results),
        sum(shared_keyword_results) / len(shared_keyword_results),
        len(answers),
        different,
    )


def _index_by_jobs(services: Container, work: Path, files: Path, settings: dict[str, str]) -> None:
    """Index every file by a job of its own. Errors: AfterimageError where a job does not succeed."""
    paths = [file.path for file in discover(files) if isinstance(file, DiscoveredFile) and file.explicit]
    jobs = [
        services.background.dispatcher.submit(
            NewJob(IndexRequest(path.as_uri(), _relative_name(path, files)), "default")
        )
        for path in paths
    ]
    deadline = time.monotonic() + _JOBS_TIMEOUT_S
    with run_worker(work / "cluster", work / "worker.log", settings):
        while (
            any(not services.background.jobs.get(job.id).state.is_terminal for job in jobs)
            and time.monotonic() < deadline
        ):
            time.sleep(0.2)
    for job in jobs:
        ended = services.background.jobs.get(job.id)
        if ended.state is not JobState.DONE:
            raise AfterimageError(f"a job is {ended.state}: {ended.error}")


def _relative_name(path: Path, files: Path) -> str:
    return path.relative_to(files).as_posix()


def _encode_dense(services: Container, words: str) -> Iterator[tuple[Lane, NDArray[np.float32]]]:
    if services.models.image_text_encoder is not None:
        yield Lane.VISUAL, services.models.image_text_encoder.encode_texts([words])[0]
    if services.models.sentence_encoder is not None:
        yield Lane.TEXT, services.models.sentence_encoder.encode([words])[0]


def _score_difference(reference: Container, candidate: Container, lane: Lane, vector: NDArray[np.float32]) -> float:
    """Return the largest difference of the scores rank by rank; infinite where the lengths differ."""
    hits = [
        [hit.score for hit in container.index.search(lane, vector, _SCORE_DEPTH, _NO_FILTERS)]
        for container in (reference, candidate)
    ]
    if len(hits[0]) != len(hits[1]):
        return float("inf")
    return max((abs(a - b) for a, b in zip(*hits, strict=True)), default=0.0)


def _search_segments(services: Container, words: str) -> list[_SegmentKey]:
    moments = services.retrieval.search(Query(words), _NO_FILTERS, _RESULT_LIMIT)
    return [(moment.asset.asset_id, moment.best_segment.ordinal) for moment in moments]


def _search_keywords(services: Container, words: str) -> list[_SegmentKey]:
    hits = services.index.search(Lane.KEYWORDS, words, _RESULT_LIMIT, _NO_FILTERS)
    return [(hit.asset_id, hit.segment.ordinal) for hit in hits]


def _share_in_common(left: Sequence[_SegmentKey], right: Sequence[_SegmentKey]) -> float:
    """Return the share of the longer list that both have; 1 where both are empty."""
    return len({*left} & {*right}) / max(len(left), len(right)) if left or right else 1.0


def _answer_fingerprint(answer: Answer) -> tuple[object, ...]:
    """Return the sentences with their verdicts and citations."""
    return tuple(
        (
            sentence.text,
            sentence.verification.verdict,
            tuple(_citation_fingerprint(citation) for citation in sentence.citations),
        )
        for sentence in answer.sentences
    )


def _citation_fingerprint(citation: Citation) -> tuple[object, ...]:
    segment = citation.evidence.result.segment
    return (citation.evidence.result.asset.asset_id, segment.page, segment.start_s, segment.end_s, citation.quote)


def make_figures(comparison: ArchiveComparison) -> list[Figure]:
    """Return the figures of a comparison with their targets."""
    return [
        Figure(
            "difference of dense scores, at most",
            comparison.max_score_difference,
            "",
            _MAX_SCORE_DIFFERENCE,
            at_least=False,
        ),
        Figure("the ten best of search, shared", comparison.shared_results, "", _MIN_SHARED),
        Figure("the ten best by keywords, shared", comparison.shared_keyword_results, "", _MIN_SHARED),
        Figure("questions asked", comparison.question_count),
        Figure("answered differently", len(comparison.differing_answers), "", 0.0, at_least=False),
    ]


def main() -> int:
    """Run the command line."""
    args = make_parser(__doc__ or "").parse_args()
    with tempfile.TemporaryDirectory() as temp_folder:
        work, files = Path(temp_folder), Path(temp_folder) / "archive"
        make_archive(files)
        make_sample(files / "drawn")
        truth = read_video_truth(files / "drawn" / "camera.truth.json")
        with (
            closing(index_in_one_process(work / "one", files, {})) as reference,
            index_on_cluster(work, files, {}) as candidate,
        ):
            video = SegmentFilter(assets=frozenset([reference.catalog.find(VIDEO_NAME).asset_id]))
            questions = [(command[1], _NO_FILTERS) for command in DEMO_COMMANDS if command[0] == "ask"]
            questions += [(question.text, video) for question in select_questions(truth)]
            queries = [answerable.question for answerable in load_answerable()] + load_unrelated()
            compared = compare(reference, candidate, queries, questions)
    print_table("answered differently", ("question", "in one process", "on a cluster"), compared.differing_answers)
    return report("one process and a cluster", make_figures(compared), args.check, args.json)


if __name__ == "__main__":
    sys.exit(main())
