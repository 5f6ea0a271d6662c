"""Answer a question: analyze → retrieve → read → expand → generate → attribute → verify."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from indexer.text.passage import locate_text
from indexer.types import Lane, Pixels, SegmentFilter
from services.answering.abstention import abstain_in_language_of
from services.answering.evidence import add_texts, interleave_unique, number_evidence
from services.answering.ports import ClaimVerifier, QuestionAnalyzer
from services.answering.types import Answer, Citation, QuestionAnalysis, Sentence, TemporalScope, Verdict
from services.answering.video_context import VideoContext
from services.generators.ports import Generator
from services.generators.types import DraftSentence, Evidence, Quote
from services.reading.answer_finder import AnswerFinder
from services.search.curves import SCORE_AT_CUT
from services.search.retrieval import Retrieval
from services.search.types import Query, RetrievedSegment


@dataclass(frozen=True, slots=True)
class AnsweringSettings:
    """Numbers and policies of answering.

    `keep_unsupported`: refuted sentences leave with their verdict, instead of not at all.
    """

    max_evidence: int = 12
    """Chosen: pieces of evidence of an answer; the setting AFTERIMAGE_ANSWER__MAX_EVIDENCE has the last word."""
    lenient_min_score: float = 0.45
    """Measured: `python -m benchmarks.long_video_qa --seed 83000` (docs/decisions/0061): for questions to one video,
    whose pictures a model looks at anyway, right 0.872 → 0.881, answerable ones refused 0.026 → 0.016."""
    keep_unsupported: bool = False


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The result of the retrieval step: `segments` best first, and `anchors`, the best for each thing asked about.

    `passages` are texts that a reader has still to judge.
    """

    segments: tuple[RetrievedSegment, ...]
    anchors: tuple[RetrievedSegment, ...]
    passages: tuple[RetrievedSegment, ...] = ()


