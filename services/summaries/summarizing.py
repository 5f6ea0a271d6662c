"""Summaries of videos: sections where the content changes, a caption for each, chapters, and all of it in a few words.

Section after section is stored as it is done, so that a run that was stopped goes on where it was; at no time is more
held than the sections' pictures and a bounded number of passages.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from indexer.errors import ArtifactError, AssetNotFound, SourceError
from indexer.ports import BlobStore
from indexer.storage.artifacts import ArtifactStore
from indexer.types import AssetKind, Origin, Segment
from services.answering.ports import Verifier
from services.answering.types import Verdict
from services.catalog.types import Asset
from services.catalog.video_memory import StoredKeyFrame, VideoMemoryReader
from services.generators.ports import Generator
from services.generators.types import DraftSentence, Evidence
from services.search.types import RetrievedSegment
from services.summaries.segmentation import Section, max_sections, segment_by_content, segment_evenly
from services.summaries.types import Chapter, Statement, Summary

_SCHEMA_VERSION = 3
_MAX_PICTURES, _MAX_PASSAGES = 24, 24
_MIN_PICTURE_GAP_S = 4.0
_CAPTION_WORDS, _TITLE_WORDS, _SUMMARY_WORDS = 40, 7, 90
_CERTAIN_SCORE = 1.0
_GLOBAL_LANE, _SUMMARY_FILE = "global", "whole.json"
_T = TypeVar("_T")
SectionProgressCallback = Callable[[int, int], None]
"""Called with the sections that are done, and how many there are."""


class Summarizing:
    """Makes summaries with a generator. What was made before, by the same generator of the same sections, is kept.

    `is_there` says of an asset's id whether it still is in the archive: what is deleted meanwhile leaves nothing.
    """

    def __init__(
        self,
        blobs: BlobStore,
        artifacts: ArtifactStore,
        video_memory: VideoMemoryReader,
        generator: Generator,
        verifier: Verifier,
        asset_exists: Callable[[str], bool],
    ) -> None:
        self._blobs, self._artifacts, self._video_memory = blobs, artifacts, video_memory
        self._asset_exists = asset_exists
        self._generator, self._verifier = generator, verifier

    def summarize(self, asset: Asset, progress: SectionProgressCallback | None = None) -> Summary:
        """The summary of a video. Errors: SourceError for what is no video, ModelError, GeneratorUnavailable,
        ArtifactError, AssetNotFound where it is deleted meanwhile; finished sections stay."""
        parts = self._segment_video(asset)
        folder = self._folder(asset, parts)
        texts = self._passages_by_section(asset, parts)
        chapters: list[Chapter] = []
        for number, part in enumerate(parts):
            _report_progress(progress, number, len(parts))
            make = partial(self._make_chapter, asset, number, part, texts[number])
            chapters.append(self._load_or_make(asset, f"{folder}/{number:05}.json", Chapter, make))
        whole = self._load_or_make(
            asset, f"{folder}/{_SUMMARY_FILE}", Summary, partial(self._make_summary, asset, chapters)
        )
        _report_progress(progress, len(parts), len(parts))
        return whole

    def cached(self, asset: Asset) -> Summary | None:
        """The summary that `summarize` would find made; None where it would make one. Errors: the same."""
        return self._load(f"{self._folder(asset, self._segment_video(asset))}/{_SUMMARY_FILE}", Summary)

    def _segment_video(self, asset: Asset) -> list[Section]:
        if asset.kind is not AssetKind.VIDEO:
            raise SourceError(asset.name, "only videos can be summarized")
        duration_s = asset.duration_s or 0.0
        memory = self._video_memory.memory(asset)
        slots = [] if memory is None else memory.lanes[_GLOBAL_LANE]
        max_count = max_sections(duration_s)
        return segment_by_content(slots, max_count) if slots else segment_evenly(duration_s, max_count)

    def _folder(self, asset: Asset, parts: Sequence[Section]) -> str:
        facts = msgspec.json.encode([_SCHEMA_VERSION, self._generator.model_id, parts])
        own = hashlib.sha256(facts).hexdigest()[:12]
        return f"{self._artifacts.version_prefix(asset.asset_id, asset.version)}/summary/{own}"

    def _passages_by_section(self, asset: Asset, parts: Sequence[Section]) -> list[list[Segment]]:
        """The passages of each section: where there are too many, the longest ones, in order."""
        passages: list[list[Segment]] = [[] for _ in parts]
        starts = [part.start_s for part in parts]
        for record, _ in self._artifacts.read_checkpoints(self._artifacts.read_manifest(asset.asset_id, asset.version)):
            for segment in record.segments:
                if segment.origin is not Origin.PICTURE:
                    passages[max(0, bisect_right(starts, segment.start_s or 0.0) - 1)].append(segment)
            passages = [_longest_passages(some) for some in passages]
        return passages

    def _make_chapter(self, asset: Asset, number: int, part: Section, texts: Sequence[Segment]) -> Chapter:
        """What its pictures show, one at a time, in order; its title is that of the one that stands for most."""
        statements: list[Statement] = []
        for group in _group_by_time(self._sample_pictures(asset, part), texts):
            evidence = [_make_evidence(asset, place, segment) for place, segment in enumerate(group, 1)]
            statements += self._verified_statements(self._generator.describe(evidence, _CAPTION_WORDS), evidence)
        lead = self._lead_picture(asset, part)
        shown = [_make_evidence(asset, place, segment) for place, segment in enumerate([*lead, *texts], 1)]
        title = next((draft.text for draft in self._generator.describe(shown, _TITLE_WORDS)), "") if shown else ""
        key_frame = lead[0].picture if lead else None
        return Chapter(
            _choose_title(title, statements, number), part.start_s, part.end_s, key_frame, _merge_repeated(statements)
        )

    def _lead_picture(self, asset: Asset, part: Section) -> list[Segment]:
        return (
            []
            if asset.width is None
            else [_frame_as_segment(self._video_memory.key_frame_at(asset, part.picture_times_s[0]))]
        )

    def _sample_pictures(self, asset: Asset, part: Section) -> list[Segment]:
        """Key frames of a section, evenly spread, in order of time."""
        if asset.width is None:
            return []
        frames = [one for one in self._video_memory.key_frames(asset) if part.start_s <= one.start_s < part.end_s]
        step_s = max(_MIN_PICTURE_GAP_S, (part.end_s - part.start_s) / _MAX_PICTURES)
        chosen: list[Segment] = []
        for frame in frames:
            if not chosen or frame.start_s - (chosen[-1].start_s or 0.0) >= step_s:
                chosen.append(_frame_as_segment(frame))
        return chosen

    def _make_summary(self, asset: Asset, chapters: Sequence[Chapter]) -> Summary:
        passages = [_chapter_as_passage(chapter) for chapter in chapters if chapter.statements]
        evidence = [_make_evidence(asset, place, segment) for place, segment in enumerate(passages, 1)]
        statements = (
            self._verified_statements(self._generator.describe(evidence, _SUMMARY_WORDS), evidence) if evidence else ()
        )
        return Summary(statements, tuple(chapters))

    def _verified_statements(
        self, drafts: Iterator[DraftSentence], evidence: Sequence[Evidence]
    ) -> tuple[Statement, ...]:
        by_id = {one.id: one for one in evidence}
        statements = []
        for said_of_it in drafts:
            draft = self._verifier.attribute(said_of_it, evidence)
            cited = [by_id[quote.evidence_id].result.segment for quote in draft.quotes if quote.evidence_id in by_id]
            judgement = self._verifier.verify(draft, evidence)
            if cited and judgement.verdict is not Verdict.UNSUPPORTED:
                start_s, end_s = min(one.start_s or 0.0 for one in cited), max(one.end_s or 0.0 for one in cited)
                statements.append(Statement(draft.text, judgement.verdict, start_s, end_s))
        return tuple(statements)

    def _load_or_make(self, asset: Asset, key: str, kind: type[_T], make: Callable[[], _T]) -> _T:
        """What is stored, or else is made now and stored. What cannot be read any more is made again.

        A deletion takes the asset out of the catalog before it removes what is stored: whichever of the two comes last
        sees the other.
        """
        if (stored := self._load(key, kind)) is not None:
            return stored
        value = make()
        self._blobs.put(key, msgspec.json.encode(value))
        if not self._asset_exists(asset.asset_id):
            self._blobs.delete_prefix(key.rpartition("/")[0])
            raise AssetNotFound(f"no asset {asset.asset_id!r}")
        return value

    def _load(self, key: str, kind: type[_T]) -> _T | None:
        try:
            return msgspec.json.decode(self._blobs.get(key), type=kind)
        except (ArtifactError, msgspec.MsgspecError):
            return None


def _report_progress(progress: SectionProgressCallback | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _make_evidence(asset: Asset, place: int, segment: Segment) -> Evidence:
    return Evidence(f"F{place}", RetrievedSegment(asset, segment, _CERTAIN_SCORE, {}, 0.0))


def _chapter_as_passage(chapter: Chapter) -> Segment:
    text = "\n".join(one.text for one in chapter.statements)
    return Segment(-1, Origin.SPEECH, chapter.start_s, chapter.end_s, text=text)


def _frame_as_segment(frame: StoredKeyFrame) -> Segment:
    return Segment(-1, Origin.PICTURE, frame.start_s, frame.end_s, picture=frame.picture)


def _group_by_time(pictures: Sequence[Segment], texts: Sequence[Segment]) -> list[list[Segment]]:
    """Each picture with the passages of its time; passages alone where nothing is seen."""
    groups = [[one] for one in pictures]
    starts = [group[0].start_s or 0.0 for group in groups]
    for text in texts:
        if not groups:
            return [list(texts)]
        groups[max(0, bisect_right(starts, text.start_s or 0.0) - 1)].append(text)
    return groups


def _merge_repeated(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """Statements that repeat each other become one, over the time of all of them."""
    result: list[Statement] = []
    for one in statements:
        last = result[-1] if result else None
        if last is not None and last.text == one.text and last.verdict is one.verdict:
            result[-1] = Statement(one.text, one.verdict, min(last.start_s, one.start_s), max(last.end_s, one.end_s))
        else:
            result.append(one)
    return tuple(result)


def _longest_passages(segments: Sequence[Segment]) -> list[Segment]:
    if len(segments) <= _MAX_PASSAGES:
        return list(segments)
    kept = sorted(range(len(segments)), key=lambda number: -len(segments[number].text))[:_MAX_PASSAGES]
    return [segments[number] for number in sorted(kept)]


def _choose_title(text: str, statements: Sequence[Statement], number: int) -> str:
    """What the generator says in a few words; else how the caption begins; else a number."""
    words = (text or (statements[0].text if statements else "")).split()
    if not words:
        return f"Part {number + 1}"
    return " ".join(words) if len(words) <= _TITLE_WORDS else f"{' '.join(words[:_TITLE_WORDS])} …"
