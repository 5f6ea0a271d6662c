"""Prompt planning: which evidence goes into a prompt, in which order, within an exact token budget.

`[opening] [memory slots, by time] [frames, by time] [pictures] [text] [request] [closing]`. Opening and memory are the
same for every question on a video, so that they are prefilled once: the memory's share follows from the budget and the
template alone (decision 0029).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from indexer.errors import InvalidInput, SettingsError
from indexer.text.passage import text_with_context
from indexer.types import AssetKind, PictureRef
from services.generators.onevision.engine import TokenIds
from services.generators.onevision.prompt_template import PromptTemplate
from services.generators.onevision.tokenizer import PromptTokenizer
from services.generators.prompts import MEMORY_ID_PREFIX, format_headers, quote_untrusted
from services.generators.types import Evidence

_MIN_TEXT_TOKENS = 24
"""Chosen: a text cut shorter than this is left out, as its header alone would take most of it."""


@dataclass(frozen=True, slots=True)
class VisualPart:
    """Picture in a prompt with its header before it.

    `detailed` pictures are encoded as images (AnyRes tiles or one view), others as video frames.
    """

    header: TokenIds
    evidence: Evidence
    token_count: int
    detailed: bool = False

    @property
    def cost(self) -> int:
        """Tokens of the header and of the picture."""
        return len(self.header) + self.token_count


@dataclass(frozen=True, slots=True)
class TextPart:
    """Text of a piece of evidence in a prompt, with its header."""

    ids: TokenIds
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class PromptPlan:
    """Planned prompt, before any picture is encoded.

    Slots and frames, where there are any, end with `newline` tokens (0 or 1) each; pictures bring their own.
    """

    opening: TokenIds
    slots: tuple[VisualPart, ...]
    frames: tuple[VisualPart, ...]
    pictures: tuple[VisualPart, ...]
    texts: tuple[TextPart, ...]
    closing: TokenIds
    newline: int

    @property
    def included_evidence(self) -> list[Evidence]:
        """Evidence that the prompt includes, in part at least."""
        shown = [part.evidence for part in (*self.slots, *self.frames, *self.pictures)]
        return [*shown, *(text.evidence for text in self.texts)]

    @property
    def token_count(self) -> int:
        """Length of the whole prompt in tokens."""
        picture_tokens = sum(part.cost for part in (*self.slots, *self.frames, *self.pictures))
        text_tokens = sum(map(len, (self.opening, *(text.ids for text in self.texts), self.closing)))
        return picture_tokens + text_tokens + self.newline * (bool(self.slots) + bool(self.frames))


class PromptPlanner:
    """Plans prompts of at most `max_prompt_tokens`.

    `count_frame_tokens` returns the tokens of a frame that may have so many at most. Errors of the constructor:
    SettingsError where the budget does not hold a single frame.
    """

    def __init__(
        self,
        prompt_template: PromptTemplate,
        max_prompt_tokens: int,
        count_frame_tokens: Callable[[int], int],
        tokenizer: PromptTokenizer,
    ) -> None:
        self._prompt_template, self._max_prompt_tokens = prompt_template, max_prompt_tokens
        self._count_frame_tokens, self._tokenizer = count_frame_tokens, tokenizer
        self._opening = tokenizer.encode_trusted(prompt_template.opening)
        self._closing = tokenizer.encode_trusted(prompt_template.closing)
        self._newline = int(prompt_template.newline)
        min_tokens = (
            len(self._opening) + len(self._closing) + count_frame_tokens(prompt_template.frame_tokens) + self._newline
        )
        if max_prompt_tokens < min_tokens:
            raise SettingsError(
                f"AFTERIMAGE_GENERATOR__MAX_PROMPT_TOKENS: {max_prompt_tokens} tokens do not hold one frame; "
                f"with the text around it, a frame takes {min_tokens}"
            )

    def plan(self, request: str, evidence: Sequence[Evidence], detail_tokens: Mapping[str, int]) -> PromptPlan:
        """Return the plan for a request. `detail_tokens` are the tokens of detailed photos and pages, by evidence id.

        Errors: InvalidInput for a request that leaves no room for evidence.
        """
        closing = (*self._tokenizer.encode_untrusted(request), *self._closing)
        header_by_id = format_headers(evidence)
        slots = self._plan_slots([piece for piece in evidence if piece.id.startswith(MEMORY_ID_PREFIX)], header_by_id)
        plan = PromptPlan(self._opening, slots, (), (), (), closing, self._newline)
        free_tokens = self._max_prompt_tokens - plan.token_count
        if free_tokens < 0:
            raise InvalidInput(
                f"the question takes {len(closing)} tokens; with the rest of the prompt, more than the budget of "
                f"{self._max_prompt_tokens} (AFTERIMAGE_GENERATOR__MAX_PROMPT_TOKENS)"
            )
        retrieved = [piece for piece in evidence if not piece.id.startswith(MEMORY_ID_PREFIX)]
        return self._add_evidence(plan, retrieved, header_by_id, detail_tokens, free_tokens)

    def _plan_slots(self, slots: Sequence[Evidence], header_by_id: Mapping[str, str]) -> tuple[VisualPart, ...]:
        """Return all slots, with fewer tokens each where they are too many; at one token each, evenly spread ones."""
        fixed_tokens = len(self._opening) + len(self._closing) + self._newline
        max_tokens = int((self._max_prompt_tokens - fixed_tokens) * self._prompt_template.memory_share)
        ordered = sorted(slots, key=lambda slot: slot.segment.start_s or 0.0)
        parts: tuple[VisualPart, ...] = ()
        for tokens in range(self._prompt_template.slot_tokens, 0, -1):
            parts = tuple(self._plan_slot(slot, header_by_id, tokens) for slot in ordered)
            if sum(part.cost for part in parts) <= max_tokens:
                return parts
        max_cost = max((part.cost for part in parts), default=1)
        return tuple(_spread_evenly(parts, max_tokens // max_cost))

    def _plan_slot(self, slot: Evidence, header_by_id: Mapping[str, str], max_tokens: int) -> VisualPart:
        """Return the slot with its stored visual tokens, or its medoid frame with at most `max_tokens`."""
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
        """Return the plan with as much of the evidence, best first, as fits into `free_tokens`.

        A picture that several pieces share is shown once, unless a piece has nothing but the picture.
        """
        frames: list[VisualPart] = []
        photos: list[VisualPart] = []
        texts: list[TextPart] = []
        used_pictures: set[PictureRef] = set()
        for piece in evidence:
            picture = piece.segment.picture
            if picture and (picture not in used_pictures or not piece.text.strip()):
                target = frames if piece.asset.kind is AssetKind.VIDEO else photos
                newline = self._newline * (target is frames and not frames)
                if (part := self._plan_picture(piece, header_by_id, detail_tokens, free_tokens - newline)) is not None:
                    target.append(part)
                    used_pictures.add(picture)
                    free_tokens -= part.cost + newline
            if (text := self._plan_text(piece, header_by_id, free_tokens)) is not None:
                texts.append(TextPart(text, piece))
                free_tokens -= len(text)
        frames.sort(key=lambda part: (part.evidence.asset.asset_id, part.evidence.segment.start_s or 0.0))
        return PromptPlan(
            plan.opening, plan.slots, tuple(frames), tuple(photos), tuple(texts), plan.closing, self._newline
        )

    def _plan_picture(
        self, piece: Evidence, header_by_id: Mapping[str, str], detail_tokens: Mapping[str, int], free_tokens: int
    ) -> VisualPart | None:
        """Return the picture in detail where that fits, else as a frame, else None."""
        header = self._tokenizer.encode_untrusted(header_by_id[piece.id])
        if piece.id in detail_tokens and len(header) + detail_tokens[piece.id] <= free_tokens:
            return VisualPart(header, piece, detail_tokens[piece.id], detailed=True)
        tokens = self._count_frame_tokens(self._prompt_template.frame_tokens)
        return VisualPart(header, piece, tokens) if len(header) + tokens <= free_tokens else None

    def _plan_text(self, piece: Evidence, header_by_id: Mapping[str, str], free_tokens: int) -> TokenIds | None:
        """Return header and text, cut to `free_tokens`; None where there is no text, or hardly any room for it."""
        if not piece.text.strip():
            return None
        end = self._tokenizer.encode_untrusted("\n")
        ids = self._tokenizer.encode_untrusted(
            f"{header_by_id[piece.id]}\n{quote_untrusted(text_with_context(piece.segment))}"
        )
        if len(ids) + len(end) > free_tokens < _MIN_TEXT_TOKENS:
            return None
        return (*ids[: free_tokens - len(end)], *end)


def _spread_evenly(items: Sequence[VisualPart], count: int) -> Iterable[VisualPart]:
    """Return at most `count` items, evenly spread, with the first and the last among them."""
    if count >= len(items):
        return items
    if count < 2:
        return items[:count]
    return [items[round(number * (len(items) - 1) / (count - 1))] for number in range(count)]
