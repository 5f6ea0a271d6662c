"""Makes the archive of an invented ferry company: films, photos and papers, and `truth.json`, which knows it all.

`python -m demoworld.archive FOLDER` writes it; the same bytes each time with the same library versions, offline.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from importlib import resources
from pathlib import Path
from typing import TypeVar

import msgspec

from demoworld.film import Film, shoot_mp4, shoot_webm
from demoworld.papers import Paper, print_paper
from demoworld.photos import Photo, take
from demoworld.scans import scan_paper
from demoworld.truth import Fact, write_truth

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Album:
    """The photos of the archive."""

    photos: tuple[Photo, ...]


def make_archive(folder: Path) -> list[Path]:
    """Write the archive into a folder, which is made where it is missing; files of the same name are replaced.

    Gives the paths of all files that an indexer is meant to take, sorted; subtitles beside a video and `truth.json`
    are written too but not named. Takes some ten seconds on two cores. Errors: OSError where a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = list(_facts(folder))
    write_truth(folder, facts)
    return sorted({folder / fact.file for fact in facts})


def _facts(folder: Path) -> Iterator[Fact]:
    film = load("welcome_aboard.toml", Film)
    yield from shoot_mp4(film, folder)
    _date(folder / film.file, film.date)
    film = load("slipway_2022.toml", Film)
    yield from shoot_webm(film, folder)
    _date(folder / film.file, film.date)
    for photo in load("photos.toml", Album).photos:
        yield from take(photo, folder)
        _date(folder / photo.file, photo.taken.date())
    for name in ("staff_handbook.toml", "annual_report_2023.toml"):
        paper = load(name, Paper)
        yield from print_paper(paper, folder)
        _date(folder / paper.file, paper.date)
    letter = load("inspection_letter_1978.toml", Paper)
    yield from scan_paper(letter, folder)
    _date(folder / letter.file, letter.date)


def load(name: str, shape: type[T]) -> T:
    """Read what the archive says from `data/`; raises msgspec.ValidationError where a file is of another shape."""
    text = resources.files("demoworld").joinpath("data", name).read_bytes()
    return msgspec.toml.decode(text, type=shape)


def _date(path: Path, day: date) -> None:
    """Give a file the date of its story, so that filters by file date have something to find."""
    noon = datetime.combine(day, time(12), tzinfo=UTC).timestamp()
    os.utime(path, (noon, noon))


def main() -> None:
    """The command: one argument, the folder."""
    parser = argparse.ArgumentParser(prog="python -m demoworld.archive", description="Write the demo archive.")
    parser.add_argument("folder", type=Path, help="where to write it; made where it is missing")
    folder: Path = parser.parse_args().folder
    made = make_archive(folder)
    print(f"{len(made)} files in {folder}")  # noqa: T201 - the command's answer


if __name__ == "__main__":
    main()
