"""Documents of the drawn world: reports of what was seen where, with text, a table and a picture on every page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from demoworld.papers import Paper, PaperPage, print_paper
from demoworld.truth import Fact, write_json
from demoworld.world.claims import Seen
from demoworld.world.concepts import concept
from demoworld.world.places import PLACES, number_of_place
from demoworld.world.random_scenes import Split, random_scene
from demoworld.world.scene import WIDE, Scene

_WATCHERS = ("Ada Lind", "Boris Okafor", "Chiara Moreau", "Dev Patel", "Elin Sand", "Farid Haddad")
_WEATHER = ("clear", "windy", "foggy", "rainy", "hot", "cold")


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one page (counted from 1) says and shows: who watched, in which weather, and the table's counts."""

    page: int
    watcher: str
    weather: str
    place: str
    counts: dict[str, int]
    shown: dict[str, int]


@dataclass(frozen=True, slots=True)
class ReportTruth:
    """One document, page by page; `facts` are its printed lines with their boxes."""

    file: str
    sightings: tuple[Sighting, ...]
    facts: tuple[Fact, ...]


def print_report(path: Path, seed: int, pages: int) -> ReportTruth:
    """Write a PDF of so many pages and its truth beside it, `NAME.truth.json`. Errors: OSError."""
    made = [_page(np.random.default_rng([seed, number]), number) for number in range(1, pages + 1)]
    day = date(2024, 1, 1) + timedelta(days=seed % 365)
    paper = Paper(path.name, f"Sightings, report {seed}", day, tuple(page for page, _ in made))
    truth = ReportTruth(path.name, tuple(sighting for _, sighting in made), tuple(print_paper(paper, path.parent)))
    write_json(path.with_suffix(".truth.json"), truth)
    return truth


def _page(rng: np.random.Generator, number: int) -> tuple[PaperPage, Sighting]:
    scene: Scene = random_scene(rng, Split.ANY, aspect=WIDE)
    shown = Seen.of(scene).counts
    counts = {thing: int(rng.integers(2, 60)) for thing in shown}
    watcher, weather = str(rng.choice(_WATCHERS)), str(rng.choice(_WEATHER))
    where = PLACES[number_of_place(scene.place)].phrase
    page = PaperPage(
        heading=f"Station {number}: {where}",
        paragraphs=(f"{watcher} kept watch {where}. The weather was {weather}.",),
        table=(("Seen", "Number"), *((concept(name).plural.capitalize(), str(n)) for name, n in counts.items())),
        picture=scene,
        notes=(f"The picture was taken at station {number} {'at night' if scene.night else 'by day'}.",),
    )
    return page, Sighting(number, watcher, weather, scene.place, counts, shown)
