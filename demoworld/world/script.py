"""Video script: shots of places with events in them, seeded, of any length, generated one shot at a time.

An event's span is half-open and in seconds: from when half of the thing is in the picture until less than half is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from demoworld.world.places import PLACES
from demoworld.world.random_scenes import Split, list_allowed_concepts, sample_sign, sample_variant
from demoworld.world.scene import WIDESCREEN_ASPECT, Scene, Sign, Thing

_SHOT_RANGE_S = (15, 45)
_EVENT_RANGE_S = (3.0, 12.0)
_GAP_RANGE_S = (0.8, 4.0)
_HELD_OUT_VARIANTS = 6
_MIN_ROOM_S = 4.5
_ENTRY_S = 1.5
_REST_POSITIONS = ((0.28, 0.6), (0.72, 0.62))
"""Where the at most two events of a moment rest: fractions of width and height."""


class Motion(StrEnum):
    """How a thing moves; left and right are those of the picture."""

    STAYS = "stays"
    ENTERS_LEFT = "enters from the left"
    ENTERS_RIGHT = "enters from the right"
    LEAVES_LEFT = "leaves to the left"
    LEAVES_RIGHT = "leaves to the right"
    CROSSES_LEFT = "crosses to the left"
    CROSSES_RIGHT = "crosses to the right"


@dataclass(frozen=True, slots=True)
class SceneEvent:
    """`count` of one concept visible during `[start_s, end_s)`.

    `x`, `y` is where it rests; `size` is that of a Thing.
    """

    concept: str
    count: int
    motion: Motion
    start_s: float
    end_s: float
    x: float
    y: float
    size: float

    def things_at(self, time_s: float) -> tuple[Thing, ...]:
        """Return the things to draw at a time; one that enters is drawn shortly before its span begins."""
        x = self._x_at(time_s)
        if x is None:
            return ()
        rightwards = self.motion in (Motion.ENTERS_LEFT, Motion.LEAVES_RIGHT, Motion.CROSSES_RIGHT)
        step, first = self.size * 0.62, (self.count - 1) / 2
        return tuple(
            Thing(self.concept, x + (number - first) * step, self.y, self.size, rightwards)
            for number in range(self.count)
        )

    def _x_at(self, time_s: float) -> float | None:
        into, left = time_s - self.start_s, self.end_s - time_s
        moving = min(_ENTRY_S, self.end_s - self.start_s)
        match self.motion:
            case Motion.STAYS:
                return self.x if into >= 0 and left > 0 else None
            case Motion.ENTERS_LEFT:
                return min(self.x, self.x * into / moving) if left > 0 else None
            case Motion.ENTERS_RIGHT:
                return max(self.x, 1 - (1 - self.x) * into / moving) if left > 0 else None
            case Motion.LEAVES_LEFT:
                return min(self.x, self.x * left / moving) if into >= 0 else None
            case Motion.LEAVES_RIGHT:
                return max(self.x, 1 - (1 - self.x) * left / moving) if into >= 0 else None
            case Motion.CROSSES_RIGHT:
                return into / (self.end_s - self.start_s)
            case Motion.CROSSES_LEFT:
                return left / (self.end_s - self.start_s)


@dataclass(frozen=True, slots=True)
class Shot:
    """One place during `[start_s, end_s)`, its events, and the sign that stands in it."""

    place: str
    night: bool
    variant: int
    start_s: float
    end_s: float
    events: tuple[SceneEvent, ...]
    sign: Sign | None = None

    def scene_at(self, time_s: float) -> Scene:
        """Return the scene at a time within the shot."""
        things = tuple(thing for event in self.events for thing in event.things_at(time_s) if _is_visible(thing))
        return Scene(self.place, self.night, self.variant, things, self.sign)


def generate_shots(
    seed: int,
    seconds: float,
    excluded_concepts: Sequence[str] = (),
    split: Split = Split.ANY,
    single_concepts: Sequence[str] = (),
) -> Iterator[Shot]:
    """Generate consecutive shots until `seconds` are full.

    Concepts in `excluded_concepts` never appear, and pairs of concept and place are of the split. Those in
    `single_concepts` appear once at most, each not before a random time of its own. Shot n depends on the seed, on n
    and on where the previous shot ended, so a longer video begins like a shorter one.
    """
    start_s, last, number = 0.0, "", 0
    earliest_s = dict(
        zip(
            single_concepts,
            np.random.default_rng([seed, len(single_concepts)]).uniform(0, seconds, len(single_concepts)),
            strict=True,
        )
    )
    excluded = set(excluded_concepts)
    while start_s < seconds:
        rng = np.random.default_rng([seed, number])
        end_s = min(seconds, start_s + float(rng.integers(*_SHOT_RANGE_S)))
        if seconds - end_s < _MIN_ROOM_S:
            end_s = seconds
        place = str(rng.choice([place.name for place in PLACES if place.name != last]))
        sign = sample_sign(rng) if rng.random() < 0.25 else None
        names = [
            name
            for name in list_allowed_concepts(place, split)
            if name not in excluded and earliest_s.get(name, 0) <= start_s
        ]
        events = tuple(sorted(_generate_events(rng, start_s, end_s, names), key=lambda event: event.start_s))
        variant = sample_variant(rng, split, _HELD_OUT_VARIANTS)
        yield Shot(place, bool(rng.random() < 0.3), variant, start_s, end_s, events, sign)
        excluded.update({event.concept for event in events}.intersection(single_concepts))
        start_s, last, number = end_s, place, number + 1


def _generate_events(
    rng: np.random.Generator, start_s: float, end_s: float, allowed_names: Sequence[str]
) -> Iterator[SceneEvent]:
    names = rng.permutation(allowed_names).tolist()
    for x, y in _REST_POSITIONS[: 1 + int(rng.random() < 0.5)]:
        at_s = start_s + float(rng.uniform(*_GAP_RANGE_S))
        while end_s - at_s > _MIN_ROOM_S:
            until_s = min(at_s + float(rng.uniform(*_EVENT_RANGE_S)), end_s - _GAP_RANGE_S[0])
            yield _sample_event(rng, names.pop(), at_s, until_s, x, y)
            at_s = until_s + float(rng.uniform(*_GAP_RANGE_S))


def _sample_event(rng: np.random.Generator, name: str, start_s: float, end_s: float, x: float, y: float) -> SceneEvent:
    motion = rng.choice(list(Motion), p=[0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    count = int(rng.choice((1, 1, 1, 2, 3))) if motion == Motion.STAYS else 1
    size = float(rng.uniform(0.36, 0.56)) if count == 1 else 0.34 - 0.02 * count
    start_s, end_s = round(start_s, 2), round(end_s, 2)
    return SceneEvent(
        name, count, Motion(motion), start_s, end_s, x, y + float(rng.uniform(-0.08, 0.08)), round(size, 2)
    )


def _is_visible(thing: Thing) -> bool:
    half = thing.size / WIDESCREEN_ASPECT / 2
    return -half < thing.x < 1 + half