@dataclass(frozen=True, slots=True)
class Answering:
    """Answers questions. Without `video_context` the generator sees no pictures, and evidence is what search found.

    Text is evidence where `answer_finder` reads an answer in it, however unsure search is of it.
    """

    retrieval: Retrieval
    analyzer: QuestionAnalyzer
    generator: Generator
    verifier: ClaimVerifier
    answer_finder: AnswerFinder
    video_context: VideoContext | None = None
    settings: AnsweringSettings = field(default_factory=AnsweringSettings)

    def ask(self, question: str, filters: SegmentFilter) -> Answer:
        """Answer a question from what the filters let pass; an abstention where nothing was found.

        Unsupported sentences and citations that do not exist do not leave. Errors: InvalidInput; those of the models.
        """
        return self.answer_from(question, self.gather_evidence(question, filters))

    def answer_from(self, question: str, evidence: Sequence[Evidence]) -> Answer:
        """Answer a question from evidence that is gathered."""
        return build_answer(question, tuple(self.stream_sentences(question, evidence)))

    def gather_evidence(self, question: str, filters: SegmentFilter, pictures: Sequence[Pixels] = ()) -> list[Evidence]:
        """Gather the evidence for a question, and for pictures that came with it: the first four steps.

        Errors: InvalidInput where there is neither a question nor a picture.
        """
        analysis = self.analyze(question)
        retrieved = self.read(question, analysis, self.retrieve(question, analysis, filters, pictures))
        return self.expand(analysis, retrieved, filters)

    def gather_first(
        self, queries: Sequence[str], filters: SegmentFilter, pictures: Sequence[Pixels] = ()
    ) -> tuple[str, list[Evidence]]:
        """Gather evidence for the first of some queries that finds any; return it behind that query, or the last one.

        Queries are those of `QuestionAnalyzer.contextualize`. Errors: those of `gather_evidence`.
        """
        evidence: list[Evidence] = []
        for query in queries:
            evidence = self.gather_evidence(query, filters, pictures)
            if evidence:
                break
        return query, evidence

    def stream_sentences(self, question: str, evidence: Sequence[Evidence]) -> Iterator[Sentence]:
        """Yield the sentences of an answer, each as soon as it is verified: the last three steps. None: no evidence."""
        emitted: set[tuple[str, tuple[str, ...]]] = set()
        for draft in self.generate(question, evidence):
            sentence = self.verify(self.attribute(draft, evidence), evidence)
            if sentence is None or (key := _deduplication_key(sentence)) in emitted:
                continue
            emitted.add(key)
            yield sentence

    def analyze(self, question: str) -> QuestionAnalysis:
        """Step 1: take the question apart."""
        return self.analyzer.analyze(question)

    def retrieve(
        self, question: str, analysis: QuestionAnalysis, filters: SegmentFilter, pictures: Sequence[Pixels]
    ) -> Retrieved:
        """Step 2: search for the question, its pictures and, where a generator sees pictures, its sub-queries."""
        segments, passages = self._search(question, filters, pictures)
        if self.video_context is None:
            return Retrieved(tuple(segments), (), tuple(passages))
        parts = [self._search_pictures(sub_query, filters) for sub_query in analysis.sub_queries]
        segments = interleave_unique(segments, *parts)[: self.settings.max_evidence]
        anchors = [part[0] for part in parts if part] if len(parts) > 1 else []
        return Retrieved(tuple(segments), tuple(anchors), tuple(passages))

    def read(self, question: str, analysis: QuestionAnalysis, retrieved: Retrieved) -> Retrieved:
        """Step 3: add the texts that answer the question.

        No sentence answers a question about a whole video: for a model that sees it, search chooses the texts.
        """
        segments = list(retrieved.segments)
        if retrieved.passages:
            if analysis.temporal_scope is TemporalScope.ALL and self.video_context is not None:
                texts = [passage for passage in retrieved.passages if passage.score > SCORE_AT_CUT]
            else:
                texts = self.answer_finder.find_answers(question, retrieved.passages)
            segments = add_texts(segments, texts)[: self.settings.max_evidence]
        return Retrieved(tuple(segments), retrieved.anchors or tuple(segments[:1]))

    def expand(self, analysis: QuestionAnalysis, retrieved: Retrieved, filters: SegmentFilter) -> list[Evidence]:
        """Step 4: add frames of the video that the question reaches to, and its memory where it is about all of it.

        Memory is left out of other questions: extra context lowers accuracy (docs/decisions/0037).
        """
        context, segments = self.video_context, list(retrieved.segments)
        if context is None:
            return number_evidence(segments)
        video = context.target_video(segments, filters)
        if video is None and analysis.timestamps_s:
            video = context.find_single_video(filters)
        if video is None:
            return number_evidence(segments)
        frames = context.frames_for_scope(video, analysis.temporal_scope, retrieved.anchors, segments)
        segments = [*context.frames_at(video, analysis.timestamps_s), *segments, *frames]
        wants_memory = analysis.temporal_scope is TemporalScope.ALL or not segments
        memory = context.memory_evidence(video, filters) if wants_memory else []
        return [*number_evidence(context.attach_ocr_text(video, segments)), *memory]

    def generate(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        """Step 5: have the generator draft sentences; none without evidence."""
        return self.generator.answer(question, evidence) if evidence else iter(())

    def attribute(self, draft: DraftSentence, evidence: Sequence[Evidence]) -> DraftSentence:
        """Step 6: give the draft citations that exist, and times and counts that follow from them."""
        return self.verifier.attribute(draft, evidence)

    def verify(self, draft: DraftSentence, evidence: Sequence[Evidence]) -> Sentence | None:
        """Step 7: verify the draft against its citations; None where it has none or is refuted."""
        verification = self.verifier.verify(draft, evidence)
        refuted = verification.verdict is Verdict.UNSUPPORTED and not self.settings.keep_unsupported
        if refuted or not draft.quotes:
            return None
        by_id = {piece.id: piece for piece in evidence}
        citations = tuple(_make_citation(by_id[quote.evidence_id], quote) for quote in draft.quotes)
        return Sentence(draft.text, verification, citations)

    def _search(
        self, question: str, filters: SegmentFilter, pictures: Sequence[Pixels]
    ) -> tuple[list[RetrievedSegment], list[RetrievedSegment]]:
        """Return what search is sure of, and the texts to be read."""
        limit, passages = self.settings.max_evidence, list[RetrievedSegment]()
        rankings = [self.retrieval.retrieve_evidence(Query(picture=picture), filters, limit) for picture in pictures]
        if question.strip() or not pictures:
            if self.video_context is None and any(rankings):
                # Quotes cannot join what a picture shows to what other files say: those with the pictures are read.
                shown = frozenset(ranking[0].asset.asset_id for ranking in rankings if ranking)
                filters = replace(filters, assets=shown)
            passages, found = self.retrieval.retrieve_for_reading(question, filters, self.answer_finder.max_passages)
            rankings.append(found)
        segments = interleave_unique(*rankings) if pictures else rankings[0]
        return segments[:limit], passages

    def _search_pictures(self, sub_query: str, filters: SegmentFilter) -> list[RetrievedSegment]:
        """Search for the pictures of one sub-query; of a single video with the lenient cut."""
        is_single_asset = filters.assets is not None and len(filters.assets) == 1
        min_score = self.settings.lenient_min_score if is_single_asset else None
        results = self.retrieval.retrieve_evidence(Query(sub_query), filters, self.settings.max_evidence, min_score)
        return [result for result in results if Lane.VISUAL in result.lane_scores]


def build_answer(question: str, sentences: Sequence[Sentence]) -> Answer:
    """Join verified sentences to an answer; an abstention in the question's language where there are none."""
    if not sentences:
        return Answer(abstain_in_language_of(question), abstained=True, sentences=())
    return Answer(" ".join(sentence.text for sentence in sentences), abstained=False, sentences=tuple(sentences))


def _deduplication_key(sentence: Sentence) -> tuple[str, tuple[str, ...]]:
    return sentence.text, tuple(citation.evidence.id for citation in sentence.citations)


def _make_citation(evidence: Evidence, quote: Quote) -> Citation:
    text = evidence.text[quote.start : quote.end]
    box = locate_text(evidence.segment, quote.start, quote.end) if text else evidence.segment.box
    return Citation(evidence, box, text)
