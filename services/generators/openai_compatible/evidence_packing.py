"""Which pieces of evidence go into a request, and in what form, where not all of them fit.

First what was found, best first: its text, and its picture where that costs little (a frame) or is all there is (a
photo). Then the video's memory, spread evenly over time where it does not fit whole. Then the pictures of pages and
photos whose text is there already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from indexer.errors import InvalidInput, ModelError
from indexer.types import AssetKind, PictureRef
from services.generators.openai_compatible.limits import TokenBudget
from services.generators.prompts import MEMORY_ID_PREFIX, format_headers, quote_untrusted
from services.generators.types import Evidence

EvidenceByPicture = dict[PictureRef, list[Evidence]]
"""Pictures, each with the evidence that is seen in it."""


@dataclass(slots=True)
class PackedEvidence:
    """What is sent. `header` knows every piece's header; a piece that is in none of the others is not sent.

    `tokens` are slots of the memory as visual tokens, `memory` and `frames` the frames of the video, all by time;
    `images` and `texts` are in the order of the evidence.
    """

    header_by_id: Mapping[str, str]
    token_slots: list[Evidence] = field(default_factory=list)
    memory_frames: EvidenceByPicture = field(default_factory=dict)
    frames: EvidenceByPicture = field(default_factory=dict)
    images: EvidenceByPicture = field(default_factory=dict)
    texts: list[Evidence] = field(default_factory=list)

    @property
    def included_ids(self) -> frozenset[str]:
        """The ids of what is sent."""
        shown = [
            one for some in (self.memory_frames, self.frames, self.images) for seen in some.values() for one in seen
        ]
        return frozenset(one.id for one in (*self.token_slots, *shown, *self.texts))


def format_text_part(piece: Evidence, header: str) -> str:
    """A text part: what was read or said, behind its header."""
    return f"{header}\n{quote_untrusted(piece.result.segment.text)}"


def pack_evidence(question: str, evidence: Sequence[Evidence], budget: TokenBudget) -> PackedEvidence:
    """What fits beside the question. A picture that two pieces share is sent once, with both headers.

    Errors: QueryError where the question is too long, or nothing fits; ModelError for memory of a wrong shape.
    """
    packer = _EvidencePacker(budget, budget.count_remaining_tokens(question), PackedEvidence(format_headers(evidence)))
    pieces = [one for one in evidence if not one.id.startswith(MEMORY_ID_PREFIX)]
    for one in pieces:
        packer.add_retrieved(one)
    packer.add_slots(_coarse_to_fine([one for one in evidence if one.id.startswith(MEMORY_ID_PREFIX)]))
    for one in pieces:
        packer.add_page_picture(one)
    if evidence and not packer.result.included_ids:
        raise InvalidInput(f"no piece of the evidence fits into {budget.max_prompt_tokens} tokens beside the question")
    return _sort_by_time(packer.result, evidence)


class _EvidencePacker:
    """A request that is being filled; `left` tokens remain."""

    def __init__(self, budget: TokenBudget, remaining_tokens: int, result: PackedEvidence) -> None:
        self.result = result
        self._budget, self._remaining_tokens = budget, remaining_tokens

    def add_retrieved(self, piece: Evidence) -> None:
        """Its text, its frame, or the photo or page that has no text."""
        if _has_text(piece) and self._spend(
            self._budget.count_text_tokens(format_text_part(piece, self.result.header_by_id[piece.id]))
        ):
            self.result.texts.append(piece)
        if piece.result.asset.kind is AssetKind.VIDEO:
            self._add_frame(self.result.frames, piece)
        elif not _has_text(piece):
            self._add_image(piece)

    def add_slots(self, slots: Sequence[Evidence]) -> None:
        """As tokens where the server takes them: not beside pictures, which vLLM refuses. Else as medoid frames."""
        as_tokens = self._budget.hidden_size > 0 and not self.result.images
        for slot in slots:
            if as_tokens and slot.visual_tokens is not None:
                self._add_tokens(slot, slot.visual_tokens.shape)
            else:
                self._add_frame(self.result.memory_frames, slot)

    def add_page_picture(self, piece: Evidence) -> None:
        """The picture of a page or photo whose text is sent."""
        if piece.result.asset.kind is not AssetKind.VIDEO and _has_text(piece) and not self.result.token_slots:
            self._add_image(piece)

    def _add_frame(self, frames: EvidenceByPicture, piece: Evidence) -> None:
        begun = bool(self.result.memory_frames or self.result.frames)
        self._add_picture(
            frames, piece, self._budget.frame_tokens + (0 if begun else self._budget.video_overhead_tokens)
        )

    def _add_image(self, piece: Evidence) -> None:
        room = len(self.result.images) < self._budget.max_images or piece.result.segment.picture in self.result.images
        if room:
            self._add_picture(self.result.images, piece, self._budget.image_tokens)

    def _add_picture(self, pictures: EvidenceByPicture, piece: Evidence, cost: int) -> None:
        picture = piece.result.segment.picture
        if picture is None:
            return
        header = self._budget.count_text_tokens(self.result.header_by_id[piece.id])
        if self._spend(header + (0 if picture in pictures else cost)):
            pictures.setdefault(picture, []).append(piece)

    def _add_tokens(self, slot: Evidence, shape: tuple[int, ...]) -> None:
        if len(shape) != 2 or shape[0] < 1 or shape[1] != self._budget.hidden_size:
            raise ModelError(
                f"memory {slot.id} has tokens of shape {shape}; the server takes [n, {self._budget.hidden_size}]"
            )
        room = len(self.result.token_slots) < self._budget.max_images
        if room and self._spend(shape[0] + self._budget.count_text_tokens(self.result.header_by_id[slot.id])):
            self.result.token_slots.append(slot)

    def _spend(self, tokens: int) -> bool:
        fits = tokens <= self._remaining_tokens
        self._remaining_tokens -= tokens if fits else 0
        return fits


def _has_text(piece: Evidence) -> bool:
    return bool(quote_untrusted(piece.result.segment.text))


def _coarse_to_fine(slots: Sequence[Evidence]) -> list[Evidence]:
    """The same, so that every beginning is spread over the whole: ordered by the bits of the position, reversed."""
    bits = max(len(slots) - 1, 0).bit_length()
    order = sorted(range(len(slots)), key=lambda number: int(f"{number:0{bits or 1}b}"[::-1], 2))
    return [slots[number] for number in order]


def _sort_by_time(packed_evidence: PackedEvidence, evidence: Sequence[Evidence]) -> PackedEvidence:
    """Slots and frames asset by asset, the best one's first, each in order of time."""
    rank = {key: number for number, key in enumerate(dict.fromkeys(one.result.asset.asset_id for one in evidence))}

    def sort_key(piece: Evidence) -> tuple[int, float]:
        return rank[piece.result.asset.asset_id], piece.result.segment.start_s or 0.0

    packed_evidence.token_slots.sort(key=sort_key)
    packed_evidence.memory_frames = dict(
        sorted(packed_evidence.memory_frames.items(), key=lambda item: sort_key(item[1][0]))
    )
    packed_evidence.frames = dict(sorted(packed_evidence.frames.items(), key=lambda item: sort_key(item[1][0])))
    return packed_evidence
