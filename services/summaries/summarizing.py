"""Video summarization: segment by content, caption each section as a chapter, summarize the chapters.

Each chapter is stored when it is done, so that an interrupted run resumes after it. Memory is bounded by the pictures
of one section and a bounded number of passages per section.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import msgspec

from indexer.errors import ArtifactError, AssetNotFound, SourceError
from indexer.ports import BlobStore
from indexer.storage.artifacts import ArtifactStore
from indexer.types import AssetKind, Origin, Segment
from services.answering.ports import ClaimVerifier
from services.answering.types import Verdict
from services.catalog.types import Asset
from services.catalog.video_memory import StoredKeyFrame, VideoMemoryReader
from services.generators.ports import Generator
from services.generators.types import DraftSentence, Evidence
from services.search.types import RetrievedSegment
from services.summaries.segmentation import Section, max_sections, segment_by_content, segment_evenly
from services.summaries.types import Chapter, Statement, Summary

_SCHEMA_VERSION = 3
"""Form: part of a summary's key; goes up when the stored form, or a value of SummarySettings, changes."""
_CERTAIN_SCORE = 1.0
_GLOBAL_LANE, _SUMMARY_FILE = "global", "whole.json"
_T = TypeVar("_T")
SectionProgressCallback = Callable[[int, int], None]
"""Called with the number of finished sections and their total."""


@dataclass(frozen=True, slots=True)
class SummarySettings:
    """Limits of a summary's input and output."""

    max_pictures: int = 24
    """Pictures described per section. Chosen: decision 0055 counts errors with this many; fewer miss short events."""
    min_picture_gap_s: float = 4.0
    """Seconds between described pictures. Chosen: shorter sections would repeat what the last picture shows."""
    max_passages: int = 24
    """Passages per section, the longest ones. Chosen: bounds prompts; a section full of speech loses short lines."""
    caption_words: int = 40
    """Words of a picture's description. Chosen: about two sentences; longer ones take longer to generate."""
    title_words: int = 7
    """Words of a chapter's title. Chosen: fits one line of a list; longer titles are cut."""
    summary_words: int = 90
    """Words of the whole video's summary. Chosen: one paragraph, whatever the video's length."""


DEFAULT_SETTINGS = SummarySettings()
"""The settings of every profile."""


