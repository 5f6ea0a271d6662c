"""A scene's pixels, and which thing every pixel belongs to.

Backdrops and sprites are kept at the sizes they were needed in, so that a frame costs a copy and a few small blends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from demoworld.sheet import built_in_font
from demoworld.world.concepts import CELL_PX, COLUMNS, number_of
from demoworld.world.places import at_night, backdrop
from demoworld.world.scene import Scene, Sign, Thing
from indexer.types import Pixels

_SOLID = 128
_SMALL_PX = 64 * 64
Labels = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Sprite:
    """Pixels to lay over others: colour times opacity `[h, w, 3]`, what is kept of the ground `[h, w, 1]` of 256."""

    colour: NDArray[np.uint16]
    kept: NDArray[np.uint16]
    solid: NDArray[np.bool_]

    @classmethod
    def of(cls, picture: Image.Image) -> Sprite:
        """From an RGBA picture."""
        pixels = np.asarray(picture).astype(np.uint16)
        alpha = pixels[..., 3:]
        return cls(pixels[..., :3] * alpha // 255, (255 - alpha) * 256 // 255, alpha[..., 0] >= _SOLID)


def draw(scene: Scene, width: int, height: int) -> Pixels:
    """The scene as `[height, width, 3]`; a grid of another aspect than the scene's squashes it, as encoders do."""
    picture = _backdrop(scene.place, scene.night, scene.variant, width, height).copy()
    for thing in scene.things:
        _lay(picture, _sprite_of(thing, scene, width, height), thing.x, thing.y)
    if scene.sign is not None:
        _lay(picture, _board(scene.sign, scene.aspect, width, height), scene.sign.x, scene.sign.y)
    return picture


def label(scene: Scene, width: int, height: int) -> tuple[Labels, list[float]]:
    """Which thing covers every pixel, `[height, width]`, -1 for none; and of each thing, the share that is seen."""
    labels = np.full((height, width), -1, np.int16)
    whole = []
    for number, thing in enumerate(scene.things):
        sprite = _sprite_of(thing, scene, width, height)
        cut = _window(labels.shape, sprite, thing.x, thing.y)
        whole.append(int(sprite.solid.sum()))
        if cut is not None:
            ground, part = cut
            labels[ground][sprite.solid[part]] = number
    if scene.sign is not None:
        sprite = _board(scene.sign, scene.aspect, width, height)
        if (cut := _window(labels.shape, sprite, scene.sign.x, scene.sign.y)) is not None:
            labels[cut[0]][sprite.solid[cut[1]]] = -1
    seen = [int((labels == number).sum()) / max(1, whole[number]) for number in range(len(scene.things))]
    return labels, seen


def _lay(picture: Pixels, sprite: Sprite, x: float, y: float) -> None:
    cut = _window(picture.shape, sprite, x, y)
    if cut is None:
        return
    ground, part = cut
    picture[ground] = (picture[ground] * sprite.kept[part] >> 8) + sprite.colour[part]


def _window(
    shape: tuple[int, ...], sprite: Sprite, x: float, y: float
) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Where the sprite lies on the picture, and which part of it; None where it lies outside."""
    height, width = sprite.solid.shape
    left, top = round(x * shape[1] - width / 2), round(y * shape[0] - height / 2)
    x0, x1, y0, y1 = max(0, left), min(shape[1], left + width), max(0, top), min(shape[0], top + height)
    if x0 >= x1 or y0 >= y1:
        return None
    return (slice(y0, y1), slice(x0, x1)), (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))


def _sprite_of(thing: Thing, scene: Scene, width: int, height: int) -> Sprite:
    tall = max(2, round(thing.size * height))
    wide = max(2, round(thing.size * width / scene.aspect))
    return _sprite(thing.concept, thing.flipped, scene.night, wide, tall)


@lru_cache(maxsize=4096)
def _backdrop(place: str, night: bool, variant: int, width: int, height: int) -> Pixels:
    return backdrop(place, night, variant, width, height)


def _sprite(name: str, flipped: bool, night: bool, width: int, height: int) -> Sprite:
    kept = _small_sprite if width * height <= _SMALL_PX else _large_sprite
    return kept(name, flipped, night, width, height)


@lru_cache(maxsize=512)
def _large_sprite(name: str, flipped: bool, night: bool, width: int, height: int) -> Sprite:
    return _new_sprite(name, flipped, night, width, height)


@lru_cache(maxsize=20_000)
def _small_sprite(name: str, flipped: bool, night: bool, width: int, height: int) -> Sprite:
    return _new_sprite(name, flipped, night, width, height)


def _new_sprite(name: str, flipped: bool, night: bool, width: int, height: int) -> Sprite:
    picture = _cell(number_of(name))
    if flipped:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    # premultiplied while it is resized: transparent pixels have no colour to lend to their neighbours
    small = picture.convert("RGBa").resize((width, height), Image.Resampling.BICUBIC).convert("RGBA")
    if night:
        dark = np.asarray(small).copy()
        dark[..., :3] = at_night(dark[..., :3])
        small = Image.fromarray(dark)
    return Sprite.of(small)


@cache
def _sheet() -> Image.Image:
    with resources.files("demoworld.world").joinpath("data", "sprites.png").open("rb") as file:
        return Image.open(file).convert("RGBA")


def _cell(number: int) -> Image.Image:
    left, top = number % COLUMNS * CELL_PX, number // COLUMNS * CELL_PX
    return _sheet().crop((left, top, left + CELL_PX, top + CELL_PX))


@lru_cache(maxsize=1024)
def _board(sign: Sign, aspect: float, width: int, height: int) -> Sprite:
    nominal = 400
    tall = round(sign.height * nominal)
    font = built_in_font(round(tall * 0.6))
    left, top, right, bottom = font.getbbox(sign.text)
    board = Image.new("RGBA", (round(right - left + tall * 0.6), tall), "#fbfbf7")
    pen = ImageDraw.Draw(board)
    pen.rectangle((0, 0, board.width - 1, board.height - 1), outline="#20242a", width=max(2, tall // 16))
    pen.text(((board.width - (right - left)) / 2 - left, (tall - (bottom - top)) / 2 - top), sign.text, "#101418", font)
    size = (round(board.width / nominal * width / aspect), round(sign.height * height))
    return Sprite.of(board.resize((max(2, size[0]), max(2, size[1])), Image.Resampling.BICUBIC))
