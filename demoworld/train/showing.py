"""Evidence to learn from, as the services gather it: moments of a video that were found, and its memory.

Moments are taken from stretches of footage that lie anywhere in an imagined video of up to some hours; spans begin and
end about where the thing is seen, as search finds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from demoworld.train.footage import Footage, Look

_MOST_TOGETHER = 5
_EMPTY, _NEXT, _AGAIN, _AROUND, _MERGED, _PHOTOS = 0.12, 0.65, 0.1, 0.25, 0.4, 0.08
_LONGEST_MERGE = 4
_START_S = 4 * 3600.0
_JUMP_S = (4.0, 900.0)
_LOOKED, _TWO, _WRONG, _TRIES = 60, 0.35, 0.15, 8


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of evidence: `looks` are the pictures that its tokens are the mean of, mostly one. A photo has no
    span."""

    id: str
    start_s: float
    end_s: float
    looks: tuple[Look, ...]

    @property
    def look(self) -> Look:
        """The picture that it shows."""
        return self.looks[0]

    @property
    def merged(self) -> bool:
        return len(self.looks) > 1


@dataclass(frozen=True, slots=True)
class Showing:
    """All that a question comes with: slots, then either moments of one video, in order of time, or photos."""

    slots: tuple[Item, ...]
    frames: tuple[Item, ...]
    photos: tuple[Item, ...] = ()


def show(rng: np.random.Generator, footage: Footage, frames: int, slots: int) -> Showing:
    """Evidence with at most so many frames and slots."""
    if rng.random() < _PHOTOS and footage.stills:
        taken = rng.permutation(len(footage.stills))[: 1 + int(rng.integers(3))]
        return Showing((), (), tuple(Item(f"I{n}", 0.0, 0.0, (footage.stills[i],)) for n, i in enumerate(taken, 1)))
    moments = _moments(rng, footage, frames)
    names = rng.permutation(len(moments)) + 1
    found = tuple(Item(f"F{name}", *moment) for name, moment in zip(names, moments, strict=True))
    return Showing(_memory(rng, footage, found, slots), found)


def finds(rng: np.random.Generator, footage: Footage, most: int) -> Showing:
    """Up to so many moments as a search for a thing or two finds them: all over a video, most of them right."""
    names = sorted({name for reel in footage.reels for look in reel[:_LOOKED] for name in look.names})
    sought = [names[int(place)] for place in rng.permutation(len(names))[: 1 + int(rng.random() < _TWO)]]
    count = 1 + int(rng.integers(most))
    moments = [_sighting(rng, footage, sought[number % len(sought)]) for number in range(count)]
    at_s = float(rng.uniform(0, 600)) if rng.random() < 0.5 else float(rng.uniform(0, _START_S))
    found = []
    for number, (place, (lasts_s, look)) in enumerate(
        zip(rng.permutation(count) + 1, [moments[one] for one in rng.permutation(count)], strict=True)
    ):
        at_s += float(np.exp(rng.uniform(*np.log(_JUMP_S)))) if number else 0.0
        found.append(Item(f"F{place}", at_s, at_s + lasts_s, (look,)))
        at_s += lasts_s
    return Showing((), tuple(found))


def follows(rng: np.random.Generator, footage: Footage, most: int) -> Showing:
    """Up to so many pictures that follow one another, seconds apart, as what lies between two moments is shown."""
    reel = footage.reels[int(rng.integers(len(footage.reels)))]
    count, step = 2 + int(rng.integers(most - 1)), int(rng.integers(1, 7))
    first = int(rng.integers(max(1, len(reel) - count * step)))
    shift = float(rng.uniform(0, _START_S)) if rng.random() < 0.5 else 0.0
    items = []
    for number, place in zip(rng.permutation(count) + 1, range(first, len(reel), step), strict=False):
        start_s = reel[place].time_s + shift + float(rng.uniform(0, 0.4))
        items.append(Item(f"F{number}", start_s, start_s + float(rng.uniform(0.5, step - 0.4)), (reel[place],)))
    return Showing((), tuple(items))


def _sighting(rng: np.random.Generator, footage: Footage, name: str) -> tuple[float, Look]:
    """How long a moment that is found for a thing lasts, and the picture of it; now and then of something else."""
    reels = footage.reels
    if rng.random() < _WRONG:
        name = ""
    for _ in range(_TRIES):
        reel = reels[int(rng.integers(len(reels)))]
        places = [place for place, look in enumerate(reel) if name in look.seen.counts or not name]
        if places:
            place = places[int(rng.integers(len(places)))]
            first, last = _run(rng, reel, place, name or None)
            return max(0.5, float(last - first) + float(rng.uniform(0, 1.5))), reel[place]
    reel = reels[int(rng.integers(len(reels)))]
    return 1.0, reel[int(rng.integers(len(reel)))]


