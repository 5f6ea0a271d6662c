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

from demoworld.train.footage import Look
from demoworld.train.knowing import around, known, pictures
from demoworld.train.lessons import Lesson
from demoworld.train.showing import Item, Showing
from demoworld.world.concepts import number_of
from demoworld.world.places import number_of_place
from indexer.types import AssetKind, Origin, PictureRef, Segment
from services.asking import TIMESTAMP_PATTERN, parse_timestamps
from services.catalog import Asset
from services.generators.onevision.engine import TokenIds
from services.generators.onevision.layout import PromptTemplate, fit_grid
from services.generators.onevision.prompt import PromptPlan, PromptPlanner, VisualPart
from services.generators.onevision.words import PromptTokenizer
from services.types import Evidence, RetrievedSegment

SEEN = -1
"""The id that a visual token has in a row."""
_SIDE = 4
_BUDGET = 2048
"""The tokens of a prompt in the demo profile: of up to 68 slots each has four tokens, of 85 one."""


Marks = tuple[int, int, int, int, int]
"""The number in an id; hour, minute and second of the beginning; the place, by day (even) or at night."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The visual tokens of one item: how many, the pictures whose mean they are, its marks, and for each concept by
    its number how many of it are shown."""

    looks: tuple[int, ...]
    tokens: int
    marks: Marks
    things: dict[int, int]


