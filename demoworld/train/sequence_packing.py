"""Sequence packing: one prompt as the generator plans it, with many questions and answers behind it in one row.

Every question attends to the prompt and itself only, at the positions where it would stand alone, so that a row teaches
what as many separate prompts would, for little more than the cost of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from demoworld.train.evidence_truth import find_items_showing, find_moments_at, list_pictures
from demoworld.train.example import Example
from demoworld.train.footage import LabelledFrame
from demoworld.train.synthetic_context import EvidenceItem, SyntheticContext
from demoworld.world.concepts import concept_index
from demoworld.world.places import place_index
from indexer.types import AssetKind, Origin, PictureRef, Segment
from services.answering.rules.timestamps import TIMESTAMP_PATTERN, parse_timestamps
from services.catalog.types import Asset
from services.generators.onevision.engine import TokenIds
from services.generators.onevision.prompt import PromptPlan, PromptPlanner, VisualPart
from services.generators.onevision.prompt_template import PromptTemplate, fit_grid
from services.generators.onevision.tokenizer import PromptTokenizer
from services.generators.types import Evidence
from services.search.types import RetrievedSegment

VISUAL_TOKEN_ID = -1
"""Placeholder id of a visual token in a row."""
_GRID_SIDE = 4
_MAX_PROMPT_TOKENS = 2048
"""Prompt budget of the demo profile: up to 68 slots get four tokens each, 85 get one."""


PositionMarks = tuple[int, int, int, int, int]
"""Number of the id; hour, minute and second of the start; place, by day (even) or at night (odd)."""


@dataclass(frozen=True, slots=True)
class VisualUnit:
    """The visual tokens of one item.

    `frame_indices` are the pictures whose mean they are, `concept_counts` how many of each concept (by number) are
    shown.
    """

    frame_indices: tuple[int, ...]
    token_count: int
    marks: PositionMarks
    concept_counts: dict[int, int]


@dataclass(frozen=True, slots=True)
class PackedRow:
    """Per-token data of one row, and its visual units in order.

    `part_ids`: 0 for the prompt, n for the n-th question; `is_answer`: whether the token belongs to an answer.
    `pointers` maps a token at which a thing or time has been named to the first unit that shows it.
    """

    token_ids: list[int]
    part_ids: list[int]
    position_ids: list[int]
    is_answer: list[bool]
    units: list[VisualUnit]
    pointers: dict[int, int]


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Padded rows side by side, `[b, n]` each.

    `is_context`: tokens that continue their part and belong to no answer; `attention_mask` `[b, 1, n, n]`: whether
    token i attends to token j; `pointers` `[m, 3]`: row, token, and the unit that it names.
    """

    token_ids: Tensor
    position_ids: Tensor
    is_answer: Tensor
    is_context: Tensor
    attention_mask: Tensor
    units: list[VisualUnit]
    pointers: Tensor


class Packer:
    """Packs examples into rows in the prompt layout and vocabulary of a checkpoint."""

    def __init__(self, layout: PromptTemplate, words: PromptTokenizer) -> None:
        self._layout, self._words = layout, words
        self._end_ids = words.encode_trusted(layout.end)

    def pack(self, context: SyntheticContext, examples: Sequence[Example]) -> PackedRow:
        """Pack one context with its examples; the context must fit the prompt."""
        plan = self._plan(context)
        by_id = {item.id: item for item in (*context.slots, *context.frames, *context.photos)}
        ids, units = _pack_prompt(plan, by_id)
        row = PackedRow(ids, [0] * len(ids), [], [False] * len(ids), units, {})
        order = {part.evidence.id: number for number, part in enumerate(_list_visual_parts(plan))}
        concept_units = {words: order[item.id] for words, item in self._index_concepts(context).items()}
        for number, example in enumerate(examples, 1):
            request_ids = [
                *self._words.encode_untrusted(example.request),
                *self._words.encode_trusted(self._layout.closing),
            ]
            answer_ids = [*self._words.encode_untrusted(example.answer), *self._end_ids]
            time_items = self._index_times(context, f"{example.request} {example.answer}")
            mention_units = concept_units | {words: order[item.id] for words, item in time_items.items()}
            row.pointers.update(_find_mentions([*request_ids, *answer_ids], mention_units, len(row.token_ids)))
            row.token_ids.extend([*request_ids, *answer_ids])
            row.part_ids.extend([number] * (len(request_ids) + len(answer_ids)))
            row.is_answer.extend([False] * len(request_ids) + [True] * len(answer_ids))
        return _assign_positions(row)

    def _index_concepts(self, context: SyntheticContext) -> dict[TokenIds, EvidenceItem]:
        """Map the tokens of each decidable concept to the first item that shows it."""
        names = {name for item in (*list_pictures(context), *context.slots) for name in item.first_frame.concept_names}
        first_items = {name: items[0] for name in sorted(names) if (items := find_items_showing(context, name))}
        return {self._words.encode_untrusted(f" {name}"): item for name, item in first_items.items()}

    def _index_times(self, context: SyntheticContext, text: str) -> dict[TokenIds, EvidenceItem]:
        """Map the tokens of each time in a text to the only moment that contains it."""
        items_by_time = {}
        for match in TIMESTAMP_PATTERN.finditer(text):
            items = find_moments_at(context, parse_timestamps(match[0])[0])
            if len(items) == 1:
                items_by_time[self._words.encode_untrusted(f" {match[0]}")] = items[0]
        return items_by_time

    def _plan(self, context: SyntheticContext) -> PromptPlan:
        evidence = [_make_evidence(item) for item in (*context.frames, *context.photos, *context.slots)]
        return PromptPlanner(self._layout, _MAX_PROMPT_TOKENS, _count_grid_tokens, self._words).plan("", evidence, {})


