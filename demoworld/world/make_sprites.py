"""Render the sprite sheet from the emoji font; run once, by hand: `python -m demoworld.world.make_sprites FONT`.

The font is Noto Color Emoji (Debian: fonts-noto-color-emoji), SIL Open Font License; the sheet is under the same
licence, `data/OFL.txt`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from demoworld.world.concepts import CELL_PX, SPRITE_COLUMNS, load_concepts

_BITMAP_SIZE_PX = 109
"""The only size that the font's bitmaps have."""


def make_sprites(font_file: Path, target: Path) -> None:
    """Write the sheet: one square cell for each concept, in order, with the glyph cropped and fitted to the cell.

    Errors: OSError where the font cannot be read; ValueError for a glyph that it lacks.
    """
    font = ImageFont.truetype(str(font_file), _BITMAP_SIZE_PX)
    rows = -(-len(load_concepts()) // SPRITE_COLUMNS)
    sheet = Image.new("RGBA", (SPRITE_COLUMNS * CELL_PX, rows * CELL_PX))
    for number, concept in enumerate(load_concepts()):
        glyph = _draw_glyph(concept.emoji, font)
        glyph.thumbnail((CELL_PX, CELL_PX), Image.Resampling.LANCZOS)
        left, top = number % SPRITE_COLUMNS * CELL_PX, number // SPRITE_COLUMNS * CELL_PX
        sheet.paste(glyph, (left + (CELL_PX - glyph.width) // 2, top + (CELL_PX - glyph.height) // 2))
    sheet.save(target, optimize=True)


def _draw_glyph(emoji: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    canvas = Image.new("RGBA", (2 * _BITMAP_SIZE_PX, 2 * _BITMAP_SIZE_PX))
    ImageDraw.Draw(canvas).text((20, 20), emoji, font=font, embedded_color=True)
    ink = canvas.getchannel("A").getbbox()
    if ink is None:
        raise ValueError(f"the font has no glyph for {emoji!r}")
    return canvas.crop(ink)


if __name__ == "__main__":
    make_sprites(Path(sys.argv[1]), Path(__file__).parent / "data" / "sprites.png")
