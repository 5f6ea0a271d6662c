"""Reports of the drawn world: PDFs with text, a table and a picture on every page, and their truth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from demoworld.text_pdfs import DocumentSpec, PageSpec, write_text_pdf
from demoworld.truth import Fact, write_json
from demoworld.world.claims import VisibleContent
from demoworld.world.concepts import get_concept
from demoworld.world.places import PLACES, place_index
from demoworld.world.random_scenes import Split, sample_scene
from demoworld.world.scene import WIDESCREEN_ASPECT, Scene

_WATCHERS = ("Ada Lind", "Boris Okafor", "Chiara Moreau", "Dev Patel", "Elin Sand", "Farid Haddad")
_WEATHER = ("clear", "windy", "foggy", "rainy", "hot", "cold")


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one page (counted from 1) states and shows: who watched, the weather, the table's counts."""

    page: int
    watcher: str
    weather: str
    place: str
    counts: dict[str, int]
    shown: dict[str, int]


@dataclass(frozen=True, slots=True)
class ReportTruth:
    """The truth of one document, page by page; `facts` are its printed lines with their boxes."""

    file: str
    sightings: tuple[Sighting, ...]
    facts: tuple[Fact, ...]


def write_report(path: Path, seed: int, pages: int) -> ReportTruth:
    """Write a PDF of `pages` pages and its truth beside it, `NAME.truth.json`. Errors: OSError."""
    generated = [_generate_page(np.random.default_rng([seed, number]), number) for number in range(1, pages + 1)]
    day = date(2024, 1, 1) + timedelta(days=seed % 365)
    paper = DocumentSpec(path.name, f"Sightings, report {seed}", day, tuple(page for page, _ in generated))
    truth = ReportTruth(
        path.name, tuple(sighting for _, sighting in generated), tuple(write_text_pdf(paper, path.parent))
    )
    write_json(path.with_suffix(".truth.json"), truth)
    return truth


def _generate_page(rng: np.random.Generator, number: int) -> tuple[PageSpec, Sighting]:
    scene: Scene = sample_scene(rng, Split.ANY, aspect=WIDESCREEN_ASPECT)
    visible_counts = VisibleContent.from_scene(scene).counts
    counts = {thing: int(rng.integers(2, 60)) for thing in visible_counts}
    watcher, weather = str(rng.choice(_WATCHERS)), str(rng.choice(_WEATHER))
    where = PLACES[place_index(scene.place)].phrase
    page = PageSpec(
        heading=f"Station {number}: {where}",
        paragraphs=(f"{watcher} kept watch {where}. The weather was {weather}.",),
        table=(("Seen", "Number"), *((get_concept(name).plural.capitalize(), str(n)) for name, n in counts.items())),
        picture=scene,
        notes=(f"The picture was taken at station {number} {'at night' if scene.night else 'by day'}.",),
    )
    return page, Sighting(number, watcher, weather, scene.place, counts, visible_counts)
