"""Summaries of videos: sections where the content changes, a caption for each, chapters, and all of it in a few words.

Section after section is stored as it is done, so that a run that was stopped goes on where it was; at no time is more
held than the sections' pictures and a bounded number of passages.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import msgspec

from indexer.artifacts import Artifacts
from indexer.errors import ArtifactError, AssetNotFound, SourceError
from indexer.ports import BlobStore
from indexer.types import AssetKind, Origin, PictureRef, Segment
from services.catalog import Asset
from services.ports import Generator, Verifier
from services.remembering import KeyFrame, Remembering
from services.sections import Section, even_sections, sections, sections_for
from services.types import Draft, Evidence, Found, Verdict

_SCHEMA = 3
_MOST_PICTURES, _PASSAGES = 24, 24
_APART_S = 4.0
_CAPTION_WORDS, _TITLE_WORDS, _SUMMARY_WORDS = 40, 7, 90
_SURE = 1.0
_LANE, _WHOLE = "global", "whole.json"
_T = TypeVar("_T")
Progress = Callable[[int, int], None]
"""Called with the sections that are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A verified sentence and the time `[start_s, end_s)` of what it cites."""

    text: str
    verdict: Verdict
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Chapter:
    """A section of a video, told: its title, its span, the picture that stands for it, what is to be said of it."""

    title: str
    start_s: float
    end_s: float
    key_frame: PictureRef | None
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """All of a video in a few sentences, and its chapters, which cover it without a gap."""

    statements: tuple[Statement, ...]
    chapters: tuple[Chapter, ...]


class Summarizing:
    """Makes summaries with a generator. What was made before, by the same generator of the same sections, is kept.

    `is_there` says of an asset's id whether it still is in the archive: what is deleted meanwhile leaves nothing.
    """

    def __init__(
        self,
        blobs: BlobStore,
        artifacts: Artifacts,
        remembering: Remembering,
        generator: Generator,
        verifier: Verifier,
        is_there: Callable[[str], bool],
    ) -> None:
        self._blobs, self._artifacts, self._remembering = blobs, artifacts, remembering
        self._is_there = is_there
        self._generator, self._verifier = generator, verifier

    def summarize(self, asset: Asset, progress: Progress | None = None) -> Summary:
        """The summary of a video. Errors: SourceError for what is no video, ModelError, GeneratorUnavailable,
        ArtifactError, AssetNotFound where it is deleted meanwhile; finished sections stay."""
        parts = self._sections(asset)
        folder = self._folder(asset, parts)
        texts = self._passages(asset, parts)
        chapters: list[Chapter] = []
        for number, part in enumerate(parts):
            _tell(progress, number, len(parts))
            make = partial(self._chapter, asset, number, part, texts[number])
            chapters.append(self._made(asset, f"{folder}/{number:05}.json", Chapter, make))
        whole = self._made(asset, f"{folder}/{_WHOLE}", Summary, partial(self._whole, asset, chapters))
        _tell(progress, len(parts), len(parts))
        return whole

    def kept(self, asset: Asset) -> Summary | None:
        """The summary that `summarize` would find made; None where it would make one. Errors: the same."""
        return self._stored(f"{self._folder(asset, self._sections(asset))}/{_WHOLE}", Summary)

    def _sections(self, asset: Asset) -> list[Section]:
        if asset.kind is not AssetKind.VIDEO:
            raise SourceError(asset.name, "only videos can be summarized")
        duration_s = asset.duration_s or 0.0
        memory = self._remembering.memory(asset)
        slots = [] if memory is None else memory.lanes[_LANE]
        most = sections_for(duration_s)
        return sections(slots, most) if slots else even_sections(duration_s, most)

    def _folder(self, asset: Asset, parts: Sequence[Section]) -> str:
        facts = msgspec.json.encode([_SCHEMA, self._generator.model_id, parts])
        own = hashlib.sha256(facts).hexdigest()[:12]
        return f"{self._artifacts.folder(asset.asset_id, asset.version)}/summary/{own}"

    def _passages(self, asset: Asset, parts: Sequence[Section]) -> list[list[Segment]]:
        """The passages of each section: where there are too many, the longest ones, in order."""
        held: list[list[Segment]] = [[] for _ in parts]
        starts = [part.start_s for part in parts]
        for record, _ in self._artifacts.checkpoints(self._artifacts.manifest(asset.asset_id, asset.version)):
            for segment in record.segments:
                if segment.origin is not Origin.PICTURE:
                    held[max(0, bisect_right(starts, segment.start_s or 0.0) - 1)].append(segment)
            held = [_longest(some) for some in held]
        return held

    def _chapter(self, asset: Asset, number: int, part: Section, texts: Sequence[Segment]) -> Chapter:
        """What its pictures show, one at a time, in order; its title is that of the one that stands for most."""
        said: list[Statement] = []
        for group in _groups(self._pictures(asset, part), texts):
            evidence = [_evidence(asset, place, segment) for place, segment in enumerate(group, 1)]
            said += self._said(self._generator.describe(evidence, _CAPTION_WORDS), evidence)
        lead = self._lead(asset, part)
        shown = [_evidence(asset, place, segment) for place, segment in enumerate([*lead, *texts], 1)]
        title = next((draft.text for draft in self._generator.describe(shown, _TITLE_WORDS)), "") if shown else ""
        key_frame = lead[0].picture if lead else None
        return Chapter(_title(title, said, number), part.start_s, part.end_s, key_frame, _once(said))

    def _lead(self, asset: Asset, part: Section) -> list[Segment]:
        return [] if asset.width is None else [_shown(self._remembering.key_frame(asset, part.shown_s[0]))]

    def _pictures(self, asset: Asset, part: Section) -> list[Segment]:
        """Key frames of a section, evenly spread, in order of time."""
        if asset.width is None:
            return []
        frames = [one for one in self._remembering.key_frames(asset) if part.start_s <= one.start_s < part.end_s]
        step_s = max(_APART_S, (part.end_s - part.start_s) / _MOST_PICTURES)
        chosen: list[Segment] = []
        for frame in frames:
            if not chosen or frame.start_s - (chosen[-1].start_s or 0.0) >= step_s:
                chosen.append(_shown(frame))
        return chosen

    def _whole(self, asset: Asset, chapters: Sequence[Chapter]) -> Summary:
        told = [_told(chapter) for chapter in chapters if chapter.statements]
        evidence = [_evidence(asset, place, segment) for place, segment in enumerate(told, 1)]
        said = self._said(self._generator.describe(evidence, _SUMMARY_WORDS), evidence) if evidence else ()
        return Summary(said, tuple(chapters))

    def _said(self, drafts: Iterator[Draft], evidence: Sequence[Evidence]) -> tuple[Statement, ...]:
        by_id = {one.id: one for one in evidence}
        said = []
        for said_of_it in drafts:
            draft = self._verifier.attributed(said_of_it, evidence)
            cited = [by_id[quote.evidence_id].found.segment for quote in draft.quotes if quote.evidence_id in by_id]
            judgement = self._verifier.verify(draft, evidence)
            if cited and judgement.verdict is not Verdict.UNSUPPORTED:
                start_s, end_s = min(one.start_s or 0.0 for one in cited), max(one.end_s or 0.0 for one in cited)
                said.append(Statement(draft.text, judgement.verdict, start_s, end_s))
        return tuple(said)

    def _made(self, asset: Asset, key: str, kind: type[_T], make: Callable[[], _T]) -> _T:
        """What is stored, or else is made now and stored. What cannot be read any more is made again.

        A deletion takes the asset out of the catalog before it removes what is stored: whichever of the two comes last
        sees the other.
        """
        if (stored := self._stored(key, kind)) is not None:
            return stored
        made = make()
        self._blobs.put(key, msgspec.json.encode(made))
        if not self._is_there(asset.asset_id):
            self._blobs.delete(key.rpartition("/")[0])
            raise AssetNotFound(f"no asset {asset.asset_id!r}")
        return made

    def _stored(self, key: str, kind: type[_T]) -> _T | None:
        try:
            return msgspec.json.decode(self._blobs.get(key), type=kind)
        except (ArtifactError, msgspec.MsgspecError):
            return None


def _tell(progress: Progress | None, done: int, all_of_them: int) -> None:
    if progress is not None:
        progress(done, all_of_them)


def _evidence(asset: Asset, place: int, segment: Segment) -> Evidence:
    return Evidence(f"F{place}", Found(asset, segment, _SURE, {}, 0.0))


def _told(chapter: Chapter) -> Segment:
    text = "\n".join(one.text for one in chapter.statements)
    return Segment(-1, Origin.SPEECH, chapter.start_s, chapter.end_s, text=text)


def _shown(frame: KeyFrame) -> Segment:
    return Segment(-1, Origin.PICTURE, frame.start_s, frame.end_s, picture=frame.picture)


def _groups(pictures: Sequence[Segment], texts: Sequence[Segment]) -> list[list[Segment]]:
    """Each picture with the passages of its time; passages alone where nothing is seen."""
    groups = [[one] for one in pictures]
    starts = [group[0].start_s or 0.0 for group in groups]
    for text in texts:
        if not groups:
            return [list(texts)]
        groups[max(0, bisect_right(starts, text.start_s or 0.0) - 1)].append(text)
    return groups


def _once(said: Sequence[Statement]) -> tuple[Statement, ...]:
    """Statements that repeat each other become one, over the time of all of them."""
    kept: list[Statement] = []
    for one in said:
        last = kept[-1] if kept else None
        if last is not None and last.text == one.text and last.verdict is one.verdict:
            kept[-1] = Statement(one.text, one.verdict, min(last.start_s, one.start_s), max(last.end_s, one.end_s))
        else:
            kept.append(one)
    return tuple(kept)


def _longest(segments: Sequence[Segment]) -> list[Segment]:
    if len(segments) <= _PASSAGES:
        return list(segments)
    kept = sorted(range(len(segments)), key=lambda number: -len(segments[number].text))[:_PASSAGES]
    return [segments[number] for number in sorted(kept)]


def _title(text: str, said: Sequence[Statement], number: int) -> str:
    """What the generator says in a few words; else how the caption begins; else a number."""
    words = (text or (said[0].text if said else "")).split()
    if not words:
        return f"Part {number + 1}"
    return " ".join(words) if len(words) <= _TITLE_WORDS else f"{' '.join(words[:_TITLE_WORDS])} …"
