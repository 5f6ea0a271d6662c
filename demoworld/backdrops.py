"""Backgrounds of the sample videos' slides; each function paints one whole canvas."""

from __future__ import annotations

import math

from demoworld.canvas import TextCanvas


def paint_sunrise(canvas: TextCanvas) -> None:
    """Paint sea and sky at sunset, with space for a title above."""
    _paint_gradient(canvas, (16, 34, 72), (214, 120, 72), canvas.height - 110)
    x, y = canvas.width * 0.78, canvas.height - 120
    canvas.draw.ellipse((x - 60, y - 60, x + 60, y + 60), fill="#ffd27a")
    _paint_sea(canvas, 110, "#123a5c")


def paint_morning(canvas: TextCanvas) -> None:
    """Paint a pale sky above a green shore with a lighthouse."""
    _paint_gradient(canvas, (196, 222, 236), (246, 244, 226), canvas.height - 110)
    canvas.draw.ellipse((620, 300, 1040, 560), fill="#4f8a54")
    canvas.draw.rectangle((720, 262, 740, 330), fill="#f4f4f4")
    canvas.draw.polygon(((714, 264), (746, 264), (730, 242)), fill="#c23b22")
    _paint_sea(canvas, 110, "#2f7fa8")


def paint_departures(canvas: TextCanvas) -> None:
    """Paint a black departures board with rails between the rows."""
    _paint_gradient(canvas, (60, 64, 70), (36, 38, 42), canvas.height)
    canvas.draw.rectangle((30, 24, canvas.width - 30, canvas.height - 24), fill="#0c0d0f", outline="#7c8084", width=6)
    for y in range(120, canvas.height - 60, 64):
        canvas.draw.line((50, y, canvas.width - 50, y), fill="#34373b", width=2)


def paint_warning(canvas: TextCanvas) -> None:
    """Paint a yellow warning board with a striped edge and a triangle."""
    for x in range(-canvas.height, canvas.width, 56):
        stripe = ((x, canvas.height), (x + canvas.height, 0), (x + canvas.height + 28, 0), (x + 28, canvas.height))
        canvas.draw.polygon(stripe, fill="#1c1c1c")
    canvas.draw.rectangle((34, 34, canvas.width - 34, canvas.height - 34), fill="#f7cf2e")
    canvas.draw.polygon(((700, 300), (620, 430), (780, 430)), fill="#f7cf2e", outline="#1c1c1c", width=10)
    canvas.draw.rectangle((694, 345, 706, 390), fill="#1c1c1c")
    canvas.draw.ellipse((693, 398, 707, 412), fill="#1c1c1c")


def paint_sea_chart(canvas: TextCanvas) -> None:
    """Paint a sea chart: the mainland, two islands, three rocks, a dashed route."""
    _paint_gradient(canvas, (168, 206, 226), (120, 172, 204), canvas.height)
    for x in range(0, canvas.width, 122):
        canvas.draw.line((x, 0, x, canvas.height), fill="#9cc2d8")
    for y in range(0, canvas.height, 96):
        canvas.draw.line((0, y, canvas.width, y), fill="#9cc2d8")
    canvas.draw.polygon(((0, 110), (130, 160), (190, 260), (150, 350), (0, 400)), fill="#d9cda0", outline="#8c7c50")
    canvas.draw.ellipse((560, 130, 790, 260), fill="#b9cf94", outline="#6c8450", width=3)
    canvas.draw.ellipse((500, 300, 620, 372), fill="#b9cf94", outline="#6c8450", width=3)
    for x, y in ((372, 252), (390, 268), (404, 250)):
        canvas.draw.ellipse((x, y, x + 12, y + 9), fill="#787878")
    for number in range(14):
        x, y = 196 + number * 26, 246 - number * 3
        canvas.draw.line((x, y, x + 14, y - 2), fill="#b02020", width=4)


def paint_emergency_sign(canvas: TextCanvas) -> None:
    """Paint a green assembly-point sign: three people and four arrows."""
    canvas.draw.rectangle((0, 0, canvas.width, canvas.height), fill="#d8d8d4")
    canvas.draw.rounded_rectangle((40, 40, canvas.width - 40, canvas.height - 40), radius=28, fill="#11784a")
    for x in (630, 680, 730):
        canvas.draw.ellipse((x - 16, 270, x + 16, 302), fill="#ffffff")
        canvas.draw.rounded_rectangle((x - 19, 308, x + 19, 384), radius=12, fill="#ffffff")
    for x, y, to_x, to_y in ((570, 230, 596, 256), (790, 230, 764, 256), (570, 424, 596, 398), (790, 424, 764, 398)):
        canvas.draw.line((x, y, to_x, to_y), fill="#ffffff", width=12)


