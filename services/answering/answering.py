"""Ask: evidence from search, sentences from the generator, each verified and cited before it leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from indexer.text.passages import locate_text
from indexer.types import AssetKind, Lane, Pixels, SegmentFilter
from services.answering.ports import Verifier
from services.answering.question_analysis import TemporalScope, analyze_question
from services.answering.types import Answer, Citation, Sentence, Verdict
from services.answering.video_context import VideoContext
from services.generators.ports import Generator
from services.generators.types import DraftSentence, Evidence, Quote
from services.search.retrieval import MIN_SCORE, Retrieval
from services.search.types import Query, RetrievedSegment

NOTHING_FOUND = "Nothing in the archive answers this."
_DUPLICATE_MIN_OVERLAP = 0.6
_LENIENT_MIN_SCORE = 0.45
"""The least score of what a model looks at anyway; chosen on other seeds than the exam's (ARCHITECTURE.md)."""
_EVIDENCE_ID_PREFIX = {AssetKind.VIDEO: "F", AssetKind.DOCUMENT: "P", AssetKind.IMAGE: "I"}


@dataclass(frozen=True, slots=True)
class Answering:
    """Answers questions from at most `evidence_limit` pieces of evidence, and, where `recalling` is given, from the
    memory of the video that is asked about and more of its frames. Sentences that the evidence does not carry leave
    with that verdict where `keep_unsupported` is set, and not at all where it is not."""

    retrieval: Retrieval
    generator: Generator
    verifier: Verifier
    max_evidence: int
    video_context: VideoContext | None = None
    keep_unsupported: bool = False

    def ask(self, question: str, filters: SegmentFilter) -> Answer:
        """The answer, or an abstention where nothing was found. Unsupported sentences and invented ids do not leave.

        Errors: QueryError.
        """
        return self.answer_from(question, self.gather_evidence(question, filters))

    def answer_from(self, question: str, evidence: Sequence[Evidence]) -> Answer:
        """The whole answer from evidence that is gathered."""
        return build_answer(tuple(self.stream_sentences(question, evidence)))

    def stream_sentences(self, question: str, evidence: Sequence[Evidence]) -> Iterator[Sentence]:
        """The answer sentence by sentence, each as soon as it is verified, and once; none without evidence."""
        emitted_keys: set[tuple[str, tuple[str, ...]]] = set()
        for draft in self.generator.answer(question, evidence) if evidence else ():
            sentence = self._verify(draft, evidence)
            if sentence is None or (key := _deduplication_key(sentence)) in emitted_keys:
                continue
            emitted_keys.add(key)
            yield sentence

    def gather_evidence(self, question: str, filters: SegmentFilter, pictures: Sequence[Pixels] = ()) -> list[Evidence]:
        """What was found, best first, by turns with what resembles the `pictures` that came with the question. Where
        the question reaches beyond what it names, also frames of the video there, and where it reaches over all of it,
        the video's memory: what nobody asked for costs more than it tells."""
        segments = self._search_evidence(question, filters, pictures)
        if self.video_context is None:
            return number_evidence(segments)
        analysis = analyze_question(question)
        sub_results = [self._retrieve_pictures(part, filters) for part in analysis.sub_queries]
        segments = _interleave_unique(segments, *sub_results)[: self.max_evidence]
        video = self.video_context.target_video(segments, filters)
        if video is None and analysis.timestamps_s:
            video = self.video_context.find_single_video(filters)
        if video is None:
            return number_evidence(segments)
        anchors = [some[0] for some in sub_results if some] if len(sub_results) > 1 else segments[:1]
        extra_frames = self.video_context.frames_for_scope(video, analysis.temporal_scope, anchors, segments)
        segments = [*self.video_context.frames_at(video, analysis.timestamps_s), *segments, *extra_frames]
        memory = (
            self.video_context.memory_evidence(video, filters)
            if analysis.temporal_scope is TemporalScope.ALL or not segments
            else []
        )
        return [*number_evidence(self.video_context.attach_ocr_text(video, segments)), *memory]

    def _search_evidence(
        self, question: str, filters: SegmentFilter, pictures: Sequence[Pixels]
    ) -> list[RetrievedSegment]:
        """What the words find, and each picture. Errors: QueryError where there are neither."""
        queries = [Query(picture=picture) for picture in pictures]
        if question.strip() or not pictures:
            queries.append(Query(question))
        each = [self.retrieval.retrieve_evidence(query, filters, self.max_evidence) for query in queries]
        return _interleave_unique(*each)[: self.max_evidence] if pictures else each[0]

    def _retrieve_pictures(self, sub_query: str, filters: SegmentFilter) -> list[RetrievedSegment]:
        """The pictures of one of the things that a question is about; of one video also some that chance may find."""
        min_score = _LENIENT_MIN_SCORE if filters.assets is not None and len(filters.assets) == 1 else MIN_SCORE
        found = self.retrieval.retrieve_evidence(Query(sub_query), filters, self.max_evidence, min_score)
        return [one for one in found if Lane.VISUAL in one.lane_scores]

    def _verify(self, draft: DraftSentence, evidence: Sequence[Evidence]) -> Sentence | None:
        by_id = {one.id: one for one in evidence}
        draft = self.verifier.attribute(draft, evidence)
        judgement = self.verifier.verify(draft, evidence)
        if not draft.quotes or (judgement.verdict is Verdict.UNSUPPORTED and not self.keep_unsupported):
            return None
        return Sentence(draft.text, judgement, tuple(_make_citation(by_id[q.evidence_id], q) for q in draft.quotes))


