"""What the services need from models that answer (adapters in `services/generators`), and from whoever else writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from services.types import DraftSentence, Evidence, Verification


class Generator(Protocol):
    """Says what the evidence says about a question, sentence by sentence; nothing where it says nothing.

    Every draft quotes evidence that it was given. Evidence that was found comes best first, slots of a video's memory
    (`M1` …) after it, in order of time. `describe` says in about `words` words at most what the evidence shows.
    Errors: ModelError, GeneratorUnavailable for a server that cannot be reached or breaks off, QueryError for a
    question longer than the budget.
    """

    @property
    def model_id(self) -> str: ...
    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]: ...
    def describe(self, evidence: Sequence[Evidence], max_words: int) -> Iterator[DraftSentence]: ...


class VisualVerifier(Protocol):
    """Says of each picture how surely it shows what a sentence says: probabilities, one for each piece of evidence.

    Errors: as of `Generator`.
    """

    def entailment_scores(self, sentence: str, evidence: Sequence[Evidence]) -> list[float]: ...


class Verifier(Protocol):
    """Holds a sentence against the evidence: `attributed` gives it citations that exist, or none, `verify` judges
    whether they carry it."""

    def attribute(self, draft: DraftSentence, evidence: Sequence[Evidence]) -> DraftSentence: ...
    def verify(self, draft: DraftSentence, evidence: Sequence[Evidence]) -> Verification: ...


class WriteLock(Protocol):
    """The right to write, held. `check` raises DatabaseUnavailable where it was lost on the way."""

    def raise_if_lost(self) -> None: ...


class Locks(Protocol):
    """`writing` gives the right to change one asset (None: everything there is), once nobody else has it.

    It waits for up to `patience_s` seconds. Who dies gives back what it held. Who holds one does not ask for a second.
    Errors: IndexBusy where the wait was in vain, StorageFull, DatabaseUnavailable.
    """

    def write_lock(self, asset_id: str | None, timeout_s: float = 0.0) -> AbstractContextManager[WriteLock]: ...
