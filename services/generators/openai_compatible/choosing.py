"""Which pieces of evidence go into a request, and in what form, where not all of them fit.

First what was found, best first: its text, and its picture where that costs little (a frame) or is all there is (a
photo). Then the video's memory, spread evenly over time where it does not fit whole. Then the pictures of pages and
photos whose text is there already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from indexer.errors import ModelError, QueryError
from indexer.types import AssetKind, PictureRef
from services.generators.openai_compatible.limits import Limits
from services.generators.wording import MEMORY, headers, material
from services.types import Evidence

Shown = dict[PictureRef, list[Evidence]]
"""Pictures, each with the evidence that is seen in it."""


@dataclass(slots=True)
class Chosen:
    """What is sent. `header` knows every piece's header; a piece that is in none of the others is not sent.

    `tokens` are slots of the memory as visual tokens, `memory` and `frames` the frames of the video, all by time;
    `images` and `texts` are in the order of the evidence.
    """

    header: Mapping[str, str]
    tokens: list[Evidence] = field(default_factory=list)
    memory: Shown = field(default_factory=dict)
    frames: Shown = field(default_factory=dict)
    images: Shown = field(default_factory=dict)
    texts: list[Evidence] = field(default_factory=list)

    @property
    def sent(self) -> frozenset[str]:
        """The ids of what is sent."""
        shown = [one for some in (self.memory, self.frames, self.images) for seen in some.values() for one in seen]
        return frozenset(one.id for one in (*self.tokens, *shown, *self.texts))


def text_of(one: Evidence, header: str) -> str:
    """A text part: what was read or said, behind its header."""
    return f"{header}\n{material(one.found.segment.text)}"


def choose(question: str, evidence: Sequence[Evidence], limits: Limits) -> Chosen:
    """What fits beside the question. A picture that two pieces share is sent once, with both headers.

    Errors: QueryError where the question is too long, or nothing fits; ModelError for memory of a wrong shape.
    """
    choice = _Choice(limits, limits.left_beside(question), Chosen(headers(evidence)))
    found = [one for one in evidence if not one.id.startswith(MEMORY)]
    for one in found:
        choice.add_found(one)
    choice.add_memory(_coarse_to_fine([one for one in evidence if one.id.startswith(MEMORY)]))
    for one in found:
        choice.add_page(one)
    if evidence and not choice.chosen.sent:
        raise QueryError(f"no piece of the evidence fits into {limits.budget_tokens} tokens beside the question")
    return _by_time(choice.chosen, evidence)


class _Choice:
    """A request that is being filled; `left` tokens remain."""

    def __init__(self, limits: Limits, left: int, chosen: Chosen) -> None:
        self.chosen = chosen
        self._limits, self._left = limits, left

    def add_found(self, one: Evidence) -> None:
        """Its text, its frame, or the photo or page that has no text."""
        if _has_text(one) and self._take(self._limits.text(text_of(one, self.chosen.header[one.id]))):
            self.chosen.texts.append(one)
        if one.found.asset.kind is AssetKind.VIDEO:
            self._add_frame(self.chosen.frames, one)
        elif not _has_text(one):
            self._add_image(one)

    def add_memory(self, slots: Sequence[Evidence]) -> None:
        """As tokens where the server takes them: not beside pictures, which vLLM refuses. Else as medoid frames."""
        as_tokens = self._limits.hidden_size > 0 and not self.chosen.images
        for slot in slots:
            if as_tokens and slot.tokens is not None:
                self._add_tokens(slot, slot.tokens.shape)
            else:
                self._add_frame(self.chosen.memory, slot)

    def add_page(self, one: Evidence) -> None:
        """The picture of a page or photo whose text is sent."""
        if one.found.asset.kind is not AssetKind.VIDEO and _has_text(one) and not self.chosen.tokens:
            self._add_image(one)

    def _add_frame(self, frames: Shown, one: Evidence) -> None:
        begun = bool(self.chosen.memory or self.chosen.frames)
        self._add(frames, one, self._limits.frame_tokens + (0 if begun else self._limits.video))

    def _add_image(self, one: Evidence) -> None:
        room = len(self.chosen.images) < self._limits.images or one.found.segment.picture in self.chosen.images
        if room:
            self._add(self.chosen.images, one, self._limits.image_tokens)

    def _add(self, shown: Shown, one: Evidence, cost: int) -> None:
        picture = one.found.segment.picture
        if picture is None:
            return
        header = self._limits.text(self.chosen.header[one.id])
        if self._take(header + (0 if picture in shown else cost)):
            shown.setdefault(picture, []).append(one)

    def _add_tokens(self, slot: Evidence, shape: tuple[int, ...]) -> None:
        if len(shape) != 2 or shape[0] < 1 or shape[1] != self._limits.hidden_size:
            raise ModelError(
                f"memory {slot.id} has tokens of shape {shape}; the server takes [n, {self._limits.hidden_size}]"
            )
        room = len(self.chosen.tokens) < self._limits.images
        if room and self._take(shape[0] + self._limits.text(self.chosen.header[slot.id])):
            self.chosen.tokens.append(slot)

    def _take(self, tokens: int) -> bool:
        fits = tokens <= self._left
        self._left -= tokens if fits else 0
        return fits


def _has_text(one: Evidence) -> bool:
    return bool(material(one.found.segment.text))


def _coarse_to_fine(slots: Sequence[Evidence]) -> list[Evidence]:
    """The same, so that every beginning is spread over the whole: ordered by the bits of the position, reversed."""
    bits = max(len(slots) - 1, 0).bit_length()
    order = sorted(range(len(slots)), key=lambda number: int(f"{number:0{bits or 1}b}"[::-1], 2))
    return [slots[number] for number in order]


def _by_time(chosen: Chosen, evidence: Sequence[Evidence]) -> Chosen:
    """Slots and frames asset by asset, the best one's first, each in order of time."""
    rank = {key: number for number, key in enumerate(dict.fromkeys(one.found.asset.asset_id for one in evidence))}

    def when(one: Evidence) -> tuple[int, float]:
        return rank[one.found.asset.asset_id], one.found.segment.start_s or 0.0

    chosen.tokens.sort(key=when)
    chosen.memory = dict(sorted(chosen.memory.items(), key=lambda item: when(item[1][0])))
    chosen.frames = dict(sorted(chosen.frames.items(), key=lambda item: when(item[1][0])))
    return chosen
