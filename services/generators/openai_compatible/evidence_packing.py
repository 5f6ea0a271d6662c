"""Greedy packing of evidence into the token budget of one request.

Retrieved evidence comes first, the best first: its text, and its picture where that is cheap (a frame) or is all there
is (a photo). Then the video's memory, evenly spread over time where it does not fit whole. Then the pictures of pages
and photos whose text is there already. A page or photo for which there is no room in full is sent as a frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from indexer.errors import InvalidInput, ModelError
from indexer.text.passage import text_with_context
from indexer.types import AssetKind, PictureRef
from services.generators.openai_compatible.limits import TokenBudget
from services.generators.prompts import MEMORY_ID_PREFIX, format_headers, quote_untrusted
from services.generators.types import Evidence

EvidenceByPicture = dict[PictureRef, list[Evidence]]
"""Pictures, each with the evidence that it shows."""


@dataclass(slots=True)
class PackedEvidence:
    """Evidence that a request includes, by the form in which it is sent.

    `header_by_id` has the header of every piece, also of those left out. `token_slots` are memory slots as visual
    tokens, `memory_frames` and `frames` the frames of videos, all in order of time; `images`, `image_frames` (photos
    and pages that are sent as frames) and `texts` are in the order of the evidence.
    """

    header_by_id: Mapping[str, str]
    token_slots: list[Evidence] = field(default_factory=list)
    memory_frames: EvidenceByPicture = field(default_factory=dict)
    frames: EvidenceByPicture = field(default_factory=dict)
    images: EvidenceByPicture = field(default_factory=dict)
    image_frames: EvidenceByPicture = field(default_factory=dict)
    texts: list[Evidence] = field(default_factory=list)

    @property
    def included_ids(self) -> frozenset[str]:
        """Ids of the evidence that is sent in any form."""
        by_picture = (self.memory_frames, self.frames, self.images, self.image_frames)
        shown = [piece for pictures in by_picture for pieces in pictures.values() for piece in pieces]
        return frozenset(piece.id for piece in (*self.token_slots, *shown, *self.texts))

    @property
    def frame_count(self) -> int:
        """Number of frames, those of photos and pages among them."""
        return len(self.memory_frames) + len(self.frames) + len(self.image_frames)


def format_text_part(piece: Evidence, header: str) -> str:
    """Return the quoted text of a piece of evidence below its header."""
    return f"{header}\n{quote_untrusted(text_with_context(piece.segment))}"


def pack_evidence(question: str, evidence: Sequence[Evidence], budget: TokenBudget) -> PackedEvidence:
    """Return the evidence that fits beside the question. A picture of two pieces is sent once, with both headers.

    Errors: InvalidInput where the question is too long, or nothing fits; ModelError for visual tokens of a wrong shape.
    """
    result = PackedEvidence(format_headers(evidence))
    packer = _EvidencePacker(budget, budget.count_remaining_tokens(question), result)
    retrieved = [piece for piece in evidence if not piece.id.startswith(MEMORY_ID_PREFIX)]
    for piece in retrieved:
        packer.add_retrieved(piece)
    packer.add_slots(_coarse_to_fine([piece for piece in evidence if piece.id.startswith(MEMORY_ID_PREFIX)]))
    for piece in retrieved:
        packer.add_page_picture(piece)
    if evidence and not packer.result.included_ids:
        raise InvalidInput(f"no piece of the evidence fits into {budget.max_prompt_tokens} tokens beside the question")
    return _sort_by_time(packer.result, evidence)


class _EvidencePacker:
    """Fills a request piece by piece, as long as `remaining_tokens` last."""

    def __init__(self, budget: TokenBudget, remaining_tokens: int, result: PackedEvidence) -> None:
        self.result = result
        self._budget, self._remaining_tokens = budget, remaining_tokens

    def add_retrieved(self, piece: Evidence) -> None:
        """Add the piece's text, its frame, and the photo or page if it has no text."""
        text_part = format_text_part(piece, self.result.header_by_id[piece.id])
        if _has_text(piece) and self._spend(self._budget.count_text_tokens(text_part)):
            self.result.texts.append(piece)
        if piece.asset.kind is AssetKind.VIDEO:
            self._add_frame(self.result.frames, piece)
        elif not _has_text(piece):
            self._add_image(piece)

    def add_slots(self, slots: Sequence[Evidence]) -> None:
        """Add memory slots as visual tokens if the server takes them, else as medoid frames.

        vLLM refuses embeddings beside images in one request.
        """
        as_tokens = self._budget.hidden_size > 0 and not self.result.images
        for slot in slots:
            if as_tokens and slot.visual_tokens is not None:
                self._add_tokens(slot, slot.visual_tokens.shape)
            else:
                self._add_frame(self.result.memory_frames, slot)

    def add_page_picture(self, piece: Evidence) -> None:
        """Add the picture of a page or photo whose text is included."""
        if piece.asset.kind is not AssetKind.VIDEO and _has_text(piece):
            self._add_image(piece)

    def _add_frame(self, frames: EvidenceByPicture, piece: Evidence) -> None:
        if piece.segment.picture in frames or self.result.frame_count < self._budget.max_videos:
            self._add_picture(frames, piece, self._budget.video_tokens)

    def _add_image(self, piece: Evidence) -> None:
        """Add a page or photo in full, else as a frame."""
        images = self.result.images
        has_room = len(images) < self._budget.max_images and not self.result.token_slots
        is_added = (has_room or piece.segment.picture in images) and self._add_picture(
            images, piece, self._budget.image_tokens
        )
        if not is_added:
            self._add_frame(self.result.image_frames, piece)

    def _add_picture(self, pictures: EvidenceByPicture, piece: Evidence, picture_tokens: int) -> bool:
        """Add the piece's picture, or its header alone to a picture that is included already; tell if it fits."""
        picture = piece.segment.picture
        if picture is None:
            return False
        header_tokens = self._budget.count_text_tokens(self.result.header_by_id[piece.id])
        fits = self._spend(header_tokens + (0 if picture in pictures else picture_tokens))
        if fits:
            pictures.setdefault(picture, []).append(piece)
        return fits

    def _add_tokens(self, slot: Evidence, shape: tuple[int, ...]) -> None:
        """Add the slot as visual tokens. Errors: ModelError where the server's model has another width."""
        if len(shape) != 2 or shape[0] < 1 or shape[1] != self._budget.hidden_size:
            raise ModelError(
                f"memory {slot.id} has tokens of shape {shape}; the server takes [n, {self._budget.hidden_size}]"
            )
        has_room = len(self.result.token_slots) < self._budget.max_images
        if has_room and self._spend(shape[0] + self._budget.count_text_tokens(self.result.header_by_id[slot.id])):
            self.result.token_slots.append(slot)

    def _spend(self, tokens: int) -> bool:
        """Take the tokens from the rest and return True, or return False where they do not fit."""
        fits = tokens <= self._remaining_tokens
        self._remaining_tokens -= tokens if fits else 0
        return fits


