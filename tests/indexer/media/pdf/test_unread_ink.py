"""Where a page shows text that its layer lacks."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from indexer.media.pdf.unread_ink import find_unread_regions
from indexer.types import Box, Pixels


def draw_page(*texts: tuple[int, int, int, str], paper: int = 255, ink: int = 0) -> Pixels:
    """Draw texts given as (x, y, font size, text) on a page of 1131 x 1600."""
    picture = Image.new("RGB", (1131, 1600), (paper, paper, paper))
    pen = ImageDraw.Draw(picture)
    for x, y, size, text in texts:
        pen.text((x, y), text, fill=(ink, ink, ink), font=ImageFont.load_default(size))
    return np.asarray(picture)


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (255, 150), (20, 230), (200, 90)])
@pytest.mark.parametrize("size", [14, 22, 40, 70])
def test_text_outside_of_the_lines_is_found_whole(size: int, paper: int, ink: int) -> None:
    text = "Error code E-7741 of a"
    picture = draw_page((200, 700, size, text), (200, 100, 22, "A line of the layer"), paper=paper, ink=ink)
    (region,) = find_unread_regions(picture, [Box(0.17, 0.06, 0.4, 0.08)])
    width = ImageFont.load_default(size).getlength(text) / 1131
    assert region.x0 < 0.177 and region.x1 > 200 / 1131 + width
    assert region.y0 < 700 / 1600 and region.y1 > (700 + size) / 1600
    assert (region.x1 - region.x0) * (region.y1 - region.y0) < 0.25


def test_a_page_whose_lines_cover_its_text_has_none() -> None:
    assert find_unread_regions(draw_page((200, 100, 22, "A line of the layer")), [Box(0.17, 0.06, 0.4, 0.08)]) == ()


def test_rules_frames_plain_areas_and_small_marks_are_no_text() -> None:
    picture = Image.fromarray(draw_page())
    pen = ImageDraw.Draw(picture)
    for i in range(12):
        pen.line([(100, 200 + 40 * i), (1000, 200 + 40 * i)], fill=0, width=2)
        pen.line([(100 + 80 * i, 200), (100 + 80 * i, 640)], fill=0, width=2)
    pen.rectangle([100, 800, 600, 1000], fill=(30, 80, 160))
    pen.rectangle([700, 800, 730, 830], fill=0)
    pen.ellipse([700, 1000, 900, 1200], outline=0, width=3)
    pen.text((100, 1300), "17", fill=0, font=ImageFont.load_default(22))
    assert find_unread_regions(np.asarray(picture), []) == ()


def test_lines_of_one_paragraph_are_one_region_and_regions_do_not_overlap() -> None:
    lines = [(100, 300 + 30 * i, 22, "a paragraph that was drawn as a picture") for i in range(5)]
    regions = find_unread_regions(draw_page(*lines, (100, 1200, 22, "and another one below it")), [])
    assert len(regions) == 2
    assert regions[0].y1 < regions[1].y0


def test_very_many_regions_are_read_as_one() -> None:
    spots = [(100 + 500 * (i % 2), 50 + 100 * (i // 2), 18, "a lonely label here") for i in range(28)]
    (region,) = find_unread_regions(draw_page(*spots), [])
    assert region.y1 - region.y0 > 0.8
