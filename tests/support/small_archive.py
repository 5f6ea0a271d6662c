"""Small archive in two collections, searched by keywords alone: no model is loaded for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from services.container import Container
from tests.support.containers import open_container
from tests.support.video_fixtures import make_video

VIDEO_S, VIDEO_FPS = 12.0, 25
SHORE, HARBOUR = "shore", "harbour"
GULLS_SENTENCE = "The lighthouse keeper counts seventeen gulls."
ROPE_SENTENCE = "The mooring rope costs forty crowns."
GULLS_QUERY, ROPE_QUERY = "lighthouse keeper counts gulls", "mooring rope costs crowns"
WITHOUT_MODELS = {
    "visual__model": "",
    "text__model": "",
    "speech__model": "",
    "ocr__enabled": "false",
    "generator__kind": "extractive",
    "memory__enabled": "false",
}
"""Settings of containers over this archive."""


def make_small_archive(folder: Path) -> None:
    """Write `shore/` with a numbered video, its subtitle and a photo, and `harbour/` with a document of two pages."""
    for name in (SHORE, HARBOUR):
        (folder / name).mkdir()
    make_video(
        folder / SHORE / "gulls.mp4", count=300, rate=VIDEO_FPS, options={"preset": "ultrafast"}, sound_s=VIDEO_S
    )
    (folder / SHORE / "gulls.srt").write_text(f"1\n00:00:02,000 --> 00:00:06,000\n{GULLS_SENTENCE}\n")
    Image.fromarray(np.full((90, 160, 3), (200, 30, 60), np.uint8)).save(folder / SHORE / "red.png")
    make_document(folder / HARBOUR / "prices.pdf", "A list of prices, for the harbour.", ROPE_SENTENCE)


def make_document(path: Path, *pages: str) -> None:
    """Write a PDF with a sentence on each page."""
    canvas = Canvas(str(path))
    for text in pages:
        canvas.drawString(72, 700, text)
        canvas.showPage()
    canvas.save()


def index_small_archive(container: Container, folder: Path) -> None:
    """Index each folder into the collection of its name."""
    for name in (SHORE, HARBOUR):
        lines = list(container.indexing.index_paths([folder / name], name))
        assert [line.reason for line in lines if line.outcome == "failed"] == []


def open_small_archive(home: Path, **settings: str) -> Container:
    """Open the services over a home, without models."""
    return open_container(home, **(WITHOUT_MODELS | settings))