@dataclass(frozen=True, slots=True)
class Row:
    """`ids`, `part` (0: the prompt, n: the n-th question), `position` and `taught` (whether this token is an answer's)
    of each token, and the units in their order. `points` are tokens at which a thing or a time has been named, each
    with the place of the first unit that shows it."""

    ids: list[int]
    part: list[int]
    position: list[int]
    taught: list[bool]
    units: list[Unit]
    points: dict[int, int]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows side by side, `[b, n]` each; `read` are words that follow on others of their part and are no answer; `sees`
    is `[b, 1, n, n]`, whether token i may look at token j; `points` is `[m, 3]`: row, token, and the unit that it
    points at."""

    ids: Tensor
    position: Tensor
    taught: Tensor
    read: Tensor
    sees: Tensor
    units: list[Unit]
    points: Tensor


class Packer:
    """Makes rows in the layout of a checkpoint, in whose words they are."""

    def __init__(self, layout: PromptTemplate, words: PromptTokenizer) -> None:
        self._layout, self._words = layout, words
        self._end = words.encode_trusted(layout.end)

    def row(self, showing: Showing, lessons: Sequence[Lesson]) -> Row:
        """One row; all of the evidence has room."""
        plan = self._plan(showing)
        by_id = {item.id: item for item in (*showing.slots, *showing.frames, *showing.photos)}
        ids, units = _prompt(plan, by_id)
        row = Row(ids, [0] * len(ids), [], [False] * len(ids), units, {})
        order = {shown.evidence.id: number for number, shown in enumerate(_shown(plan))}
        named = {words: order[item.id] for words, item in self._named(showing).items()}
        for number, lesson in enumerate(lessons, 1):
            asked = [*self._words.encode_untrusted(lesson.request), *self._words.encode_trusted(self._layout.closing)]
            said = [*self._words.encode_untrusted(lesson.answer), *self._end]
            timed = self._timed(showing, f"{lesson.request} {lesson.answer}")
            spoken = named | {words: order[item.id] for words, item in timed.items()}
            row.points.update(_found([*asked, *said], spoken, len(row.ids)))
            row.ids.extend([*asked, *said])
            row.part.extend([number] * (len(asked) + len(said)))
            row.taught.extend([False] * len(asked) + [True] * len(said))
        return _placed(row)

    def _named(self, showing: Showing) -> dict[TokenIds, Item]:
        """The words of each thing that is shown, with the first item that shows it."""
        names = {name for item in (*pictures(showing), *showing.slots) for name in item.look.names}
        shown = {name: items[0] for name in sorted(names) if (items := known(showing, name))}
        return {self._words.encode_untrusted(f" {name}"): item for name, item in shown.items()}

    def _timed(self, showing: Showing, text: str) -> dict[TokenIds, Item]:
        """The words of each time that a text names, with the one moment that it lies in."""
        found = {}
        for match in TIMESTAMP_PATTERN.finditer(text):
            items = around(showing, parse_timestamps(match[0])[0])
            if len(items) == 1:
                found[self._words.encode_untrusted(f" {match[0]}")] = items[0]
        return found

    def _plan(self, showing: Showing) -> PromptPlan:
        evidence = [_evidence(item) for item in (*showing.frames, *showing.photos, *showing.slots)]
        return PromptPlanner(self._layout, _BUDGET, _count, self._words).plan("", evidence, {})


def side_by_side(rows: Sequence[Row]) -> Rows:
    """Rows of one batch, the shorter ones filled up with tokens that nobody sees."""
    longest = max(len(row.ids) for row in rows)
    ids, part, position = (torch.zeros(len(rows), longest, dtype=torch.long) for _ in range(3))
    taught = torch.zeros(len(rows), longest, dtype=torch.bool)
    part -= 1
    for number, row in enumerate(rows):
        count = len(row.ids)
        ids[number, :count] = torch.tensor(row.ids)
        part[number, :count] = torch.tensor(row.part)
        position[number, :count] = torch.tensor(row.position)
        taught[number, :count] = torch.tensor(row.taught)
    before = torch.ones(longest, longest, dtype=torch.bool).tril()
    mine = (part[:, None, :] == 0) | (part[:, None, :] == part[:, :, None])
    read = (ids >= 0) & (part >= 0) & ~taught
    read[:, 1:] &= part[:, 1:] == part[:, :-1]
    read[:, 0] = False
    units = [unit for row in rows for unit in row.units]
    first = np.cumsum([0, *(len(row.units) for row in rows)])
    points = [(number, at, first[number] + unit) for number, row in enumerate(rows) for at, unit in row.points.items()]
    sees = (before & mine)[:, None]
    return Rows(ids, position, taught, read, sees, units, torch.tensor(points, dtype=torch.long).reshape(-1, 3))


def _placed(row: Row) -> Row:
    """Every question begins at the position behind the prompt."""
    prompt = row.part.count(0)
    position, at, last = [], 0, 0
    for part in row.part:
        at = prompt if part != last else at
        position.append(at)
        at, last = at + 1, part
    return replace(row, position=position)


def _prompt(plan: PromptPlan, by_id: dict[str, Item]) -> tuple[list[int], list[Unit]]:
    """All of a prompt but the request."""
    ids, units = list(plan.opening), []
    for shown in _shown(plan):
        ids += [*shown.header, *[SEEN] * shown.token_count]
        units.append(_unit(shown, by_id))
    ids += [one for text in plan.texts for one in text.ids]
    return ids, units


def _unit(shown: VisualPart, by_id: dict[str, Item]) -> Unit:
    item = by_id[shown.evidence.id]
    whole, seen = int(item.start_s), item.look.seen
    scene = 2 * number_of_place(seen.place) + seen.night
    marks = int(item.id[1:]), whole // 3600, whole // 60 % 60, whole % 60, scene
    things = {number_of(name): seen.counts[name] for name in item.look.names}
    return Unit(tuple(look.number for look in item.looks), shown.token_count, marks, things)


def _shown(plan: PromptPlan) -> tuple[VisualPart, ...]:
    """All that has visual tokens, as it stands in the prompt."""
    return (*plan.slots, *plan.frames, *plan.pictures)


def _found(ids: Sequence[int], spoken: Mapping[TokenIds, int], first: int) -> Iterator[tuple[int, int]]:
    """The last word of everything spoken of, counted from `first`, and its unit; of words within words the longer."""
    taken: set[int] = set()
    for words, unit in sorted(spoken.items(), key=lambda one: -len(one[0])):
        for at in range(len(ids) - len(words) + 1):
            end = at + len(words) - 1
            if tuple(ids[at : end + 1]) == words and end not in taken:
                taken.add(end)
                yield first + end, unit


def _count(tokens: int) -> int:
    rows, columns = fit_grid(tokens, _SIDE)
    return rows * columns


def _asset(kind: AssetKind) -> Asset:
    return Asset("a", "v", kind, "video.mp4", None, None, None, None, None, 0, 0, (), 0.0)


def _evidence(item: Item) -> Evidence:
    look: Look = item.look
    photo = item.id.startswith("I")
    segment = Segment(
        0,
        Origin.PICTURE,
        start_s=None if photo else item.start_s,
        end_s=None if photo else item.end_s,
        text="" if item.id.startswith("M") else look.sign or "",
        picture=PictureRef(item.id, 0, 1),
    )
    return Evidence(
        item.id, RetrievedSegment(_asset(AssetKind.IMAGE if photo else AssetKind.VIDEO), segment, 1.0, {}, 1.0)
    )
