"""Slides of the sample videos: a background and the text on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from demoworld import backdrops
from demoworld.canvas import TextCanvas

SlideLook: TypeAlias = Literal[
    "title", "board", "notice", "map", "sign", "locker", "gauges", "radio", "menu", "closing"
]


@dataclass(frozen=True, slots=True)
class Slide:
    """A slide shown for some seconds; the first line is its heading, tabs separate the cells of a table row.

    With `moving`, a ferry crosses the lower edge while the text stays.
    """

    look: SlideLook
    seconds: float
    lines: tuple[str, ...]
    moving: bool = False


@dataclass(frozen=True, slots=True)
class SlideLayout:
    """Text positions of one look: heading and body sizes, the body's top and line step, the left edges of cells."""

    backdrop: Callable[[TextCanvas], None]
    heading: tuple[int, str]
    body: tuple[int, str]
    top: int
    body_top: int
    step: int
    lefts: tuple[int, ...]


def draw_slide(slide: Slide, size: tuple[int, int]) -> TextCanvas:
    """Draw a slide without its moving ferry."""
    layout = _SLIDE_LAYOUTS[slide.look]
    canvas = TextCanvas(size, "#000000")
    layout.backdrop(canvas)
    heading_size, heading_colour = layout.heading
    canvas.write_line(slide.lines[0], (layout.lefts[0], layout.top), heading_size, heading_colour)
    if slide.look == "map":
        _write_map_labels(canvas, slide.lines[1:])
    else:
        _write_rows(canvas, slide.lines[1:], layout)
    return canvas


def _write_rows(canvas: TextCanvas, lines: Sequence[str], layout: SlideLayout) -> None:
    size, colour = layout.body
    for number, line in enumerate(lines):
        cells = line.split("\t")
        canvas.write_row(cells, layout.lefts[: len(cells)], layout.body_top + number * layout.step, size, colour)


def _write_map_labels(canvas: TextCanvas, lines: Sequence[str]) -> None:
    mainland, island, islet, route = lines
    canvas.write_line(mainland, (18, 240), 26, "#202020")
    canvas.write_line(island, (675, 182), 28, "#202020", anchor="ma")
    canvas.write_line(islet, (560, 322), 24, "#202020", anchor="ma")
    canvas.write_line(route, (24, 78), 30, "#102040")


_SLIDE_LAYOUTS: dict[SlideLook, SlideLayout] = {
    "title": SlideLayout(backdrops.paint_sunrise, (70, "#ffffff"), (36, "#fbe9c8"), 60, 168, 58, (60,)),
    "board": SlideLayout(backdrops.paint_departures, (40, "#ffffff"), (36, "#ffc23c"), 58, 132, 64, (60, 430, 630)),
    "notice": SlideLayout(backdrops.paint_warning, (56, "#1c1c1c"), (40, "#1c1c1c"), 64, 160, 66, (64,)),
    "map": SlideLayout(backdrops.paint_sea_chart, (40, "#102040"), (28, "#202020"), 22, 0, 0, (24,)),
    "sign": SlideLayout(backdrops.paint_emergency_sign, (62, "#ffffff"), (38, "#ffffff"), 76, 196, 70, (72,)),
    "locker": SlideLayout(backdrops.paint_locker, (46, "#202020"), (32, "#202020"), 46, 140, 70, (40, 320)),
    "gauges": SlideLayout(backdrops.paint_gauges, (52, "#ffffff"), (38, "#ffe9a0"), 30, 112, 56, (56,)),
    "radio": SlideLayout(backdrops.paint_radio_console, (44, "#202020"), (36, "#202020"), 52, 122, 58, (80,)),
    "menu": SlideLayout(backdrops.paint_chalkboard, (50, "#ffffff"), (34, "#f4efd8"), 52, 150, 70, (64, 300, 630)),
    "closing": SlideLayout(backdrops.paint_morning, (60, "#14325a"), (38, "#14325a"), 56, 154, 64, (60,)),
}