def glance(rng: np.random.Generator, footage: Footage) -> Showing:
    """One moment alone, of which sentences are checked."""
    if rng.random() < 0.15 and footage.stills:
        return Showing((), (), (Item("I1", 0.0, 0.0, (footage.stills[int(rng.integers(len(footage.stills)))],)),))
    ((start_s, end_s, looks),) = _moments(rng, footage, 1)
    return Showing((), (Item(f"F{1 + int(rng.integers(12))}", start_s, end_s, looks),))


_Moment = tuple[float, float, tuple[Look, ...]]


def _moments(rng: np.random.Generator, footage: Footage, count: int) -> list[_Moment]:
    """Some stretches, one after the other, with a few moments each that lie close together."""
    moments: list[_Moment] = []
    at_s = float(rng.uniform(0, _START_S)) if rng.random() < 0.5 else float(rng.uniform(0, 600))
    while len(moments) < count:
        reel = footage.reels[int(rng.integers(len(footage.reels)))]
        some = min(count - len(moments), 1 + int(rng.integers(_MOST_TOGETHER)))
        stretch = list(_stretch(rng, reel, some))
        shift = at_s - stretch[0][0]
        moments += [(start + shift, end + shift, looks) for start, end, looks in stretch][: count - len(moments)]
        at_s = max(end for _, end, _ in moments[-2:]) + float(np.exp(rng.uniform(*np.log(_JUMP_S))))
    return moments


def _stretch(rng: np.random.Generator, reel: Sequence[Look], count: int) -> Iterator[_Moment]:
    """Moments of one reel: the next thing that is seen, or one a little later; after some of them single pictures, as
    they are recalled around what was found."""
    place = int(rng.integers(max(1, len(reel) - 60 * count)))
    end_s = -1.0
    for _ in range(count):
        place = _next(rng, reel, place)
        if place >= len(reel):
            break
        first, last = _run(rng, reel, place)
        shown = reel[int(rng.integers(first, last + 1))]
        start_s = max(end_s, reel[first].time_s + float(rng.uniform(-0.5, 0.5)), 0.0)
        end_s = max(start_s + 0.5, reel[last].time_s + float(rng.uniform(0.3, 1.3)))
        yield start_s, end_s, (shown,)
        if rng.random() < _AGAIN and last - first > 2:
            inside = int(rng.integers(first + 1, last))
            from_s = min(max(start_s, reel[inside].time_s - 0.5), end_s - 0.3)
            yield from_s, max(from_s + 0.3, min(end_s, reel[inside].time_s + 1)), (reel[inside],)
        if rng.random() < _AROUND:
            for near in range(last + 2, min(last + 12, len(reel)), 2 + int(rng.integers(2))):
                yield reel[near].time_s, reel[near].time_s + float(rng.uniform(0.3, 1.5)), (reel[near],)
                last, end_s = near, reel[near].time_s + 1.5
        place = last + 1 if rng.random() < _NEXT else last + int(rng.integers(5, 60))
    if end_s < 0:
        yield reel[0].time_s, reel[0].time_s + 1, (reel[0],)


def _next(rng: np.random.Generator, reel: Sequence[Look], place: int) -> int:
    """The next picture in which something is seen; now and then any picture."""
    if rng.random() >= _EMPTY:
        while place < len(reel) and not reel[place].seen.counts:
            place += 1
    return place


def _run(rng: np.random.Generator, reel: Sequence[Look], place: int, sought: str | None = None) -> tuple[int, int]:
    """The pictures around a place in which what is sought is seen, or one of its things; of an empty one a few that are
    like it."""
    names = reel[place].names
    chosen = sought or (names[int(rng.integers(len(names)))] if names else None)
    first = last = place
    while first > 0 and _shows(reel[first - 1], chosen) and place - first < 12:
        first -= 1
    while last + 1 < len(reel) and _shows(reel[last + 1], chosen) and last - place < 12:
        last += 1
    return first, last


def _shows(look: Look, name: str | None) -> bool:
    return not look.seen.counts and not look.seen.unclear if name is None else name in look.seen.counts


def _memory(rng: np.random.Generator, footage: Footage, found: Sequence[Item], count: int) -> tuple[Item, ...]:
    """Slots that cover the video from its beginning; some show a moment that was found too."""
    if count == 0:
        return ()
    until_s = found[-1].end_s + float(rng.uniform(0, 60))
    edges = np.concatenate([[0.0], np.sort(rng.uniform(0, until_s, count - 1)), [until_s]])
    slots = []
    for number, (start_s, end_s) in enumerate(pairwise(edges.tolist()), 1):
        inside = [one.look for one in found if one.start_s < end_s and one.end_s > start_s]
        reel = footage.reels[int(rng.integers(len(footage.reels)))]
        place = int(rng.integers(len(reel)))
        own = inside[0] if inside and rng.random() < 0.5 else reel[place]
        near = 1 + int(rng.integers(_LONGEST_MERGE - 1)) if rng.random() < _MERGED else 0
        others = reel[place + 1 : place + 1 + near]
        slots.append(Item(f"M{number}", start_s, end_s, (own, *others)))
    return tuple(slots)
