"""Pictures, evidence and a generator for tests of the OneVision adapter."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.types import AssetKind, Lane, Origin, PictureRef, Segment
from services.catalog.types import Asset
from services.generators.onevision.generator import OneVisionGenerator
from services.generators.types import Evidence
from services.search.types import RetrievedSegment


def make_pictures(count: int, height: int = 40, width: int = 64, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Return seeded pictures of coarse noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (count, height // 8, width // 8, 3), np.uint8)
    return list(coarse.repeat(8, 1).repeat(8, 2))


FILM = Asset("f" * 64, "v", AssetKind.VIDEO, "film.mp4", 900.0, None, 640, 360, 0.0, 1, 1, (), 0.0)
PAPER = replace(FILM, asset_id="d" * 64, kind=AssetKind.DOCUMENT, name="paper.pdf", duration_s=None, pages=9)
PHOTO = replace(FILM, asset_id="a" * 64, kind=AssetKind.IMAGE, name="photo.jpg", duration_s=None)
BUDGET, MAX_NEW_TOKENS = 2600, 8


def _encode_jpeg(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(make_pictures(1, 96, 168, seed=number)[0]).save(buffer, "JPEG")
    return buffer.getvalue()


PICTURES = {PictureRef(f"{number}.jpegs", 0, 9): _encode_jpeg(number) for number in range(12)}


def make_evidence(
    name: str,
    number: int,
    asset: Asset = FILM,
    text: str = "",
    tokens: np.ndarray | None = None,
    with_picture: bool = True,
) -> Evidence:
    """Return a piece of evidence, ten seconds after that of the number before."""
    start_s = 10.0 * number if asset is FILM else None
    end_s = None if start_s is None else start_s + 10
    picture = list(PICTURES)[number] if with_picture else None
    page = number if asset is PAPER else None
    segment = Segment(number, Origin.PICTURE, start_s, end_s, page, None, text, (), picture)
    return Evidence(name, RetrievedSegment(asset, segment, 0.8, {Lane.VISUAL: 0.8}, 0.1), tokens)


def make_slots(count: int, seed: int = 0) -> list[Evidence]:
    """Return slots of a memory with seeded tokens."""
    rng = np.random.default_rng(seed)
    return [make_evidence(f"M{n + 1}", n, tokens=rng.standard_normal((4, 32), np.float32)) for n in range(count)]


def make_generator(folder: Path, **settings: int) -> OneVisionGenerator:
    """Return a generator on the model in a folder."""
    limits = {"max_prompt_tokens": BUDGET, "max_output_tokens": MAX_NEW_TOKENS} | settings
    return OneVisionGenerator(f"local-dir:{folder}", PICTURES.__getitem__, **limits)  # type: ignore[arg-type]