def build_answer(sentences: Sequence[Sentence]) -> Answer:
    """Verified sentences as an answer; none: an abstention."""
    if not sentences:
        return Answer(NOTHING_FOUND, abstained=True, sentences=())
    return Answer(" ".join(sentence.text for sentence in sentences), abstained=False, sentences=tuple(sentences))


def number_evidence(segments: Sequence[RetrievedSegment]) -> list[Evidence]:
    """Number what was found: `F1`, `F2` for videos, `P1` for pages, `I1` for images, best first."""
    counts = dict.fromkeys(AssetKind, 0)
    evidence = []
    for one in segments:
        counts[one.asset.kind] += 1
        evidence.append(Evidence(f"{_EVIDENCE_ID_PREFIX[one.asset.kind]}{counts[one.asset.kind]}", one))
    return evidence


def _deduplication_key(sentence: Sentence) -> tuple[str, tuple[str, ...]]:
    return sentence.text, tuple(one.evidence.id for one in sentence.citations)


def _interleave_unique(*rankings: Sequence[RetrievedSegment]) -> list[RetrievedSegment]:
    """What is in some lists, by turns."""
    result: list[RetrievedSegment] = []
    for one in (one for some in zip_longest(*rankings) for one in some if one is not None):
        if not any(_is_duplicate(one, other) for other in result):
            result.append(one)
    return result


def _is_duplicate(first: RetrievedSegment, second: RetrievedSegment) -> bool:
    """Whether two finds are of one picture, or pictures of nearly one span of a video."""
    a, b = first.segment, second.segment
    if first.asset.asset_id != second.asset.asset_id or a.text != b.text:
        return False
    if a.start_s is None or b.start_s is None or a.end_s is None or b.end_s is None:
        return a.picture == b.picture
    shared = min(a.end_s, b.end_s) - max(a.start_s, b.start_s)
    return (
        shared >= _DUPLICATE_MIN_OVERLAP * (max(a.end_s, b.end_s) - min(a.start_s, b.start_s)) or a.picture == b.picture
    )


def _make_citation(evidence: Evidence, quote: Quote) -> Citation:
    segment = evidence.result.segment
    text = segment.text[quote.start : quote.end]
    return Citation(evidence, locate_text(segment, quote.start, quote.end) if text else segment.box, text)
