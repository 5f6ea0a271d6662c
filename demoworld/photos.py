"""Photos with text: labels, a receipt, a whiteboard, signs and a badge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from PIL import ExifTags, Image

from demoworld.camera import Pose, photograph, surface
from demoworld.sheet import Sheet
from demoworld.truth import Fact
from indexer.types import AssetKind

Look: TypeAlias = Literal["label", "receipt", "whiteboard", "door_sign", "badge", "street_sign"]

_UPRIGHT, _TURN_RIGHT = 1, 6


@dataclass(frozen=True, slots=True)
class Line:
    """One line on the sheet, in letters of `size` pixels; a tab stands before what is set at the right edge."""

    text: str
    size: int


@dataclass(frozen=True, slots=True)
class Photo:
    """What is in the picture and how it was taken; sizes are width and height in pixels of the upright picture."""

    file: str
    look: Look
    seed: int
    size: tuple[int, int]
    sheet: tuple[int, int]
    turn: float
    lean: float
    taken: datetime
    lines: tuple[Line, ...]
    orientation: int = _UPRIGHT


@dataclass(frozen=True, slots=True)
class Style:
    """How one kind of sheet looks: its colours, the left edge and top of its text, and what else is drawn on it."""

    paper: str
    ink: str
    wall: tuple[int, int, int]
    left: int
    top: int
    decorate: Callable[[Sheet], None]


def take(photo: Photo, root: Path) -> list[Fact]:
    """Draw a photo, write it below `root` as JPEG or PNG by its name, and say what can be read in it."""
    style = _STYLES[photo.look]
    sheet = Sheet(photo.sheet, style.paper)
    style.decorate(sheet)
    _letter(sheet, photo, style)
    wall = surface(photo.size, style.wall, photo.seed)
    picture, written = photograph(sheet, Pose(photo.turn, photo.lean), wall, photo.seed)
    save_photo(picture, photo.taken, root / photo.file, photo.orientation)
    stem = photo.file.rpartition(".")[0].replace("/", "-")
    return [
        Fact(f"{stem}-{number}", photo.file, AssetKind.IMAGE, "photo", words.text, box=words.box(*photo.size))
        for number, words in enumerate(written, start=1)
    ]


def _letter(sheet: Sheet, photo: Photo, style: Style) -> None:
    space = sheet.height - style.top - sum(line.size for line in photo.lines)
    gap = space / (len(photo.lines) + 0.5)
    y = float(style.top)
    for line in photo.lines:
        item, _, price = line.text.partition("\t")
        if price:
            sheet.row((item, price), (style.left, sheet.width * 0.74), y, line.size, style.ink)
        else:
            sheet.write(item, (style.left, y), line.size, style.ink)
        y += line.size + gap


def save_photo(picture: Image.Image, taken: datetime, path: Path, orientation: int = _UPRIGHT) -> None:
    """Write an upright picture by its file's name, as a camera does that was held in `orientation` (EXIF 1 or 6)."""
    exif = Image.Exif()
    stamp = taken.strftime("%Y:%m:%d %H:%M:%S")
    exif[ExifTags.Base.DateTime] = stamp
    exif[ExifTags.Base.Orientation] = orientation
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = stamp
    stored = picture.transpose(Image.Transpose.ROTATE_90) if orientation == _TURN_RIGHT else picture
    path.parent.mkdir(parents=True, exist_ok=True)
    stored.save(path, quality=90, exif=exif)


def _label(sheet: Sheet) -> None:
    width, height = sheet.width, sheet.height
    sheet.draw.rectangle((0, 0, width, 70), fill="#d9531e")
    sheet.draw.rectangle((0, height - 22, width, height), fill="#d9531e")
    for number in range(18):
        left = width - 185 + number * 8
        sheet.draw.rectangle((left, height - 150, left + 2 + number * 7 % 5, height - 60), fill="#202020")


def _receipt(sheet: Sheet) -> None:
    for y in range(0, sheet.height, 3):
        sheet.draw.line((0, y, sheet.width, y), fill="#f4f2ea")
    for x in range(0, sheet.width, 22):
        sheet.draw.polygon(((x, sheet.height), (x + 11, sheet.height - 12), (x + 22, sheet.height)), fill="#8a7660")
    for x in range(40, sheet.width - 40, 18):
        sheet.draw.line((x, 36, x + 9, 36), fill="#606060", width=2)


def _whiteboard(sheet: Sheet) -> None:
    sheet.draw.rectangle((0, 0, sheet.width - 1, sheet.height - 1), outline="#a8abb0", width=24)
    sheet.draw.rectangle((440, sheet.height - 24, 760, sheet.height - 4), fill="#707378")
    for number, colour in enumerate(("#c23b22", "#1e7d3c", "#20419a")):
        sheet.draw.rectangle((460 + number * 90, sheet.height - 34, 530 + number * 90, sheet.height - 22), fill=colour)
    sheet.draw.arc((930, 560, 1130, 730), 200, 520, fill="#c23b22", width=7)
    sheet.draw.polygon(((950, 640), (1110, 640), (1080, 690), (980, 690)), outline="#20419a", width=6)


def _door_sign(sheet: Sheet) -> None:
    edge = (14, 14, sheet.width - 14, sheet.height - 14)
    sheet.draw.rounded_rectangle(edge, radius=30, outline="#f0f4f8", width=6)
    for x in (40, sheet.width - 40):
        for y in (40, sheet.height - 40):
            sheet.draw.ellipse((x - 11, y - 11, x + 11, y + 11), fill="#b8c0c8", outline="#5c6670")


def _badge(sheet: Sheet) -> None:
    sheet.draw.rectangle((0, 0, sheet.width, 34), fill="#14508c")
    sheet.draw.rounded_rectangle((sheet.width // 2 - 60, 8, sheet.width // 2 + 60, 24), radius=8, fill="#e8e8e8")
    sheet.draw.rectangle((600, 200, 780, 440), fill="#b9d3e6")
    sheet.draw.ellipse((645, 235, 735, 335), fill="#d8a888")
    sheet.draw.pieslice((612, 345, 768, 560), 180, 360, fill="#1c3c64")
    sheet.draw.rectangle((600, 441, 780, 560), fill="#ffffff")


def _street_sign(sheet: Sheet) -> None:
    sheet.draw.rectangle((10, 10, sheet.width - 11, sheet.height - 11), outline="#ffffff", width=8)
    middle = sheet.width - 170
    sheet.draw.ellipse((middle - 95, 230, middle + 95, 420), fill="#ffffff", outline="#c81e1e", width=24)
    sheet.draw.rectangle((middle - 44, 300, middle + 14, 345), fill="#202020")
    sheet.draw.rectangle((middle + 18, 315, middle + 46, 345), fill="#202020")
    for x in (middle - 26, middle + 26):
        sheet.draw.ellipse((x - 11, 338, x + 11, 360), fill="#202020")


_STYLES: dict[Look, Style] = {
    "label": Style("#faf6ea", "#1c1c1c", (96, 108, 104), 50, 115, _label),
    "receipt": Style("#fbfaf5", "#303034", (138, 118, 96), 46, 70, _receipt),
    "whiteboard": Style("#f8fafb", "#20419a", (186, 180, 168), 80, 80, _whiteboard),
    "door_sign": Style("#1d4f72", "#ffffff", (150, 128, 100), 64, 80, _door_sign),
    "badge": Style("#ffffff", "#14283c", (70, 84, 96), 50, 80, _badge),
    "street_sign": Style("#14468c", "#ffffff", (150, 172, 190), 60, 60, _street_sign),
}
