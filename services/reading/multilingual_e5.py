"""Answer reader on multilingual-e5-small: its lower layers read question and passage apart, its upper layers together.

The lower layers are the encoder's own, so their states of a passage serve every question; the upper layers were trained
to tell which words answer (`python -m benchmarks.answer_reader`), and differ from the encoder's by low-rank updates.
Sources: Cao et al. 2020, "DeFormer" (arXiv 2005.00697), for the division; Hu et al. 2021, "LoRA" (arXiv 2106.09685).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.encoders.multilingual_e5.parts import (
    PASSAGE_PREFIX,
    QUERY_PREFIX,
    LayerSession,
    ModelParts,
    find_weights,
    open_parts,
)
from indexer.encoders.weights import fingerprint
from indexer.text.passage import text_with_context
from indexer.types import Segment
from services.reading.reader_weights import ReaderWeights, load_reader_weights
from services.reading.units import ReadUnit, split_into_units

WEIGHTS = Path(__file__).parents[1] / "data" / "answer_reader.safetensors"
MAX_QUESTION_TOKENS = 96
"""Chosen: far above a question's length; what is asked stands in its first sentences."""
MAX_PASSAGE_TOKENS = 256
"""Chosen: passages have at most eighty words; the trained weights saw no more."""
MAX_CONTEXT_CHARS = 200
"""Chosen: the end of the context, its nearest headings; the trained weights saw no more."""
_CACHED_PASSAGES = 512
"""Form: passages whose lower states are kept, about 140 kB each: 70 MB."""
_States = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TokenizedPassage:
    """Ids of a passage with its context, and for each unit that they hold its characters and its tokens."""

    ids: list[int]
    units: list[tuple[int, int]]
    tokens: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _LoadedReader:
    parts: ModelParts
    weights: ReaderWeights
    lower: LayerSession
    upper: LayerSession


class MultilingualE5Reader:
    """`services.reading.ports.AnswerReader` for the languages of multilingual-e5-small, loaded at first use.

    Passages are read on `threads` threads, each passage on one. Thread-safe. Errors: ModelError.
    """

    def __init__(self, threads: int = 1, weights: Path = WEIGHTS) -> None:
        self._path = weights
        self._lock = threading.Lock()
        self._loaded: _LoadedReader | None = None
        self._pool = ThreadPoolExecutor(max_workers=max(1, threads), thread_name_prefix="reader")
        self._lower_states: OrderedDict[tuple[int, ...], _States] = OrderedDict()

    @cached_property
    def model_id(self) -> str:
        """Identifier of the encoder's weights and of what was trained."""
        return f"reader:multilingual-e5-small@{fingerprint([find_weights(), self._path])}"

    def read(self, question: str, passages: Sequence[Segment]) -> list[list[ReadUnit]]:
        """Return the units of each passage in their order, with their scores."""
        reader = self._load()
        asked = reader.parts.tokenizer.encode_with_spans(QUERY_PREFIX + question, MAX_QUESTION_TOKENS).ids
        states = reader.lower.run(reader.parts.embed_tokens(asked))
        return list(self._pool.map(partial(self._read_passage, reader, states), passages))

    def _read_passage(self, reader: _LoadedReader, question: _States, passage: Segment) -> list[ReadUnit]:
        tokenized = tokenize_passage(reader.parts, passage)
        if not tokenized.units:
            return []
        kinds = reader.weights.kinds
        lower = self._states_of(reader, tokenized.ids)
        upper = reader.upper.run(np.concatenate([question + kinds[0], lower + kinds[1]]))
        scores = reader.weights.score_units(upper[: len(question)], upper[len(question) :], tokenized.tokens)
        return [ReadUnit(start, end, float(score)) for (start, end), score in zip(tokenized.units, scores, strict=True)]

    def _states_of(self, reader: _LoadedReader, ids: Sequence[int]) -> _States:
        """Return the lower states of a passage, from the cache where it was read before."""
        key = tuple(ids)
        with self._lock:
            if (cached := self._lower_states.get(key)) is not None:
                self._lower_states.move_to_end(key)
                return cached
        states = reader.lower.run(reader.parts.embed_tokens(ids))
        with self._lock:
            self._lower_states[key] = states
            while len(self._lower_states) > _CACHED_PASSAGES:
                self._lower_states.popitem(last=False)
        return states

    def _load(self) -> _LoadedReader:
        with self._lock:
            if self._loaded is None:
                self._loaded = _load_reader(self._path)
            return self._loaded


def tokenize_passage(parts: ModelParts, passage: Segment) -> TokenizedPassage:
    """Cut a passage, after the end of its context, into tokens; units that are cut off are left out."""
    text = passage.text
    searched = text_with_context(passage)
    context = searched[: len(searched) - len(text)].rstrip("\n")[-MAX_CONTEXT_CHARS:]
    prefix = PASSAGE_PREFIX + (f"{context}\n" if context else "")
    pieces = parts.tokenizer.encode_with_spans(prefix + text, MAX_PASSAGE_TOKENS)
    units, tokens = [], []
    for start, end in split_into_units(text):
        first, last = len(prefix) + start, len(prefix) + end
        inside = [number for number, (a, b) in enumerate(pieces.spans) if b > first and a < last and b > a]
        if inside:
            units.append((start, end))
            tokens.append((inside[0], inside[-1] + 1))
    return TokenizedPassage(pieces.ids, units, tokens)


def _load_reader(path: Path) -> _LoadedReader:
    parts, weights = open_parts(find_weights()), load_reader_weights(path)
    layers = parts.weights.sizes.layers
    lower = LayerSession(parts, range(weights.first_layer))
    upper = LayerSession(parts, range(weights.first_layer, layers), weights.tuning)
    return _LoadedReader(parts, weights, lower, upper)