def collate(rows: Sequence[PackedRow]) -> PackedBatch:
    """Pad rows to one length and build their attention mask."""
    longest = max(len(row.token_ids) for row in rows)
    ids, part, position = (torch.zeros(len(rows), longest, dtype=torch.long) for _ in range(3))
    taught = torch.zeros(len(rows), longest, dtype=torch.bool)
    part -= 1
    for number, row in enumerate(rows):
        count = len(row.token_ids)
        ids[number, :count] = torch.tensor(row.token_ids)
        part[number, :count] = torch.tensor(row.part_ids)
        position[number, :count] = torch.tensor(row.position_ids)
        taught[number, :count] = torch.tensor(row.is_answer)
    before = torch.ones(longest, longest, dtype=torch.bool).tril()
    same_part = (part[:, None, :] == 0) | (part[:, None, :] == part[:, :, None])
    read = (ids >= 0) & (part >= 0) & ~taught
    read[:, 1:] &= part[:, 1:] == part[:, :-1]
    read[:, 0] = False
    units = [unit for row in rows for unit in row.units]
    first = np.cumsum([0, *(len(row.units) for row in rows)])
    points = [
        (number, at, first[number] + unit) for number, row in enumerate(rows) for at, unit in row.pointers.items()
    ]
    sees = (before & same_part)[:, None]
    return PackedBatch(ids, position, taught, read, sees, units, torch.tensor(points, dtype=torch.long).reshape(-1, 3))


def _assign_positions(row: PackedRow) -> PackedRow:
    """Give every question the positions directly behind the prompt."""
    prompt = row.part_ids.count(0)
    position, at, last = [], 0, 0
    for part in row.part_ids:
        at = prompt if part != last else at
        position.append(at)
        at, last = at + 1, part
    return replace(row, position_ids=position)


def _pack_prompt(plan: PromptPlan, by_id: dict[str, EvidenceItem]) -> tuple[list[int], list[VisualUnit]]:
    """Return the token ids and visual units of a prompt without its request."""
    ids, units = list(plan.opening), []
    for visual in _list_visual_parts(plan):
        ids += [*visual.header, *[VISUAL_TOKEN_ID] * visual.token_count]
        units.append(_make_unit(visual, by_id))
    ids += [token_id for text in plan.texts for token_id in text.ids]
    return ids, units


def _make_unit(part: VisualPart, by_id: dict[str, EvidenceItem]) -> VisualUnit:
    item = by_id[part.evidence.id]
    whole, content = int(item.start_s), item.first_frame.content
    scene = 2 * place_index(content.place) + content.night
    marks = int(item.id[1:]), whole // 3600, whole // 60 % 60, whole % 60, scene
    things = {concept_index(name): content.counts[name] for name in item.first_frame.concept_names}
    return VisualUnit(tuple(frame.index for frame in item.frames), part.token_count, marks, things)


def _list_visual_parts(plan: PromptPlan) -> tuple[VisualPart, ...]:
    """Return all parts with visual tokens in the prompt's order."""
    return (*plan.slots, *plan.frames, *plan.pictures)


def _find_mentions(ids: Sequence[int], mention_units: Mapping[TokenIds, int], first: int) -> Iterator[tuple[int, int]]:
    """Yield the last token of each mention, counted from `first`, and its unit; the longer of nested mentions."""
    claimed_ends: set[int] = set()
    for words, unit in sorted(mention_units.items(), key=lambda mention: -len(mention[0])):
        for at in range(len(ids) - len(words) + 1):
            end = at + len(words) - 1
            if tuple(ids[at : end + 1]) == words and end not in claimed_ends:
                claimed_ends.add(end)
                yield first + end, unit


def _count_grid_tokens(tokens: int) -> int:
    rows, columns = fit_grid(tokens, _GRID_SIDE)
    return rows * columns


def _make_asset(kind: AssetKind) -> Asset:
    return Asset("a", "v", kind, "video.mp4", None, None, None, None, None, 0, 0, (), 0.0)


def _make_evidence(item: EvidenceItem) -> Evidence:
    frame: LabelledFrame = item.first_frame
    photo = item.id.startswith("I")
    segment = Segment(
        0,
        Origin.PICTURE,
        start_s=None if photo else item.start_s,
        end_s=None if photo else item.end_s,
        text="" if item.id.startswith("M") else frame.sign_text or "",
        picture=PictureRef(item.id, 0, 1),
    )
    return Evidence(
        item.id, RetrievedSegment(_make_asset(AssetKind.IMAGE if photo else AssetKind.VIDEO), segment, 1.0, {}, 1.0)
    )
