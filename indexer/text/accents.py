"""Folding of accents, so that words are found without them."""

from __future__ import annotations

import unicodedata


def unaccented(text: str) -> str:
    """Return a text without accents and other marks, in compatibility decomposition (NFKD)."""
    return strip_marks(unicodedata.normalize("NFKD", text))


def strip_marks(text: str) -> str:
    """Return a text without combining marks."""
    return text if text.isascii() else "".join(c for c in text if not unicodedata.category(c).startswith("M"))