def _has_text(piece: Evidence) -> bool:
    return bool(quote_untrusted(piece.text))


def _coarse_to_fine(slots: Sequence[Evidence]) -> list[Evidence]:
    """Return the slots in bit-reversed order, so that any first part of them is spread over the whole time."""
    bits = max(len(slots) - 1, 0).bit_length()
    order = sorted(range(len(slots)), key=lambda number: int(f"{number:0{bits or 1}b}"[::-1], 2))
    return [slots[number] for number in order]


def _sort_by_time(packed_evidence: PackedEvidence, evidence: Sequence[Evidence]) -> PackedEvidence:
    """Sort slots and frames by asset, that of the best evidence first, and by time within an asset."""
    asset_ids = dict.fromkeys(piece.asset.asset_id for piece in evidence)
    rank_by_asset = {asset_id: rank for rank, asset_id in enumerate(asset_ids)}

    def sort_key(piece: Evidence) -> tuple[int, float]:
        return rank_by_asset[piece.asset.asset_id], piece.segment.start_s or 0.0

    def sort_frames(frames: EvidenceByPicture) -> EvidenceByPicture:
        return dict(sorted(frames.items(), key=lambda item: sort_key(item[1][0])))

    packed_evidence.token_slots.sort(key=sort_key)
    packed_evidence.memory_frames = sort_frames(packed_evidence.memory_frames)
    packed_evidence.frames = sort_frames(packed_evidence.frames)
    return packed_evidence
