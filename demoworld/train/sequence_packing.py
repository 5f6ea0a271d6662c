"""Lessons as rows of tokens: one prompt as the generator plans it, and many questions and answers behind it.

Every question sees the prompt and itself and no other, and stands where it would stand alone, so that a row teaches
what so many separate prompts would, for little more than the price of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from demoworld.train.evidence_truth import find_items_showing, find_moments_at, list_pictures
from demoworld.train.footage import LabelledFrame
from demoworld.train.qa_examples import Example
from demoworld.train.synthetic_context import EvidenceItem, SyntheticContext
from demoworld.world.concepts import concept_index
from demoworld.world.places import place_index
from indexer.types import AssetKind, Origin, PictureRef, Segment
from services.answering.question_analysis import TIMESTAMP_PATTERN, parse_timestamps
from services.catalog.types import Asset
from services.generators.onevision.engine import TokenIds
from services.generators.onevision.prompt import PromptPlan, PromptPlanner, VisualPart
from services.generators.onevision.prompt_template import PromptTemplate, fit_grid
from services.generators.onevision.tokenizer import PromptTokenizer
from services.generators.types import Evidence
from services.search.types import RetrievedSegment

VISUAL_TOKEN_ID = -1
"""The id that a visual token has in a row."""
_GRID_SIDE = 4
_MAX_PROMPT_TOKENS = 2048
"""The tokens of a prompt in the demo profile: of up to 68 slots each has four tokens, of 85 one."""


PositionMarks = tuple[int, int, int, int, int]
"""The number in an id; hour, minute and second of the beginning; the place, by day (even) or at night."""


@dataclass(frozen=True, slots=True)
class VisualUnit:
    """The visual tokens of one item: how many, the pictures whose mean they are, its marks, and for each concept by
    its number how many of it are shown."""

    frame_indices: tuple[int, ...]
    token_count: int
    marks: PositionMarks
    concept_counts: dict[int, int]


@dataclass(frozen=True, slots=True)
class PackedRow:
    """`ids`, `part` (0: the prompt, n: the n-th question), `position` and `taught` (whether this token is an answer's)
    of each token, and the units in their order. `points` are tokens at which a thing or a time has been named, each
    with the place of the first unit that shows it."""

    token_ids: list[int]
    part_ids: list[int]
    position_ids: list[int]
    is_answer: list[bool]
    units: list[VisualUnit]
    pointers: dict[int, int]


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Rows side by side, `[b, n]` each; `read` are words that follow on others of their part and are no answer; `sees`
    is `[b, 1, n, n]`, whether token i may look at token j; `points` is `[m, 3]`: row, token, and the unit that it
    points at."""

    token_ids: Tensor
    position_ids: Tensor
    is_answer: Tensor
    is_context: Tensor
    attention_mask: Tensor
    units: list[VisualUnit]
    pointers: Tensor


class Packer:
    """Makes rows in the layout of a checkpoint, in whose words they are."""

    def __init__(self, layout: PromptTemplate, words: PromptTokenizer) -> None:
        self._layout, self._words = layout, words
        self._end_ids = words.encode_trusted(layout.end)

    def pack(self, context: SyntheticContext, examples: Sequence[Example]) -> PackedRow:
        """One row; all of the evidence has room."""
        plan = self._plan(context)
        by_id = {item.id: item for item in (*context.slots, *context.frames, *context.photos)}
        ids, units = _pack_prompt(plan, by_id)
        row = PackedRow(ids, [0] * len(ids), [], [False] * len(ids), units, {})
        order = {shown.evidence.id: number for number, shown in enumerate(_list_visual_parts(plan))}
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
        """The words of each thing that is shown, with the first item that shows it."""
        names = {name for item in (*list_pictures(context), *context.slots) for name in item.first_frame.concept_names}
        shown = {name: items[0] for name in sorted(names) if (items := find_items_showing(context, name))}
        return {self._words.encode_untrusted(f" {name}"): item for name, item in shown.items()}

    def _index_times(self, context: SyntheticContext, text: str) -> dict[TokenIds, EvidenceItem]:
        """The words of each time that a text names, with the one moment that it lies in."""
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
    """Rows of one batch, the shorter ones filled up with tokens that nobody sees."""
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
    mine = (part[:, None, :] == 0) | (part[:, None, :] == part[:, :, None])
    read = (ids >= 0) & (part >= 0) & ~taught
    read[:, 1:] &= part[:, 1:] == part[:, :-1]
    read[:, 0] = False
    units = [unit for row in rows for unit in row.units]
    first = np.cumsum([0, *(len(row.units) for row in rows)])
    points = [
        (number, at, first[number] + unit) for number, row in enumerate(rows) for at, unit in row.pointers.items()
    ]
    sees = (before & mine)[:, None]
    return PackedBatch(ids, position, taught, read, sees, units, torch.tensor(points, dtype=torch.long).reshape(-1, 3))


def _assign_positions(row: PackedRow) -> PackedRow:
    """Every question begins at the position behind the prompt."""
    prompt = row.part_ids.count(0)
    position, at, last = [], 0, 0
    for part in row.part_ids:
        at = prompt if part != last else at
        position.append(at)
        at, last = at + 1, part
    return replace(row, position_ids=position)


def _pack_prompt(plan: PromptPlan, by_id: dict[str, EvidenceItem]) -> tuple[list[int], list[VisualUnit]]:
    """All of a prompt but the request."""
    ids, units = list(plan.opening), []
    for shown in _list_visual_parts(plan):
        ids += [*shown.header, *[VISUAL_TOKEN_ID] * shown.token_count]
        units.append(_make_unit(shown, by_id))
    ids += [one for text in plan.texts for one in text.ids]
    return ids, units


def _make_unit(part: VisualPart, by_id: dict[str, EvidenceItem]) -> VisualUnit:
    item = by_id[part.evidence.id]
    whole, seen = int(item.start_s), item.first_frame.content
    scene = 2 * place_index(seen.place) + seen.night
    marks = int(item.id[1:]), whole // 3600, whole // 60 % 60, whole % 60, scene
    things = {concept_index(name): seen.counts[name] for name in item.first_frame.concept_names}
    return VisualUnit(tuple(look.index for look in item.frames), part.token_count, marks, things)


def _list_visual_parts(plan: PromptPlan) -> tuple[VisualPart, ...]:
    """All that has visual tokens, as it stands in the prompt."""
    return (*plan.slots, *plan.frames, *plan.pictures)


def _find_mentions(ids: Sequence[int], mention_units: Mapping[TokenIds, int], first: int) -> Iterator[tuple[int, int]]:
    """The last word of everything spoken of, counted from `first`, and its unit; of words within words the longer."""
    claimed_ends: set[int] = set()
    for words, unit in sorted(mention_units.items(), key=lambda one: -len(one[0])):
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
