"""What goes into a prompt, in what order, so that it keeps to its budget exactly.

`[opening] [memory slots, by time] [frames, by time] [pictures] [text] [request] [closing]`. Opening and memory are the
same for every question on a video, so that they need be read once: what a memory may take follows from the budget and
the layout alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from indexer.errors import QueryError, SettingsError
from indexer.types import AssetKind, PictureRef
from services.generators.onevision.engine import Ids
from services.generators.onevision.layout import Layout
from services.generators.onevision.words import Words
from services.generators.wording import MEMORY, headers, material
from services.types import Evidence

_LEAST_TEXT = 24


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture in a prompt: the words before it, whose it is, how many visual tokens it gets, and whether it is seen
    in detail, as pictures are, or as frames are."""

    header: Ids
    evidence: Evidence
    tokens: int
    detailed: bool = False

    @property
    def cost(self) -> int:
        return len(self.header) + self.tokens


@dataclass(frozen=True, slots=True)
class Read:
    """The text of a piece of evidence in a prompt, its header with it."""

    ids: Ids
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Plan:
    """A prompt before anything was computed; `tokens` is its whole length. `slots` and `frames` end with a newline
    token each, where the layout wants one and there are any; pictures bring their own."""

    opening: Ids
    slots: tuple[Shown, ...]
    frames: tuple[Shown, ...]
    pictures: tuple[Shown, ...]
    texts: tuple[Read, ...]
    closing: Ids
    newline: int

    @property
    def shown(self) -> list[Evidence]:
        """The evidence that there was room for, in part at least."""
        seen = [one.evidence for one in (*self.slots, *self.frames, *self.pictures)]
        return [*seen, *(text.evidence for text in self.texts)]

    @property
    def tokens(self) -> int:
        shown = sum(one.cost for one in (*self.slots, *self.frames, *self.pictures))
        words = sum(map(len, (self.opening, *(text.ids for text in self.texts), self.closing)))
        return shown + words + self.newline * (bool(self.slots) + bool(self.frames))


class Planner:
    """Plans prompts of at most `budget` tokens. `count` says how many tokens a frame gets of those it may have.

    Errors, when made: SettingsError where the budget does not hold a single frame.
    """

    def __init__(self, layout: Layout, budget: int, count: Callable[[int], int], words: Words) -> None:
        self._layout, self._budget, self._count, self._words = layout, budget, count, words
        self._opening, self._closing = words.ruling(layout.opening), words.ruling(layout.closing)
        self._newline = int(layout.newline)
        least = len(self._opening) + len(self._closing) + count(layout.frame_tokens) + self._newline
        if budget < least:
            raise SettingsError(
                f"AFTERIMAGE_GENERATOR__BUDGET_TOKENS: {budget} tokens do not hold one frame; with what stands around "
                f"it that takes {least}"
            )

    def plan(self, request: str, evidence: Sequence[Evidence], pictures: Mapping[str, int]) -> Plan:
        """A prompt for a request. `pictures` are the tokens of those photos and pages that are seen in detail, by id.

        Errors: QueryError for a request that leaves no room for evidence.
        """
        closing = (*self._words.plain(request), *self._closing)
        names = headers(evidence)
        slots = self._memory([one for one in evidence if one.id.startswith(MEMORY)], names)
        plan = Plan(self._opening, slots, (), (), (), closing, self._newline)
        free = self._budget - plan.tokens
        if free < 0:
            raise QueryError(
                f"the question takes {len(closing)} tokens; with what it is asked of, more than the budget of "
                f"{self._budget} (AFTERIMAGE_GENERATOR__BUDGET_TOKENS)"
            )
        found = [one for one in evidence if not one.id.startswith(MEMORY)]
        return self._filled(plan, found, names, pictures, free)

    def _memory(self, slots: Sequence[Evidence], names: Mapping[str, str]) -> tuple[Shown, ...]:
        """All slots with as many tokens as their share allows; where one token each is too much, evenly spread ones."""
        around = len(self._opening) + len(self._closing) + self._newline
        share = int((self._budget - around) * self._layout.memory_share)
        ordered = sorted(slots, key=lambda one: one.found.segment.start_s or 0.0)
        shown: tuple[Shown, ...] = ()
        for tokens in range(self._layout.slot_tokens, 0, -1):
            shown = tuple(self._slot(one, names, tokens) for one in ordered)
            if sum(one.cost for one in shown) <= share:
                return shown
        longest = max((one.cost for one in shown), default=1)
        return tuple(_spread(shown, share // longest))

    def _slot(self, one: Evidence, names: Mapping[str, str], tokens: int) -> Shown:
        count = self._count(tokens) if one.tokens is None else len(one.tokens)
        return Shown(self._words.plain(names[one.id]), one, count)

    def _filled(
        self, plan: Plan, found: Sequence[Evidence], names: Mapping[str, str], pictures: Mapping[str, int], free: int
    ) -> Plan:
        """The plan with as much of the evidence, best first, as there is room for. A picture is shown once where the
        words that were read in it, or said over it, are evidence of their own."""
        frames: list[Shown] = []
        photos: list[Shown] = []
        texts: list[Read] = []
        seen: set[PictureRef] = set()
        for one in found:
            if (picture := one.found.segment.picture) and (picture not in seen or not one.found.segment.text.strip()):
                into = frames if one.found.asset.kind is AssetKind.VIDEO else photos
                new_run = self._newline * (into is frames and not frames)
                if (shown := self._shown(one, names, pictures, free - new_run)) is not None:
                    into.append(shown)
                    seen.add(picture)
                    free -= shown.cost + new_run
            if (text := self._text(one, names, free)) is not None:
                texts.append(Read(text, one))
                free -= len(text)
        frames.sort(
            key=lambda shown: (shown.evidence.found.asset.asset_id, shown.evidence.found.segment.start_s or 0.0)
        )
        return Plan(plan.opening, plan.slots, tuple(frames), tuple(photos), tuple(texts), plan.closing, self._newline)

    def _shown(self, one: Evidence, names: Mapping[str, str], pictures: Mapping[str, int], free: int) -> Shown | None:
        """In detail where there is room, else as a frame, else not at all."""
        header = self._words.plain(names[one.id])
        if one.id in pictures and len(header) + pictures[one.id] <= free:
            return Shown(header, one, pictures[one.id], detailed=True)
        tokens = self._count(self._layout.frame_tokens)
        return Shown(header, one, tokens) if len(header) + tokens <= free else None

    def _text(self, one: Evidence, names: Mapping[str, str], free: int) -> Ids | None:
        """The text behind its header, cut where the room ends; None where it has none, or next to no room."""
        if not one.found.segment.text.strip():
            return None
        end = self._words.plain("\n")
        ids = self._words.plain(f"{names[one.id]}\n{material(one.found.segment.text)}")
        if len(ids) + len(end) > free < _LEAST_TEXT:
            return None
        return (*ids[: free - len(end)], *end)


def _spread(items: Sequence[Shown], count: int) -> Iterable[Shown]:
    """At most `count` of them, evenly spread, the first and the last among them."""
    if count >= len(items):
        return items
    if count < 2:
        return items[:count]
    return [items[round(number * (len(items) - 1) / (count - 1))] for number in range(count)]
