"""What goes into a prompt, in what order, so that it keeps to its budget exactly.

`[opening] [memory slots, by time] [frames, by time] [pictures] [text] [request] [closing]`. Opening and memory are the
same for every question on a video, so that they need be read once: what a memory may take follows from the budget and
the layout alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from indexer.errors import InvalidInput, SettingsError
from indexer.types import AssetKind, PictureRef
from services.generators.onevision.engine import TokenIds
from services.generators.onevision.prompt_template import PromptTemplate
from services.generators.onevision.tokenizer import PromptTokenizer
from services.generators.prompts import MEMORY_ID_PREFIX, format_headers, quote_untrusted
from services.generators.types import Evidence

_MIN_TEXT_TOKENS = 24


@dataclass(frozen=True, slots=True)
class VisualPart:
    """A picture in a prompt: the words before it, whose it is, how many visual tokens it gets, and whether it is seen
    in detail, as pictures are, or as frames are."""

    header: TokenIds
    evidence: Evidence
    token_count: int
    detailed: bool = False

    @property
    def cost(self) -> int:
        return len(self.header) + self.token_count


@dataclass(frozen=True, slots=True)
class TextPart:
    """The text of a piece of evidence in a prompt, its header with it."""

    ids: TokenIds
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class PromptPlan:
    """A prompt before anything was computed; `tokens` is its whole length. `slots` and `frames` end with a newline
    token each, where the layout wants one and there are any; pictures bring their own."""

    opening: TokenIds
    slots: tuple[VisualPart, ...]
    frames: tuple[VisualPart, ...]
    pictures: tuple[VisualPart, ...]
    texts: tuple[TextPart, ...]
    closing: TokenIds
    newline: int

    @property
    def included_evidence(self) -> list[Evidence]:
        """The evidence that there was room for, in part at least."""
        seen = [one.evidence for one in (*self.slots, *self.frames, *self.pictures)]
        return [*seen, *(text.evidence for text in self.texts)]

    @property
    def token_count(self) -> int:
        shown = sum(one.cost for one in (*self.slots, *self.frames, *self.pictures))
        words = sum(map(len, (self.opening, *(text.ids for text in self.texts), self.closing)))
        return shown + words + self.newline * (bool(self.slots) + bool(self.frames))


class PromptPlanner:
    """Plans prompts of at most `budget` tokens. `count` says how many tokens a frame gets of those it may have.

    Errors, when made: SettingsError where the budget does not hold a single frame.
    """

    def __init__(
        self,
        prompt_template: PromptTemplate,
        max_prompt_tokens: int,
        count_frame_tokens: Callable[[int], int],
        tokenizer: PromptTokenizer,
    ) -> None:
        self._prompt_template, self._max_prompt_tokens, self._count_frame_tokens, self._tokenizer = (
            prompt_template,
            max_prompt_tokens,
            count_frame_tokens,
            tokenizer,
        )
        self._opening, self._closing = (
            tokenizer.encode_trusted(prompt_template.opening),
            tokenizer.encode_trusted(prompt_template.closing),
        )
        self._newline = int(prompt_template.newline)
        min_tokens = (
            len(self._opening) + len(self._closing) + count_frame_tokens(prompt_template.frame_tokens) + self._newline
        )
        if max_prompt_tokens < min_tokens:
            raise SettingsError(
                f"AFTERIMAGE_GENERATOR__MAX_PROMPT_TOKENS: {max_prompt_tokens} tokens do not hold one frame; with what stands around "
                f"it that takes {min_tokens}"
            )

    def plan(self, request: str, evidence: Sequence[Evidence], detail_tokens: Mapping[str, int]) -> PromptPlan:
        """A prompt for a request. `pictures` are the tokens of those photos and pages that are seen in detail, by id.

        Errors: QueryError for a request that leaves no room for evidence.
        """
        closing = (*self._tokenizer.encode_untrusted(request), *self._closing)
        header_by_id = format_headers(evidence)
        slots = self._plan_slots([one for one in evidence if one.id.startswith(MEMORY_ID_PREFIX)], header_by_id)
        plan = PromptPlan(self._opening, slots, (), (), (), closing, self._newline)
        free_tokens = self._max_prompt_tokens - plan.token_count
        if free_tokens < 0:
            raise InvalidInput(
                f"the question takes {len(closing)} tokens; with what it is asked of, more than the budget of "
                f"{self._max_prompt_tokens} (AFTERIMAGE_GENERATOR__MAX_PROMPT_TOKENS)"
            )
        found = [one for one in evidence if not one.id.startswith(MEMORY_ID_PREFIX)]
        return self._add_evidence(plan, found, header_by_id, detail_tokens, free_tokens)

    def _plan_slots(self, slots: Sequence[Evidence], header_by_id: Mapping[str, str]) -> tuple[VisualPart, ...]:
        """All slots with as many tokens as their share allows; where one token each is too much, evenly spread ones."""
        around = len(self._opening) + len(self._closing) + self._newline
        share = int((self._max_prompt_tokens - around) * self._prompt_template.memory_share)
        ordered = sorted(slots, key=lambda one: one.result.segment.start_s or 0.0)
        parts: tuple[VisualPart, ...] = ()
        for tokens in range(self._prompt_template.slot_tokens, 0, -1):
            parts = tuple(self._plan_slot(one, header_by_id, tokens) for one in ordered)
            if sum(one.cost for one in parts) <= share:
                return parts
        longest = max((one.cost for one in parts), default=1)
        return tuple(_spread_evenly(parts, share // longest))

    def _plan_slot(self, slot: Evidence, header_by_id: Mapping[str, str], max_tokens: int) -> VisualPart:
        count = self._count_frame_tokens(max_tokens) if slot.visual_tokens is None else len(slot.visual_tokens)
        return VisualPart(self._tokenizer.encode_untrusted(header_by_id[slot.id]), slot, count)

    def _add_evidence(
        self,
        plan: PromptPlan,
        evidence: Sequence[Evidence],
        header_by_id: Mapping[str, str],
        detail_tokens: Mapping[str, int],
        free_tokens: int,
    ) -> PromptPlan:
        """The plan with as much of the evidence, best first, as there is room for. A picture is shown once where the
        words that were read in it, or said over it, are evidence of their own."""
        frames: list[VisualPart] = []
        photos: list[VisualPart] = []
        texts: list[TextPart] = []
        used_pictures: set[PictureRef] = set()
        for piece in evidence:
            if (picture := piece.result.segment.picture) and (
                picture not in used_pictures or not piece.result.segment.text.strip()
            ):
                into = frames if piece.result.asset.kind is AssetKind.VIDEO else photos
                new_run = self._newline * (into is frames and not frames)
                if (shown := self._plan_picture(piece, header_by_id, detail_tokens, free_tokens - new_run)) is not None:
                    into.append(shown)
                    used_pictures.add(picture)
                    free_tokens -= shown.cost + new_run
            if (text := self._plan_text(piece, header_by_id, free_tokens)) is not None:
                texts.append(TextPart(text, piece))
                free_tokens -= len(text)
        frames.sort(
            key=lambda shown: (shown.evidence.result.asset.asset_id, shown.evidence.result.segment.start_s or 0.0)
        )
        return PromptPlan(
            plan.opening, plan.slots, tuple(frames), tuple(photos), tuple(texts), plan.closing, self._newline
        )

    def _plan_picture(
        self, piece: Evidence, header_by_id: Mapping[str, str], detail_tokens: Mapping[str, int], free_tokens: int
    ) -> VisualPart | None:
        """In detail where there is room, else as a frame, else not at all."""
        header = self._tokenizer.encode_untrusted(header_by_id[piece.id])
        if piece.id in detail_tokens and len(header) + detail_tokens[piece.id] <= free_tokens:
            return VisualPart(header, piece, detail_tokens[piece.id], detailed=True)
        tokens = self._count_frame_tokens(self._prompt_template.frame_tokens)
        return VisualPart(header, piece, tokens) if len(header) + tokens <= free_tokens else None

    def _plan_text(self, piece: Evidence, header_by_id: Mapping[str, str], free_tokens: int) -> TokenIds | None:
        """The text behind its header, cut where the room ends; None where it has none, or next to no room."""
        if not piece.result.segment.text.strip():
            return None
        end = self._tokenizer.encode_untrusted("\n")
        ids = self._tokenizer.encode_untrusted(
            f"{header_by_id[piece.id]}\n{quote_untrusted(piece.result.segment.text)}"
        )
        if len(ids) + len(end) > free_tokens < _MIN_TEXT_TOKENS:
            return None
        return (*ids[: free_tokens - len(end)], *end)


def _spread_evenly(items: Sequence[VisualPart], count: int) -> Iterable[VisualPart]:
    """At most `count` of them, evenly spread, the first and the last among them."""
    if count >= len(items):
        return items
    if count < 2:
        return items[:count]
    return [items[round(number * (len(items) - 1) / (count - 1))] for number in range(count)]