class Summarizing:
    """Summarizes videos with a generator; results are stored by generator and sections, and reused.

    `asset_exists` tells whether an asset is still in the archive, so that a deleted one leaves nothing behind.
    """

    def __init__(
        self,
        blobs: BlobStore,
        artifacts: ArtifactStore,
        video_memory: VideoMemoryReader,
        generator: Generator,
        verifier: ClaimVerifier,
        asset_exists: Callable[[str], bool],
        settings: SummarySettings = DEFAULT_SETTINGS,
    ) -> None:
        self._blobs, self._artifacts, self._video_memory = blobs, artifacts, video_memory
        self._asset_exists, self._settings = asset_exists, settings
        self._generator, self._verifier = generator, verifier

    def summarize(self, asset: Asset, progress: SectionProgressCallback | None = None) -> Summary:
        """Return the summary of a video, making the parts that are not stored yet.

        Errors: SourceError for other media, ModelError, GeneratorUnavailable, ArtifactError, AssetNotFound if it is
        deleted meanwhile. Finished sections stay stored.
        """
        sections = self._segment_video(asset)
        folder = self._folder(asset, sections)
        texts = self._passages_by_section(asset, sections)
        chapters: list[Chapter] = []
        for number, section in enumerate(sections):
            _report_progress(progress, number, len(sections))
            make = partial(self._make_chapter, asset, number, section, texts[number])
            chapters.append(self._load_or_make(asset, f"{folder}/{number:05}.json", Chapter, make))
        summary = self._load_or_make(
            asset, f"{folder}/{_SUMMARY_FILE}", Summary, partial(self._make_summary, asset, chapters)
        )
        _report_progress(progress, len(sections), len(sections))
        return summary

    def cached(self, asset: Asset) -> Summary | None:
        """Return the stored summary of a video, or None. Errors: as `summarize`."""
        return self._load(f"{self._folder(asset, self._segment_video(asset))}/{_SUMMARY_FILE}", Summary)

    def _segment_video(self, asset: Asset) -> list[Section]:
        if asset.kind is not AssetKind.VIDEO:
            raise SourceError(asset.name, "only videos can be summarized")
        duration_s = asset.duration_s or 0.0
        memory = self._video_memory.memory(asset)
        slots = [] if memory is None else memory.lanes[_GLOBAL_LANE]
        max_count = max_sections(duration_s)
        return segment_by_content(slots, max_count) if slots else segment_evenly(duration_s, max_count)

    def _folder(self, asset: Asset, sections: Sequence[Section]) -> str:
        facts = msgspec.json.encode([_SCHEMA_VERSION, self._generator.model_id, sections])
        digest = hashlib.sha256(facts).hexdigest()[:12]
        return f"{self._artifacts.version_prefix(asset.asset_id, asset.version)}/summary/{digest}"

    def _passages_by_section(self, asset: Asset, sections: Sequence[Section]) -> list[list[Segment]]:
        """Return the passages of each section in order; of too many the longest."""
        passages: list[list[Segment]] = [[] for _ in sections]
        starts = [section.start_s for section in sections]
        for record, _ in self._artifacts.read_checkpoints(self._artifacts.read_manifest(asset.asset_id, asset.version)):
            for segment in record.segments:
                if segment.origin not in (Origin.PICTURE, Origin.METADATA):
                    passages[max(0, bisect_right(starts, segment.start_s or 0.0) - 1)].append(segment)
            passages = [_longest_passages(texts, self._settings.max_passages) for texts in passages]
        return passages

    def _make_chapter(self, asset: Asset, number: int, section: Section, texts: Sequence[Segment]) -> Chapter:
        """Describe the pictures of a section one at a time (decision 0055), and title it by its lead picture."""
        statements: list[Statement] = []
        for group in _group_by_time(self._sample_pictures(asset, section), texts):
            evidence = _number_evidence(asset, group)
            drafts = self._generator.describe(evidence, self._settings.caption_words)
            statements += self._verified_statements(drafts, evidence)
        lead = self._lead_picture(asset, section)
        key_frame = lead[0].picture if lead else None
        title = self._make_title(_number_evidence(asset, [*lead, *texts]), statements, number)
        return Chapter(title, section.start_s, section.end_s, key_frame, _merge_repeated(statements))

    def _make_title(self, evidence: Sequence[Evidence], statements: Sequence[Statement], number: int) -> str:
        """Return the generator's title; else the beginning of the first statement; else a number."""
        max_words = self._settings.title_words
        drafts = self._generator.describe(evidence, max_words) if evidence else iter(())
        title = next((draft.text for draft in drafts), "")
        words = (title or (statements[0].text if statements else "")).split()
        if not words:
            return f"Part {number + 1}"
        return " ".join(words) if len(words) <= max_words else f"{' '.join(words[:max_words])} …"

    def _lead_picture(self, asset: Asset, section: Section) -> list[Segment]:
        """Return the picture that stands for most of a section; empty for a video without pictures."""
        if asset.width is None:
            return []
        return [_frame_as_segment(self._video_memory.key_frame_at(asset, section.picture_times_s[0]))]

    def _sample_pictures(self, asset: Asset, section: Section) -> list[Segment]:
        """Return key frames of a section, evenly spread, in order of time."""
        if asset.width is None:
            return []
        start_s, end_s = section.start_s, section.end_s
        frames = [frame for frame in self._video_memory.key_frames(asset) if start_s <= frame.start_s < end_s]
        step_s = max(self._settings.min_picture_gap_s, (end_s - start_s) / self._settings.max_pictures)
        chosen: list[Segment] = []
        for frame in frames:
            if not chosen or frame.start_s - (chosen[-1].start_s or 0.0) >= step_s:
                chosen.append(_frame_as_segment(frame))
        return chosen

    def _make_summary(self, asset: Asset, chapters: Sequence[Chapter]) -> Summary:
        passages = [_chapter_as_passage(chapter) for chapter in chapters if chapter.statements]
        if not passages:
            return Summary((), tuple(chapters))
        evidence = _number_evidence(asset, passages)
        drafts = self._generator.describe(evidence, self._settings.summary_words)
        return Summary(self._verified_statements(drafts, evidence), tuple(chapters))

    def _verified_statements(
        self, drafts: Iterator[DraftSentence], evidence: Sequence[Evidence]
    ) -> tuple[Statement, ...]:
        """Attribute and verify sentences; return those with citations that are not unsupported."""
        by_id = {item.id: item for item in evidence}
        statements = []
        for raw_draft in drafts:
            draft = self._verifier.attribute(raw_draft, evidence)
            cited = [by_id[quote.evidence_id].result.segment for quote in draft.quotes if quote.evidence_id in by_id]
            verdict = self._verifier.verify(draft, evidence).verdict
            if cited and verdict is not Verdict.UNSUPPORTED:
                start_s = min(segment.start_s or 0.0 for segment in cited)
                end_s = max(segment.end_s or 0.0 for segment in cited)
                statements.append(Statement(draft.text, verdict, start_s, end_s))
        return tuple(statements)

    def _load_or_make(self, asset: Asset, key: str, kind: type[_T], make: Callable[[], _T]) -> _T:
        """Return the stored value, or make and store it; an unreadable one is made again.

        A deletion removes the asset from the catalog before its blobs, so whichever of the two comes last sees the
        other. Errors: AssetNotFound if the asset was deleted meanwhile.
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


def _number_evidence(asset: Asset, segments: Sequence[Segment]) -> list[Evidence]:
    """Return segments as evidence with the ids F1, F2, …"""
    return [
        Evidence(f"F{number}", RetrievedSegment(asset, segment, _CERTAIN_SCORE, {}, 0.0))
        for number, segment in enumerate(segments, 1)
    ]


def _chapter_as_passage(chapter: Chapter) -> Segment:
    text = "\n".join(statement.text for statement in chapter.statements)
    return Segment(-1, Origin.SPEECH, chapter.start_s, chapter.end_s, text=text)


def _frame_as_segment(frame: StoredKeyFrame) -> Segment:
    return Segment(-1, Origin.PICTURE, frame.start_s, frame.end_s, picture=frame.picture)


def _group_by_time(pictures: Sequence[Segment], texts: Sequence[Segment]) -> list[list[Segment]]:
    """Group each picture with the passages of its time; without pictures, all passages are one group."""
    groups = [[picture] for picture in pictures]
    starts = [group[0].start_s or 0.0 for group in groups]
    for text in texts:
        if not groups:
            return [list(texts)]
        groups[max(0, bisect_right(starts, text.start_s or 0.0) - 1)].append(text)
    return groups


def _merge_repeated(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """Merge consecutive equal statements into one over the time of all of them."""
    merged: list[Statement] = []
    for statement in statements:
        last = merged[-1] if merged else None
        if last is not None and last.text == statement.text and last.verdict is statement.verdict:
            start_s, end_s = min(last.start_s, statement.start_s), max(last.end_s, statement.end_s)
            merged[-1] = Statement(statement.text, statement.verdict, start_s, end_s)
        else:
            merged.append(statement)
    return tuple(merged)


def _longest_passages(segments: Sequence[Segment], max_passages: int) -> list[Segment]:
    """Return the longest passages in their order, at most `max_passages`."""
    if len(segments) <= max_passages:
        return list(segments)
    longest = sorted(range(len(segments)), key=lambda number: -len(segments[number].text))[:max_passages]
    return [segments[number] for number in sorted(longest)]
