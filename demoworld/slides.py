"""The scenes of a film: scenery and the words upon it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from demoworld import backdrops
from demoworld.sheet import Sheet

SceneLook: TypeAlias = Literal[
    "title", "board", "notice", "map", "sign", "locker", "gauges", "radio", "menu", "closing"
]


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture that stays for some seconds; the first line is its heading, tabs divide the cells of a table row.

    Where `moving`, a ferry crosses the lower edge while the words stay.
    """

    look: SceneLook
    seconds: float
    lines: tuple[str, ...]
    moving: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the words of a look stand: heading and body sizes, the body's top and step, the left edges of cells."""

    backdrop: Callable[[Sheet], None]
    heading: tuple[int, str]
    body: tuple[int, str]
    top: int
    body_top: int
    step: int
    lefts: tuple[int, ...]


def slide(scene: Scene, size: tuple[int, int]) -> Sheet:
    """Draw a scene, without what moves."""
    layout = _LAYOUTS[scene.look]
    sheet = Sheet(size, "#000000")
    layout.backdrop(sheet)
    heading_size, heading_colour = layout.heading
    sheet.write(scene.lines[0], (layout.lefts[0], layout.top), heading_size, heading_colour)
    if scene.look == "map":
        _name_places(sheet, scene.lines[1:])
    else:
        _list(sheet, scene.lines[1:], layout)
    return sheet


def _list(sheet: Sheet, lines: Sequence[str], layout: Layout) -> None:
    size, colour = layout.body
    for number, line in enumerate(lines):
        cells = line.split("\t")
        sheet.row(cells, layout.lefts[: len(cells)], layout.body_top + number * layout.step, size, colour)


def _name_places(sheet: Sheet, lines: Sequence[str]) -> None:
    mainland, island, islet, route = lines
    sheet.write(mainland, (18, 240), 26, "#202020")
    sheet.write(island, (675, 182), 28, "#202020", anchor="ma")
    sheet.write(islet, (560, 322), 24, "#202020", anchor="ma")
    sheet.write(route, (24, 78), 30, "#102040")


_LAYOUTS: dict[SceneLook, Layout] = {
    "title": Layout(backdrops.sunrise, (70, "#ffffff"), (36, "#fbe9c8"), 60, 168, 58, (60,)),
    "board": Layout(backdrops.departures, (40, "#ffffff"), (36, "#ffc23c"), 58, 132, 64, (60, 430, 630)),
    "notice": Layout(backdrops.warning, (56, "#1c1c1c"), (40, "#1c1c1c"), 64, 160, 66, (64,)),
    "map": Layout(backdrops.chart, (40, "#102040"), (28, "#202020"), 22, 0, 0, (24,)),
    "sign": Layout(backdrops.emergency, (62, "#ffffff"), (38, "#ffffff"), 76, 196, 70, (72,)),
    "locker": Layout(backdrops.locker, (46, "#202020"), (32, "#202020"), 46, 140, 70, (40, 320)),
    "gauges": Layout(backdrops.gauges, (52, "#ffffff"), (38, "#ffe9a0"), 30, 112, 56, (56,)),
    "radio": Layout(backdrops.console, (44, "#202020"), (36, "#202020"), 52, 122, 58, (80,)),
    "menu": Layout(backdrops.chalkboard, (50, "#ffffff"), (34, "#f4efd8"), 52, 150, 70, (64, 300, 630)),
    "closing": Layout(backdrops.morning, (60, "#14325a"), (38, "#14325a"), 56, 154, 64, (60,)),
}
