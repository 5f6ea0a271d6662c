"""Write the sample archive of an invented ferry company: videos, photos, documents and `truth.json`.

`truth.json` is the archive's ground truth. `python -m demoworld.archive FOLDER`, offline; the same library versions
give the same bytes.
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

from demoworld.photos import Photo, write_photo
from demoworld.scanned_pdfs import write_scanned_pdf
from demoworld.text_pdfs import DocumentSpec, write_text_pdf
from demoworld.truth import Fact, write_truth
from demoworld.video_encoding import Film, write_mp4, write_webm

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PhotoAlbum:
    """The photos of the sample archive, as `data/photos.toml` lists them."""

    photos: tuple[Photo, ...]


def make_archive(folder: Path) -> list[Path]:
    """Write the sample archive into a folder, creating it if needed and replacing files of the same name.

    Returns the sorted paths of the files to index; subtitle files and `truth.json` are written too, but not returned.
    Takes about ten seconds on two cores. Errors: OSError where a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = list(_write_media(folder))
    write_truth(folder, facts)
    return sorted({folder / fact.file for fact in facts})


def _write_media(folder: Path) -> Iterator[Fact]:
    film = load_data("welcome_aboard.toml", Film)
    yield from write_mp4(film, folder)
    _set_file_date(folder / film.file, film.date)
    film = load_data("slipway_2022.toml", Film)
    yield from write_webm(film, folder)
    _set_file_date(folder / film.file, film.date)
    for photo in load_data("photos.toml", PhotoAlbum).photos:
        yield from write_photo(photo, folder)
        _set_file_date(folder / photo.file, photo.taken.date())
    for name in ("staff_handbook.toml", "annual_report_2023.toml"):
        paper = load_data(name, DocumentSpec)
        yield from write_text_pdf(paper, folder)
        _set_file_date(folder / paper.file, paper.date)
    letter = load_data("inspection_letter_1978.toml", DocumentSpec)
    yield from write_scanned_pdf(letter, folder)
    _set_file_date(folder / letter.file, letter.date)


def load_data(file_name: str, data_type: type[T]) -> T:
    """Read a TOML file of `data/` as a dataclass. Errors: msgspec.ValidationError where it has another shape."""
    text = resources.files("demoworld").joinpath("data", file_name).read_bytes()
    return msgspec.toml.decode(text, type=data_type)


def _set_file_date(path: Path, day: date) -> None:
    """Set a file's modification time to noon of a day, so that filters by file date have something to select."""
    noon = datetime.combine(day, time(12), tzinfo=UTC).timestamp()
    os.utime(path, (noon, noon))


def main() -> None:
    """Run the command line: one argument, the target folder."""
    parser = argparse.ArgumentParser(prog="python -m demoworld.archive", description="Write the demo archive.")
    parser.add_argument("folder", type=Path, help="the target folder; created if missing")
    folder: Path = parser.parse_args().folder
    paths = make_archive(folder)
    print(f"{len(paths)} files in {folder}")  # noqa: T201 - the command's output


if __name__ == "__main__":
    main()
