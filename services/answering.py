"""Ask: evidence from search, sentences from the generator, each verified and cited before it leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from indexer.passages import locate
from indexer.types import AssetKind, Lane, Pixels, SegmentFilter
from services.asking import Reach, asked
from services.ports import Generator, Verifier
from services.recalling import Recalling
from services.retrieval import CUT, Retrieval
from services.types import Answer, Citation, Draft, Evidence, Found, Query, Quote, Sentence, Verdict

NOTHING_FOUND = "Nothing in the archive answers this."
_NEARLY = 0.6
_GLANCE = 0.45
"""The least score of what a model looks at anyway; chosen on other seeds than the exam's (ARCHITECTURE.md)."""
_LETTER = {AssetKind.VIDEO: "F", AssetKind.DOCUMENT: "P", AssetKind.IMAGE: "I"}


@dataclass(frozen=True, slots=True)
class Answering:
    """Answers questions from at most `evidence_limit` pieces of evidence, and, where `recalling` is given, from the
    memory of the video that is asked about and more of its frames. Sentences that the evidence does not carry leave
    with that verdict where `keep_unsupported` is set, and not at all where it is not."""

    retrieval: Retrieval
    generator: Generator
    verifier: Verifier
    evidence_limit: int
    recalling: Recalling | None = None
    keep_unsupported: bool = False

    def ask(self, question: str, where: SegmentFilter) -> Answer:
        """The answer, or an abstention where nothing was found. Unsupported sentences and invented ids do not leave.

        Errors: QueryError.
        """
        return self.told(question, self.evidence(question, where))

    def told(self, question: str, evidence: Sequence[Evidence]) -> Answer:
        """The whole answer from evidence that is gathered."""
        return answer_of(tuple(self.sentences(question, evidence)))

    def sentences(self, question: str, evidence: Sequence[Evidence]) -> Iterator[Sentence]:
        """The answer sentence by sentence, each as soon as it is verified, and once; none without evidence."""
        said: set[tuple[str, tuple[str, ...]]] = set()
        for draft in self.generator.answer(question, evidence) if evidence else ():
            sentence = self._verified(draft, evidence)
            if sentence is None or (key := _key(sentence)) in said:
                continue
            said.add(key)
            yield sentence

    def evidence(self, question: str, where: SegmentFilter, pictures: Sequence[Pixels] = ()) -> list[Evidence]:
        """What was found, best first, by turns with what resembles the `pictures` that came with the question. Where
        the question reaches beyond what it names, also frames of the video there, and where it reaches over all of it,
        the video's memory: what nobody asked for costs more than it tells."""
        found = self._found(question, where, pictures)
        if self.recalling is None:
            return gather(found)
        named = asked(question)
        parts = [self._seen(part, where) for part in named.parts]
        found = _each_once(found, *parts)[: self.evidence_limit]
        video = self.recalling.video(found, where)
        if video is None and named.times_s:
            video = self.recalling.only_video(where)
        if video is None:
            return gather(found)
        leading = [some[0] for some in parts if some] if len(parts) > 1 else found[:1]
        more = self.recalling.frames_of(video, named.reach, leading, found)
        found = [*self.recalling.frames_at(video, named.times_s), *found, *more]
        memory = self.recalling.slots(video, where) if named.reach is Reach.ALL or not found else []
        return [*gather(self.recalling.with_words(video, found)), *memory]

    def _found(self, question: str, where: SegmentFilter, pictures: Sequence[Pixels]) -> list[Found]:
        """What the words find, and each picture. Errors: QueryError where there are neither."""
        queries = [Query(picture=picture) for picture in pictures]
        if question.strip() or not pictures:
            queries.append(Query(question))
        each = [self.retrieval.evidence(query, where, self.evidence_limit) for query in queries]
        return _each_once(*each)[: self.evidence_limit] if pictures else each[0]

    def _seen(self, part: str, where: SegmentFilter) -> list[Found]:
        """The pictures of one of the things that a question is about; of one video also some that chance may find."""
        least = _GLANCE if where.assets is not None and len(where.assets) == 1 else CUT
        found = self.retrieval.evidence(Query(part), where, self.evidence_limit, least)
        return [one for one in found if Lane.VISUAL in one.lanes]

    def _verified(self, draft: Draft, evidence: Sequence[Evidence]) -> Sentence | None:
        by_id = {one.id: one for one in evidence}
        draft = self.verifier.attributed(draft, evidence)
        judgement = self.verifier.verify(draft, evidence)
        if not draft.quotes or (judgement.verdict is Verdict.UNSUPPORTED and not self.keep_unsupported):
            return None
        return Sentence(draft.text, judgement, tuple(_citation(by_id[q.evidence_id], q) for q in draft.quotes))


def answer_of(sentences: Sequence[Sentence]) -> Answer:
    """Verified sentences as an answer; none: an abstention."""
    if not sentences:
        return Answer(NOTHING_FOUND, abstained=True, sentences=())
    return Answer(" ".join(sentence.text for sentence in sentences), abstained=False, sentences=tuple(sentences))


def gather(found: Sequence[Found]) -> list[Evidence]:
    """Number what was found: `F1`, `F2` for videos, `P1` for pages, `I1` for images, best first."""
    counts = dict.fromkeys(AssetKind, 0)
    evidence = []
    for one in found:
        counts[one.asset.kind] += 1
        evidence.append(Evidence(f"{_LETTER[one.asset.kind]}{counts[one.asset.kind]}", one))
    return evidence


def _key(sentence: Sentence) -> tuple[str, tuple[str, ...]]:
    return sentence.text, tuple(one.evidence.id for one in sentence.citations)


def _each_once(*several: Sequence[Found]) -> list[Found]:
    """What is in some lists, by turns."""
    kept: list[Found] = []
    for one in (one for some in zip_longest(*several) for one in some if one is not None):
        if not any(_same(one, other) for other in kept):
            kept.append(one)
    return kept


def _same(one: Found, other: Found) -> bool:
    """Whether two finds are of one picture, or pictures of nearly one span of a video."""
    a, b = one.segment, other.segment
    if one.asset.asset_id != other.asset.asset_id or a.text != b.text:
        return False
    if a.start_s is None or b.start_s is None or a.end_s is None or b.end_s is None:
        return a.picture == b.picture
    shared = min(a.end_s, b.end_s) - max(a.start_s, b.start_s)
    return shared >= _NEARLY * (max(a.end_s, b.end_s) - min(a.start_s, b.start_s)) or a.picture == b.picture


def _citation(evidence: Evidence, quote: Quote) -> Citation:
    segment = evidence.found.segment
    text = segment.text[quote.start : quote.end]
    return Citation(evidence, locate(segment, quote.start, quote.end) if text else segment.box, text)
