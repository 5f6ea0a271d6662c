"""Photos of the sample archive that show text: labels, a receipt, a whiteboard, signs and a badge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from PIL import ExifTags, Image

from demoworld.camera import Pose, photograph, render_surface
from demoworld.canvas import TextCanvas
from demoworld.truth import Fact
from indexer.types import AssetKind

PhotoLook: TypeAlias = Literal["label", "receipt", "whiteboard", "door_sign", "badge", "street_sign"]

_EXIF_UPRIGHT, _EXIF_ROTATE_90 = 1, 6


@dataclass(frozen=True, slots=True)
class PhotoLine:
    """One line of text, in letters of `size` pixels; a tab separates what is set at the right edge."""

    text: str
    size: int


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo's content and how it was taken; sizes are width and height in pixels of the upright picture.

    The fields are the keys of `data/photos.toml`: `turn` is the rotation in degrees, `lean` the keystone share.
    """

    file: str
    look: PhotoLook
    seed: int
    size: tuple[int, int]
    sheet: tuple[int, int]
    turn: float
    lean: float
    taken: datetime
    lines: tuple[PhotoLine, ...]
    orientation: int = _EXIF_UPRIGHT


@dataclass(frozen=True, slots=True)
class PhotoStyle:
    """The look of one kind of sheet: colours, the text's left edge and top, and a function that draws decoration."""

    paper: str
    ink: str
    wall: tuple[int, int, int]
    left: int
    top: int
    decorate: Callable[[TextCanvas], None]


def write_photo(photo: Photo, root: Path) -> list[Fact]:
    """Render a photo below `root`, as JPEG or PNG by its name; returns the facts that can be read in it."""
    style = _STYLES[photo.look]
    canvas = TextCanvas(photo.sheet, style.paper)
    style.decorate(canvas)
    _write_lines(canvas, photo, style)
    wall = render_surface(photo.size, style.wall, photo.seed)
    picture, written = photograph(canvas, Pose(photo.turn, photo.lean), wall, photo.seed)
    save_photo(picture, photo.taken, root / photo.file, photo.orientation)
    stem = photo.file.rpartition(".")[0].replace("/", "-")
    return [
        Fact(f"{stem}-{number}", photo.file, AssetKind.IMAGE, "photo", words.text, box=words.normalize(*photo.size))
        for number, words in enumerate(written, start=1)
    ]


def _write_lines(canvas: TextCanvas, photo: Photo, style: PhotoStyle) -> None:
    space = canvas.height - style.top - sum(line.size for line in photo.lines)
    gap = space / (len(photo.lines) + 0.5)
    y = float(style.top)
    for line in photo.lines:
        item, _, price = line.text.partition("\t")
        if price:
            canvas.write_row((item, price), (style.left, canvas.width * 0.74), y, line.size, style.ink)
        else:
            canvas.write_line(item, (style.left, y), line.size, style.ink)
        y += line.size + gap


def save_photo(image: Image.Image, taken_at: datetime, path: Path, orientation: int = _EXIF_UPRIGHT) -> None:
    """Save an upright picture with EXIF time, stored as a camera held in `orientation` (EXIF 1 or 6) stores it."""
    exif = Image.Exif()
    stamp = taken_at.strftime("%Y:%m:%d %H:%M:%S")
    exif[ExifTags.Base.DateTime] = stamp
    exif[ExifTags.Base.Orientation] = orientation
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = stamp
    stored = image.transpose(Image.Transpose.ROTATE_90) if orientation == _EXIF_ROTATE_90 else image
    path.parent.mkdir(parents=True, exist_ok=True)
    stored.save(path, quality=90, exif=exif)


def _label(canvas: TextCanvas) -> None:
    width, height = canvas.width, canvas.height
    canvas.draw.rectangle((0, 0, width, 70), fill="#d9531e")
    canvas.draw.rectangle((0, height - 22, width, height), fill="#d9531e")
    for number in range(18):
        left = width - 185 + number * 8
        canvas.draw.rectangle((left, height - 150, left + 2 + number * 7 % 5, height - 60), fill="#202020")


