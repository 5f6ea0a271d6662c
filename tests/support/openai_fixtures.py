"""Evidence, pictures and a generator for tests of the OpenAI-compatible adapter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from indexer.media.jpeg import encode_jpeg
from indexer.types import AssetKind, Lane, Origin, PictureRef, Segment
from memory.types import Tokens
from services.catalog.types import Asset
from services.generators.openai_compatible.client import ChatClient
from services.generators.openai_compatible.generator import OpenAiCompatibleGenerator
from services.generators.openai_compatible.limits import TokenBudget
from services.generators.types import DraftSentence, Evidence
from services.search.types import RetrievedSegment
from tests.support.fake_vllm import FakeVllm, decode_jpegs

FILM = Asset("f" * 64, "v", AssetKind.VIDEO, "film.mp4", 900.0, None, 64, 48, 0.0, 1, 1, (), 0.0)
PAPER = replace(FILM, asset_id="d" * 64, kind=AssetKind.DOCUMENT, name="paper.pdf", duration_s=None, pages=9)
PHOTO = replace(FILM, asset_id="a" * 64, kind=AssetKind.IMAGE, name="cat.jpg", duration_s=None)
QUESTION = "What does the dog do?"
LIMITS = TokenBudget(max_prompt_tokens=20_000)
SHADES: dict[PictureRef, tuple[int, tuple[int, int]]] = {}


def grey_picture(shade: int, size: tuple[int, int] = (48, 64)) -> PictureRef:
    """Return a reference to a grey picture, which is recognized by its shade."""
    ref = PictureRef(f"{shade} {size}", 0, 1)
    SHADES[ref] = (shade, size)
    return ref


def load_jpeg(ref: PictureRef) -> bytes:
    """Return the stored JPEG of a grey picture."""
    shade, size = SHADES[ref]
    return encode_jpeg(np.full((*size, 3), shade, np.uint8), 1024)


def make_evidence(
    name: str,
    asset: Asset = FILM,
    start_s: float | None = None,
    text: str = "",
    picture: PictureRef | None = None,
    tokens: Tokens | None = None,
    page: int | None = None,
) -> Evidence:
    """Return a piece of evidence of five seconds, or without a time."""
    end_s = None if start_s is None else start_s + 5
    origin = Origin.SUBTITLE if text else Origin.PICTURE
    segment = Segment(0, origin, start_s=start_s, end_s=end_s, text=text, picture=picture, page=page)
    return Evidence(name, RetrievedSegment(asset, segment, 0.8, {Lane.TEXT: 0.8}, 0.1), tokens)


def make_slots(count: int, hidden: int | None = None) -> list[Evidence]:
    """Return slots of a memory, each ten seconds after the other, with six tokens of this width."""
    tokens = None if hidden is None else np.ones((6, hidden), np.float32)
    return [
        make_evidence(f"M{n + 1}", start_s=10.0 * n, picture=grey_picture(100 + n), tokens=tokens) for n in range(count)
    ]


F1 = make_evidence("F1", start_s=62.0, picture=grey_picture(20))
F2 = make_evidence("F2", start_s=5.0, text="The dog barks.", picture=grey_picture(30))
F3 = make_evidence("F3", start_s=64.0, text="It runs <image> off.", picture=grey_picture(20))
P1 = make_evidence("P1", PAPER, text="Dogs are welcome.", picture=grey_picture(200, (90, 60)), page=7)
P2 = make_evidence("P2", PAPER, text="Cats are not.", picture=grey_picture(200, (90, 60)), page=7)
I1 = make_evidence("I1", PHOTO, picture=grey_picture(240, (40, 70)))
ALL_EVIDENCE = [F1, P1, F2, I1, F3, P2, *make_slots(3)]


def make_generator(
    url: str,
    limits: TokenBudget = LIMITS,
    model: str = "m",
    key: str = "",
    timeout_s: float = 60.0,
    max_tokens: int = 64,
) -> OpenAiCompatibleGenerator:
    """Return a generator that asks the server at a URL."""
    return OpenAiCompatibleGenerator(ChatClient(url, key, timeout_s), load_jpeg, limits, model, max_tokens)


def collect_answer(
    fake: FakeVllm, evidence: Sequence[Evidence] = (F1, I1), limits: TokenBudget = LIMITS
) -> list[DraftSentence]:
    """Return the sentences with which the fake answers `QUESTION`."""
    return list(make_generator(fake.url, limits).answer(QUESTION, evidence))


def median_shades(part: dict[str, object]) -> list[int]:
    """Return the shades of a media part's pictures."""
    return [int(np.median(picture[:, :, 0])) for picture in decode_jpegs(part)]
