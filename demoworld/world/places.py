"""Places of the drawn world; each has a painting function, and a seed makes every variant differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from demoworld.world.brush import Brush
from indexer.types import Pixels

_NIGHT_TINT = np.array([0.42, 0.47, 0.68], np.float32)
_SUPERSAMPLING = 2


@dataclass(frozen=True, slots=True)
class Place:
    """A place and its words: `phrase` follows a thing ("a dog on the beach"); `synonyms` replace `phrase`."""

    name: str
    phrase: str
    synonyms: tuple[str, ...]
    paint: Callable[[Brush], None]


def paint_backdrop(place: str, night: bool, variant: int, width: int, height: int) -> Pixels:
    """Paint the empty place, `[height, width, 3]`. Errors: KeyError where no place has that name."""
    rng = np.random.default_rng([variant, place_index(place)])
    brush = Brush(width * _SUPERSAMPLING, height * _SUPERSAMPLING, rng)
    PLACES[place_index(place)].paint(brush)
    pixels = np.asarray(brush.image.reduce(_SUPERSAMPLING))
    return darken_to_night(pixels) if night else pixels


def darken_to_night(pixels: Pixels) -> Pixels:
    """Return a picture `[..., 3]` as by night: darker and bluer."""
    return (pixels * _NIGHT_TINT).astype(np.uint8)


def _street(brush: Brush) -> None:
    brush.gradient(0, 0.6, brush.vary((150, 190, 230)), (215, 225, 235))
    x = -0.05
    while x < 1:
        wide, top = brush.rng.uniform(0.13, 0.22), brush.rng.uniform(0.08, 0.3)
        brush.rectangle(x, top, x + wide, 0.6, brush.vary((150, 110, 100), 45))
        for row in np.arange(top + 0.05, 0.52, 0.11):
            for column in (0.2, 0.6):
                left = x + column * wide
                brush.rectangle(left, row, left + 0.2 * wide, row + 0.06, (235, 225, 160))
        x += wide + 0.01
    brush.rectangle(0, 0.58, 1, 0.66, brush.vary((170, 170, 165)))
    brush.rectangle(0, 0.66, 1, 1, brush.vary((85, 85, 90)))
    for left in np.arange(brush.rng.uniform(-0.1, 0.1), 1, 0.24):
        brush.rectangle(left, 0.81, left + 0.12, 0.84, (235, 235, 225))


def _beach(brush: Brush) -> None:
    brush.gradient(0, 0.35, brush.vary((110, 185, 240)), (190, 225, 245))
    brush.ellipse(brush.rng.uniform(0.1, 0.9), 0.13, 0.045, 0.08, (255, 240, 150))
    brush.gradient(0.35, 0.58, brush.vary((20, 110, 190)), (70, 180, 205))
    shore = 0.58
    brush.rectangle(0, shore, 1, 1, brush.vary((238, 214, 160)))
    for x in np.arange(0, 1.1, 0.1):
        brush.ellipse(x, shore, 0.07, brush.rng.uniform(0.01, 0.03), (240, 250, 250))
    for _ in range(24):
        x, y = brush.rng.uniform(0, 1), brush.rng.uniform(0.66, 1)
        brush.ellipse(x, y, 0.006, 0.006, (205, 180, 125))


def _snow(brush: Brush) -> None:
    brush.gradient(0, 0.5, brush.vary((170, 190, 210)), (225, 232, 240))
    brush.ellipse(brush.rng.uniform(0, 0.4), 0.6, 0.5, 0.2, brush.vary((225, 233, 242), 6))
    brush.ellipse(brush.rng.uniform(0.6, 1), 0.62, 0.5, 0.22, brush.vary((215, 226, 240), 6))
    brush.rectangle(0, 0.62, 1, 1, brush.vary((246, 249, 253), 4))
    for _ in range(60):
        x, y = brush.rng.uniform(0, 1), brush.rng.uniform(0, 1)
        brush.ellipse(x, y, 0.006, 0.01, (255, 255, 255))


def _kitchen(brush: Brush) -> None:
    brush.rectangle(0, 0, 1, 0.62, brush.vary((240, 228, 200)))
    tile = brush.vary((200, 215, 220))
    for x in np.arange(0, 1, 0.0833):
        for y in (0.3, 0.41, 0.52):
            brush.rectangle(x + 0.004, y + 0.005, x + 0.079, y + 0.103, tile)
    wood = brush.vary((150, 95, 55), 20)
    for x in (0.02, 0.27, 0.52, 0.77):
        brush.rectangle(x, 0, x + 0.22, 0.24, wood)
        brush.ellipse(x + 0.19, 0.2, 0.009, 0.016, (230, 220, 190))
    brush.rectangle(0, 0.62, 1, 0.68, brush.vary((90, 85, 85)))
    for x in (0, 0.25, 0.5, 0.75):
        brush.rectangle(x + 0.006, 0.69, x + 0.244, 1, wood)
        brush.rectangle(x + 0.1, 0.73, x + 0.15, 0.75, (230, 220, 190))


def _forest(brush: Brush) -> None:
    brush.gradient(0, 0.7, brush.vary((60, 110, 70)), (100, 145, 85))
    for x in np.arange(-0.02, 1.05, 0.11):
        x += brush.rng.uniform(-0.03, 0.03)
        brush.rectangle(x - 0.014, 0.2, x + 0.014, 0.78, brush.vary((80, 55, 35)))
        green = brush.vary((30, 85, 40), 18)
        for level in (0.02, 0.16, 0.3):
            spread = 0.05 + level * 0.12
            brush.polygon(((x, level - 0.1), (x - spread, level + 0.2), (x + spread, level + 0.2)), green)
    brush.rectangle(0, 0.72, 1, 1, brush.vary((70, 85, 40)))
    for _ in range(40):
        x, y = brush.rng.uniform(0, 1), brush.rng.uniform(0.74, 1)
        brush.line(x, y, x + 0.01, y - 0.03, brush.vary((50, 105, 40), 20))


def _desert(brush: Brush) -> None:
    brush.gradient(0, 0.75, brush.vary((245, 190, 110)), (252, 225, 165))
    brush.ellipse(brush.rng.uniform(0.15, 0.85), 0.2, 0.06, 0.1, (255, 248, 215))
    for level, colour in ((0.5, (222, 160, 85)), (0.62, (212, 145, 70)), (0.76, (200, 130, 60))):
        start = brush.rng.uniform(-0.4, 0)
        sand = brush.vary(colour)
        for x in np.arange(start, 1.2, 0.45):
            brush.ellipse(x + 0.2, level + 0.2, 0.34, 0.22, sand)
        brush.rectangle(0, level + 0.12, 1, 1, sand)


def _office(brush: Brush) -> None:
    brush.rectangle(0, 0, 1, 0.7, brush.vary((205, 210, 216), 8))
    pane = brush.vary((150, 200, 235))
    for x in (0.06, 0.39, 0.72):
        brush.rectangle(x, 0.08, x + 0.22, 0.46, (250, 250, 250))
        brush.rectangle(x + 0.012, 0.1, x + 0.208, 0.44, pane)
        for y in np.arange(0.12, 0.3, 0.04):
            brush.line(x + 0.012, y, x + 0.208, y, (225, 228, 232), 0.012)
    brush.rectangle(0, 0.7, 1, 1, brush.vary((70, 85, 120)))
    for x in np.arange(0, 1, 0.125):
        brush.line(x, 0.7, x, 1, (85, 100, 136), 0.008)
    brush.rectangle(0.05, 0.58, 0.95, 0.63, brush.vary((190, 150, 110)))
    for x in (0.1, 0.88):
        brush.rectangle(x, 0.63, x + 0.02, 0.82, (120, 120, 125))


def _meadow(brush: Brush) -> None:
    brush.gradient(0, 0.62, brush.vary((95, 170, 245)), (200, 228, 250))
    for _ in range(3):
        x, y = brush.rng.uniform(0, 1), brush.rng.uniform(0.06, 0.25)
        for shift in (-0.05, 0, 0.05):
            brush.ellipse(x + shift, y, 0.055, 0.05, (252, 253, 255))
    brush.ellipse(brush.rng.uniform(0, 1), 0.62, 0.7, 0.24, brush.vary((130, 195, 85)))
    brush.rectangle(0, 0.6, 1, 1, brush.vary((105, 180, 65)))
    for _ in range(50):
        x, y = brush.rng.uniform(0, 1), brush.rng.uniform(0.6, 1)
        brush.ellipse(x, y, 0.007, 0.012, brush.vary((250, 235, 120), 30))


def _mountains(brush: Brush) -> None:
    brush.gradient(0, 0.8, brush.vary((120, 150, 205)), (215, 205, 215))
    for left in np.arange(brush.rng.uniform(-0.4, -0.2), 1.1, 0.32):
        top, wide = brush.rng.uniform(0.08, 0.24), 0.3
        brush.polygon(
            ((left - 0.06, 0.8), (left + wide / 2, top), (left + wide + 0.06, 0.8)), brush.vary((105, 100, 115))
        )
        share = 0.14 / (0.8 - top)
        half = (wide / 2 + 0.06) * share
        brush.polygon(
            ((left + wide / 2 - half, top + 0.14), (left + wide / 2, top), (left + wide / 2 + half, top + 0.14)),
            (248, 250, 253),
        )
    brush.rectangle(0, 0.76, 1, 1, brush.vary((120, 115, 100)))
    for _ in range(16):
        brush.ellipse(brush.rng.uniform(0, 1), brush.rng.uniform(0.8, 1), 0.03, 0.025, brush.vary((145, 140, 130)))


def _underwater(brush: Brush) -> None:
    brush.gradient(0, 0.85, brush.vary((60, 180, 205)), (5, 60, 120))
    for _ in range(5):
        x = brush.rng.uniform(0, 1)
        brush.polygon(((x, 0), (x + 0.06, 0), (x - 0.1, 0.6), (x - 0.2, 0.6)), brush.vary((85, 190, 212), 6))
    brush.rectangle(0, 0.85, 1, 1, brush.vary((150, 150, 110)))
    for _ in range(12):
        x, tall = brush.rng.uniform(0, 1), brush.rng.uniform(0.1, 0.25)
        brush.line(x, 0.95, x + brush.rng.uniform(-0.03, 0.03), 0.95 - tall, brush.vary((20, 120, 80)), 0.03)
    for _ in range(18):
        brush.ellipse(brush.rng.uniform(0, 1), brush.rng.uniform(0, 0.8), 0.008, 0.014, (190, 230, 240))


PLACES = (
    Place("street", "on the street", ("on the road", "in the city"), _street),
    Place("beach", "on the beach", ("at the seaside", "on the shore"), _beach),
    Place("snow", "in the snow", ("in a wintry landscape",), _snow),
    Place("kitchen", "in the kitchen", (), _kitchen),
    Place("forest", "in the forest", ("in the woods", "among the trees"), _forest),
    Place("desert", "in the desert", ("among the dunes",), _desert),
    Place("office", "in the office", ("at the workplace",), _office),
    Place("meadow", "on the meadow", ("on the grass", "in the field"), _meadow),
    Place("mountains", "in the mountains", ("in the alps",), _mountains),
    Place("underwater", "under water", ("below the waves",), _underwater),
)


@cache
def place_index(name: str) -> int:
    """Return a place's number. Errors: KeyError where no place has that name."""
    for number, place in enumerate(PLACES):
        if place.name == name:
            return number
    raise KeyError(name)