def paint_locker(canvas: TextCanvas) -> None:
    """Paint an open cupboard with orange lifejackets in it."""
    _paint_gradient(canvas, (208, 206, 198), (150, 148, 142), canvas.height)
    canvas.draw.rectangle((470, 40, canvas.width - 40, canvas.height - 30), fill="#4a4e54", outline="#24262a", width=8)
    for row in range(2):
        for column in range(2):
            left, top = 505 + column * 150, 75 + row * 185
            canvas.draw.rounded_rectangle((left, top, left + 125, top + 155), radius=26, fill="#f0701c")
            canvas.draw.polygon(((left + 40, top), (left + 85, top), (left + 62, top + 60)), fill="#4a4e54")
            canvas.draw.line((left, top + 105, left + 125, top + 105), fill="#fafafa", width=12)


def paint_gauges(canvas: TextCanvas) -> None:
    """Paint a grey control stand with three dials."""
    _paint_gradient(canvas, (86, 96, 104), (52, 58, 64), canvas.height)
    for number in range(3):
        x, y = 190 + number * 237, 350
        canvas.draw.ellipse((x - 92, y - 92, x + 92, y + 92), fill="#f2f0e6", outline="#1c1e20", width=9)
        for step in range(11):
            angle = math.radians(150 + step * 24)
            inner = (x + 66 * math.cos(angle), y + 66 * math.sin(angle))
            outer = (x + 80 * math.cos(angle), y + 80 * math.sin(angle))
            canvas.draw.line((*inner, *outer), fill="#1c1e20", width=4)
        hand = math.radians(200 + number * 55)
        canvas.draw.line((x, y, x + 60 * math.cos(hand), y + 60 * math.sin(hand)), fill="#c81e1e", width=7)


def paint_radio_console(canvas: TextCanvas) -> None:
    """Paint a radio set with a speaker and knobs, below a sheet of paper."""
    _paint_gradient(canvas, (44, 60, 72), (24, 32, 40), canvas.height)
    canvas.draw.rectangle((50, 36, canvas.width - 50, 306), fill="#f1ecdc")
    canvas.draw.rounded_rectangle(
        (50, 340, canvas.width - 50, 456), radius=14, fill="#16181b", outline="#5c6268", width=4
    )
    for x in range(80, 300, 18):
        canvas.draw.line((x, 360, x, 436), fill="#4c5258", width=6)
    for x in (520, 620, 720):
        canvas.draw.ellipse((x - 34, 364, x + 34, 432), fill="#383d42", outline="#8c9298", width=4)
    canvas.draw.rectangle((340, 366, 460, 430), fill="#2c8c50")


def paint_chalkboard(canvas: TextCanvas) -> None:
    """Paint a framed chalkboard."""
    canvas.draw.rectangle((0, 0, canvas.width, canvas.height), fill="#8a5a30")
    canvas.draw.rectangle((26, 26, canvas.width - 26, canvas.height - 26), fill="#22352c")
    for y in range(60, canvas.height - 40, 46):
        canvas.draw.line((40, y, canvas.width - 40, y + 8), fill="#263b31", width=12)


def paint_ferry(canvas: TextCanvas, x: float) -> None:
    """Paint a small ferry on the lower edge, its stern at `x` pixels."""
    y = canvas.height - 62
    canvas.draw.polygon(((x, y), (x + 120, y), (x + 100, y + 30), (x + 14, y + 30)), fill="#b02a26")
    canvas.draw.rectangle((x + 18, y - 22, x + 92, y), fill="#fafafa")
    canvas.draw.rectangle((x + 48, y - 46, x + 66, y - 22), fill="#f0b428")
    for window in range(4):
        canvas.draw.rectangle((x + 24 + window * 17, y - 16, x + 33 + window * 17, y - 7), fill="#30485c")


def _paint_gradient(canvas: TextCanvas, top: tuple[int, int, int], bottom: tuple[int, int, int], height: int) -> None:
    for y in range(height):
        share = y / height
        colour = tuple(round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True))
        canvas.draw.line((0, y, canvas.width, y), fill=colour)


def _paint_sea(canvas: TextCanvas, depth: int, colour: str) -> None:
    canvas.draw.rectangle((0, canvas.height - depth, canvas.width, canvas.height), fill=colour)
    for row in range(3):
        y = canvas.height - depth + 14 + row * 32
        for x in range(-20 + row * 17, canvas.width, 60):
            canvas.draw.arc((x, y, x + 40, y + 16), 180, 360, fill="#d4e4ec", width=2)
