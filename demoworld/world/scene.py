"""Scene description: which things stand where, in which place, by day or by night."""

from __future__ import annotations

from dataclasses import dataclass

WIDESCREEN_ASPECT = 16 / 9


@dataclass(frozen=True, slots=True)
class Thing:
    """One concept in the picture.

    `x` and `y` are its middle in fractions of the picture's width and height, and may lie outside; `size` is the side
    of its square cell as a fraction of the picture's height. Glyphs face left unless they are flipped.
    """

    concept: str
    x: float
    y: float
    size: float
    flipped: bool = False


@dataclass(frozen=True, slots=True)
class Sign:
    """A white board with a short text; `x`, `y` are its middle, `height` its height, all in fractions."""

    text: str
    x: float
    y: float
    height: float = 0.16


@dataclass(frozen=True, slots=True)
class Scene:
    """Content of one picture; later things occlude earlier ones, `variant` seeds the look of the place."""

    place: str
    night: bool
    variant: int
    things: tuple[Thing, ...] = ()
    sign: Sign | None = None
    aspect: float = WIDESCREEN_ASPECT
