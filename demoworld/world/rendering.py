"""Scene rendering: pixels, and an instance mask of which thing covers each pixel.

Backdrops and scaled sprites are cached, so that a frame costs a copy and a few small blends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from demoworld.canvas import load_built_in_font
from demoworld.world.concepts import CELL_PX, SPRITE_COLUMNS, concept_index
from demoworld.world.places import darken_to_night, paint_backdrop
from demoworld.world.scene import Scene, Sign, Thing
from indexer.types import Pixels

_OPAQUE_MIN_ALPHA = 128
_SMALL_SPRITE_MAX_AREA_PX = 64 * 64
InstanceMask = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Sprite:
    """A premultiplied sprite.

    Colour times opacity `[h, w, 3]`, transmittance `[h, w, 1]` of 256, and the mask of opaque pixels `[h, w]`.
    """

    colour: NDArray[np.uint16]
    transmittance: NDArray[np.uint16]
    opaque: NDArray[np.bool_]

    @classmethod
    def from_image(cls, picture: Image.Image) -> Sprite:
        """Build a sprite from an RGBA picture."""
        pixels = np.asarray(picture).astype(np.uint16)
        alpha = pixels[..., 3:]
        return cls(pixels[..., :3] * alpha // 255, (255 - alpha) * 256 // 255, alpha[..., 0] >= _OPAQUE_MIN_ALPHA)


def render_scene(scene: Scene, width: int, height: int) -> Pixels:
    """Render a scene as `[height, width, 3]`; another aspect than the scene's squashes it, as encoders do."""
    picture = _cached_backdrop(scene.place, scene.night, scene.variant, width, height).copy()
    for thing in scene.things:
        _blend_sprite(picture, _sprite_for_thing(thing, scene, width, height), thing.x, thing.y)
    if scene.sign is not None:
        _blend_sprite(picture, _render_sign(scene.sign, scene.aspect, width, height), scene.sign.x, scene.sign.y)
    return picture


def render_instance_mask(scene: Scene, width: int, height: int) -> tuple[InstanceMask, list[float]]:
    """Render which thing covers each pixel, `[height, width]`, -1 for none, and each thing's visible share."""
    labels = np.full((height, width), -1, np.int16)
    whole = []
    for number, thing in enumerate(scene.things):
        sprite = _sprite_for_thing(thing, scene, width, height)
        cut = _clip_sprite(labels.shape, sprite, thing.x, thing.y)
        whole.append(int(sprite.opaque.sum()))
        if cut is not None:
            ground, part = cut
            labels[ground][sprite.opaque[part]] = number
    if scene.sign is not None:
        sprite = _render_sign(scene.sign, scene.aspect, width, height)
        if (cut := _clip_sprite(labels.shape, sprite, scene.sign.x, scene.sign.y)) is not None:
            labels[cut[0]][sprite.opaque[cut[1]]] = -1
    visible_shares = [int((labels == number).sum()) / max(1, whole[number]) for number in range(len(scene.things))]
    return labels, visible_shares


def _blend_sprite(picture: Pixels, sprite: Sprite, x: float, y: float) -> None:
    cut = _clip_sprite(picture.shape, sprite, x, y)
    if cut is None:
        return
    ground, part = cut
    picture[ground] = (picture[ground] * sprite.transmittance[part] >> 8) + sprite.colour[part]


def _clip_sprite(
    shape: tuple[int, ...], sprite: Sprite, x: float, y: float
) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Return the slices of the picture and of the sprite that overlap; None where it lies outside."""
    height, width = sprite.opaque.shape
    left, top = round(x * shape[1] - width / 2), round(y * shape[0] - height / 2)
    x0, x1, y0, y1 = max(0, left), min(shape[1], left + width), max(0, top), min(shape[0], top + height)
    if x0 >= x1 or y0 >= y1:
        return None
    return (slice(y0, y1), slice(x0, x1)), (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))


def _sprite_for_thing(thing: Thing, scene: Scene, width: int, height: int) -> Sprite:
    tall = max(2, round(thing.size * height))
    wide = max(2, round(thing.size * width / scene.aspect))
    return _cached_sprite(thing.concept, thing.flipped, scene.night, wide, tall)


@lru_cache(maxsize=4096)
def _cached_backdrop(place: str, night: bool, variant: int, width: int, height: int) -> Pixels:
    return paint_backdrop(place, night, variant, width, height)


def _cached_sprite(name: str, flipped: bool, night: bool, width: int, height: int) -> Sprite:
    load = _cached_small_sprite if width * height <= _SMALL_SPRITE_MAX_AREA_PX else _cached_large_sprite
    return load(name, flipped, night, width, height)


@lru_cache(maxsize=512)
def _cached_large_sprite(name: str, flipped: bool, night: bool, width: int, height: int) -> Sprite:
    return _scale_sprite(name, flipped, night, width, height)


@lru_cache(maxsize=20_000)
def _cached_small_sprite(name: str, flipped: bool, night: bool, width: int, height: int) -> Sprite:
    return _scale_sprite(name, flipped, night, width, height)


def _scale_sprite(name: str, flipped: bool, night: bool, width: int, height: int) -> Sprite:
    picture = _crop_sprite_cell(concept_index(name))
    if flipped:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    # premultiplied while it is resized: transparent pixels have no colour to lend to their neighbours
    small = picture.convert("RGBa").resize((width, height), Image.Resampling.BICUBIC).convert("RGBA")
    if night:
        dark = np.asarray(small).copy()
        dark[..., :3] = darken_to_night(dark[..., :3])
        small = Image.fromarray(dark)
    return Sprite.from_image(small)


@cache
def _load_sprite_sheet() -> Image.Image:
    with resources.files("demoworld.world").joinpath("data", "sprites.png").open("rb") as file:
        return Image.open(file).convert("RGBA")


def _crop_sprite_cell(number: int) -> Image.Image:
    left, top = number % SPRITE_COLUMNS * CELL_PX, number // SPRITE_COLUMNS * CELL_PX
    return _load_sprite_sheet().crop((left, top, left + CELL_PX, top + CELL_PX))


@lru_cache(maxsize=1024)
def _render_sign(sign: Sign, aspect: float, width: int, height: int) -> Sprite:
    nominal = 400
    tall = round(sign.height * nominal)
    font = load_built_in_font(round(tall * 0.6))
    left, top, right, bottom = font.getbbox(sign.text)
    board = Image.new("RGBA", (round(right - left + tall * 0.6), tall), "#fbfbf7")
    pen = ImageDraw.Draw(board)
    pen.rectangle((0, 0, board.width - 1, board.height - 1), outline="#20242a", width=max(2, tall // 16))
    pen.text(((board.width - (right - left)) / 2 - left, (tall - (bottom - top)) / 2 - top), sign.text, "#101418", font)
    size = (round(board.width / nominal * width / aspect), round(sign.height * height))
    return Sprite.from_image(board.resize((max(2, size[0]), max(2, size[1])), Image.Resampling.BICUBIC))
