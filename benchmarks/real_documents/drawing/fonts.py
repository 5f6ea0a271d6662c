"""Fonts of drawn sheets, from Debian packages, so that every machine draws the same."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from reportlab.pdfbase.pdfmetrics import getRegisteredFontNames, registerFont
from reportlab.pdfbase.ttfonts import TTFont

from benchmarks.real_documents.packages import fetch_package

Family = Literal["sans", "serif", "mono", "korean", "japanese"]

_LIBERATION = "usr/share/fonts/truetype/liberation/Liberation"
_NANUM = "usr/share/fonts/truetype/nanum/NanumGothic"
_FILES: dict[Family, tuple[str, str, str]] = {
    "sans": ("fonts-liberation", f"{_LIBERATION}Sans-Regular.ttf", f"{_LIBERATION}Sans-Bold.ttf"),
    "serif": ("fonts-liberation", f"{_LIBERATION}Serif-Regular.ttf", f"{_LIBERATION}Serif-Bold.ttf"),
    "mono": ("fonts-liberation", f"{_LIBERATION}Mono-Regular.ttf", f"{_LIBERATION}Mono-Bold.ttf"),
    "korean": ("fonts-nanum", f"{_NANUM}.ttf", f"{_NANUM}Bold.ttf"),
    "japanese": (
        "fonts-ipaexfont-gothic",
        "usr/share/fonts/opentype/ipaexfont-gothic/ipaexg.ttf",
        "usr/share/fonts/opentype/ipaexfont-gothic/ipaexg.ttf",
    ),
}


def register_font(family: Family, bold: bool, cache: Path) -> str:
    """Make a font known to reportlab; returns its name there. Errors: BedError where its package cannot be fetched."""
    name = f"{family}-bold" if bold else family
    if name not in getRegisteredFontNames():
        package, plain, heavy = _FILES[family]
        registerFont(TTFont(name, fetch_package(package, cache) / (heavy if bold else plain)))
    return name