def _receipt(canvas: TextCanvas) -> None:
    for y in range(0, canvas.height, 3):
        canvas.draw.line((0, y, canvas.width, y), fill="#f4f2ea")
    for x in range(0, canvas.width, 22):
        canvas.draw.polygon(((x, canvas.height), (x + 11, canvas.height - 12), (x + 22, canvas.height)), fill="#8a7660")
    for x in range(40, canvas.width - 40, 18):
        canvas.draw.line((x, 36, x + 9, 36), fill="#606060", width=2)


def _whiteboard(canvas: TextCanvas) -> None:
    canvas.draw.rectangle((0, 0, canvas.width - 1, canvas.height - 1), outline="#a8abb0", width=24)
    canvas.draw.rectangle((440, canvas.height - 24, 760, canvas.height - 4), fill="#707378")
    for number, colour in enumerate(("#c23b22", "#1e7d3c", "#20419a")):
        canvas.draw.rectangle(
            (460 + number * 90, canvas.height - 34, 530 + number * 90, canvas.height - 22), fill=colour
        )
    canvas.draw.arc((930, 560, 1130, 730), 200, 520, fill="#c23b22", width=7)
    canvas.draw.polygon(((950, 640), (1110, 640), (1080, 690), (980, 690)), outline="#20419a", width=6)


def _door_sign(canvas: TextCanvas) -> None:
    edge = (14, 14, canvas.width - 14, canvas.height - 14)
    canvas.draw.rounded_rectangle(edge, radius=30, outline="#f0f4f8", width=6)
    for x in (40, canvas.width - 40):
        for y in (40, canvas.height - 40):
            canvas.draw.ellipse((x - 11, y - 11, x + 11, y + 11), fill="#b8c0c8", outline="#5c6670")


def _badge(canvas: TextCanvas) -> None:
    canvas.draw.rectangle((0, 0, canvas.width, 34), fill="#14508c")
    canvas.draw.rounded_rectangle((canvas.width // 2 - 60, 8, canvas.width // 2 + 60, 24), radius=8, fill="#e8e8e8")
    canvas.draw.rectangle((600, 200, 780, 440), fill="#b9d3e6")
    canvas.draw.ellipse((645, 235, 735, 335), fill="#d8a888")
    canvas.draw.pieslice((612, 345, 768, 560), 180, 360, fill="#1c3c64")
    canvas.draw.rectangle((600, 441, 780, 560), fill="#ffffff")


def _street_sign(canvas: TextCanvas) -> None:
    canvas.draw.rectangle((10, 10, canvas.width - 11, canvas.height - 11), outline="#ffffff", width=8)
    middle = canvas.width - 170
    canvas.draw.ellipse((middle - 95, 230, middle + 95, 420), fill="#ffffff", outline="#c81e1e", width=24)
    canvas.draw.rectangle((middle - 44, 300, middle + 14, 345), fill="#202020")
    canvas.draw.rectangle((middle + 18, 315, middle + 46, 345), fill="#202020")
    for x in (middle - 26, middle + 26):
        canvas.draw.ellipse((x - 11, 338, x + 11, 360), fill="#202020")


_STYLES: dict[PhotoLook, PhotoStyle] = {
    "label": PhotoStyle("#faf6ea", "#1c1c1c", (96, 108, 104), 50, 115, _label),
    "receipt": PhotoStyle("#fbfaf5", "#303034", (138, 118, 96), 46, 70, _receipt),
    "whiteboard": PhotoStyle("#f8fafb", "#20419a", (186, 180, 168), 80, 80, _whiteboard),
    "door_sign": PhotoStyle("#1d4f72", "#ffffff", (150, 128, 100), 64, 80, _door_sign),
    "badge": PhotoStyle("#ffffff", "#14283c", (70, 84, 96), 50, 80, _badge),
    "street_sign": PhotoStyle("#14468c", "#ffffff", (150, 172, 190), 60, 60, _street_sign),
}
