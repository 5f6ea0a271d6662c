"""Ask: evidence from search, sentences from the generator, each verified and cited before it leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from indexer.passages import locate
from indexer.types import AssetKind, SegmentFilter
from services.ports import Generator, Verifier
from services.recalling import Recalling
from services.retrieval import Retrieval
from services.types import Answer, Citation, Draft, Evidence, Found, Query, Quote, Sentence, Verdict

NOTHING_FOUND = "Nothing in the archive answers this."
_LETTER = {AssetKind.VIDEO: "F", AssetKind.DOCUMENT: "P", AssetKind.IMAGE: "I"}


@dataclass(frozen=True, slots=True)
class Answering:
    """Answers questions from at most `evidence_limit` pieces of evidence, and, where `recalling` is given, from the
    memory of the video that is asked about and more of its frames."""

    retrieval: Retrieval
    generator: Generator
    verifier: Verifier
    evidence_limit: int
    recalling: Recalling | None = None

    def ask(self, question: str, where: SegmentFilter) -> Answer:
        """The answer, or an abstention where nothing was found. Unsupported sentences and invented ids do not leave.

        Errors: QueryError.
        """
        sentences = tuple(self.sentences(question, where))
        if not sentences:
            return Answer(NOTHING_FOUND, abstained=True, sentences=())
        return Answer(" ".join(sentence.text for sentence in sentences), abstained=False, sentences=sentences)

    def sentences(self, question: str, where: SegmentFilter) -> Iterator[Sentence]:
        """The answer sentence by sentence, each as soon as it is verified; none where nothing was found."""
        evidence = self.evidence(question, where)
        if evidence:
            drafts = (self._verified(draft, evidence) for draft in self.generator.answer(question, evidence))
            yield from (sentence for sentence in drafts if sentence is not None)

    def evidence(self, question: str, where: SegmentFilter) -> list[Evidence]:
        """What was found, best first, then frames around it, then the memory of the video it is in."""
        found = self.retrieval.evidence(Query(question), where, self.evidence_limit)
        video = None if self.recalling is None else self.recalling.video(found, where)
        if self.recalling is None or video is None:
            return gather(found)
        frames = self.recalling.more_frames(video, found)
        return [*gather([*found, *frames]), *self.recalling.slots(video, where)]

    def _verified(self, draft: Draft, evidence: Sequence[Evidence]) -> Sentence | None:
        by_id = {one.id: one for one in evidence}
        if not draft.quotes or any(quote.evidence_id not in by_id for quote in draft.quotes):
            return None
        judgement = self.verifier.verify(draft, evidence)
        if judgement.verdict is Verdict.UNSUPPORTED:
            return None
        return Sentence(draft.text, judgement, tuple(_citation(by_id[q.evidence_id], q) for q in draft.quotes))


def gather(found: Sequence[Found]) -> list[Evidence]:
    """Number what was found: `F1`, `F2` for videos, `P1` for pages, `I1` for images, best first."""
    counts = dict.fromkeys(AssetKind, 0)
    evidence = []
    for one in found:
        counts[one.asset.kind] += 1
        evidence.append(Evidence(f"{_LETTER[one.asset.kind]}{counts[one.asset.kind]}", one))
    return evidence


def _citation(evidence: Evidence, quote: Quote) -> Citation:
    segment = evidence.found.segment
    text = segment.text[quote.start : quote.end]
    return Citation(evidence, locate(segment, quote.start, quote.end) if text else segment.box, text)
