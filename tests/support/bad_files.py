"""Bad media files by name, and the checks that nothing was lost to them."""

from __future__ import annotations

import io
import os
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from indexer.types import SegmentFilter
from services.container import Container
from services.ingest.types import FileReport
from services.search.types import Query
from tests.support.video_fixtures import make_video

NO_FILTERS = SegmentFilter()
EARLIER_TEXT, GOOD_TEXT = "The marmalade is kept in the engine room.", "The lighthouse keeper paints the door green."
NO_MEDIA = "is not a video, picture or PDF that any decoder here can open"
ULTRAFAST = {"preset": "ultrafast"}


def write_pdf(path: Path, text: str, password: str | None = None) -> None:
    """Write a PDF of one page with a sentence."""
    encryption = None if password is None else StandardEncryption(password, canPrint=0)
    canvas = Canvas(str(path), pagesize=(420, 595), invariant=True, encrypt=encryption)
    canvas.drawString(40, 500, text)
    canvas.showPage()
    canvas.save()


def encode_picture(kind: str) -> bytes:
    """Return a small picture of noise in a format."""
    texture = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(texture).save(file, kind)
    return file.getvalue()


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png_bytes(width: int, height: int, rows: int) -> bytes:
    """A black and white PNG that claims a size and holds some of its rows, all black, in next to no bytes."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1 + width // 8) * rows)
    return b"\x89PNG\r\n\x1a\n" + _png_chunk(b"IHDR", header) + _png_chunk(b"IDAT", pixels) + _png_chunk(b"IEND", b"")


def _pdf_with_pages(pages: int) -> bytes:
    objects = [b"<</Type/Catalog/Pages 2 0 R>>"]
    objects.append(b"<</Type/Pages/Count %d/Kids[%s]>>" % (pages, b" ".join(b"3 0 R" for _ in range(pages))))
    objects.append(b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>")
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj%sendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(body)
    return body + b"xref\n0 4\n0000000000 65535 f \n" + table + end


def video_bytes(path: Path) -> bytes:
    """Write a video of two seconds; gives its bytes."""
    make_video(path, count=50, options=ULTRAFAST)
    return path.read_bytes()


def _write_truncated_video(path: Path) -> None:
    path.write_bytes((whole := video_bytes(path))[: len(whole) // 2])


def _write_damaged_video(path: Path) -> None:
    whole = bytearray(video_bytes(path))
    at = whole.index(b"moov") + 4
    whole[at:] = random.Random(1).randbytes(len(whole) - at)
    path.write_bytes(whole)


def _write_noise(path: Path) -> None:
    path.write_bytes(random.Random(2).randbytes(20_000))


def _writer_of(data: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.mp4": (Path.touch, "is empty"),
    "empty.pdf": (Path.touch, "is empty"),
    "cut.jpg": (_writer_of(encode_picture("JPEG")[:2000]), "is truncated or damaged"),
    "cut.mp4": (_write_truncated_video, "no index (moov): cut short or still being written"),
    "damaged.mp4": (_write_damaged_video, "its header is damaged: it names no pictures and no sound"),
    "damaged.png": (_writer_of(encode_picture("PNG").replace(b"IDAT", b"IDAX")), "its PNG header is damaged"),
    "damaged.pdf": (_writer_of(b"%PDF-1.7\n" + random.Random(3).randbytes(3000)), "is damaged beyond reading"),
    "noise.mkv": (_write_noise, NO_MEDIA),
    "text.mp4": (_writer_of(b"Dear diary, today I learned how to write.\n" * 40), NO_MEDIA),
    "playlist.mp4": (_writer_of(b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/a.ts\n#EXT-X-ENDLIST\n"), NO_MEDIA),
    "huge.png": (_writer_of(_png_bytes(50_000, 50_000, 1)), "50000 x 50000 pixels, over the limit of 200 megapixels"),
    "bomb.png": (_writer_of(_png_bytes(14_000, 14_000, 14_000)), "needs more than 512 MB of memory"),
    "locked.pdf": (lambda path: write_pdf(path, "secret", "sesame"), "needs a password"),
    "long.pdf": (_writer_of(_pdf_with_pages(5000)), "5000 pages, over the limit of 2000 pages"),
    "pipe.mp4": (os.mkfifo, "is a pipe, not a file"),
    "loop": (lambda path: path.symlink_to(path.parent), "is a link back to a folder above it"),
    "circle.png": (lambda path: path.symlink_to(path), "cannot be read (too many levels of symbolic links)"),
    "gone.png": (lambda path: path.symlink_to(path.parent / "nowhere"), "there is no such file"),
}
"""What writes each, and the reason that is given for it."""


def index_by_name(container: Container, *paths: Path) -> dict[str, FileReport]:
    """Index files and folders; gives the reports by file name."""
    return {Path(line.name).name: line for line in container.indexing.index_paths(list(paths), "default")}


def _search_names(container: Container, text: str) -> list[str]:
    return [moment.asset.name for moment in container.retrieval.search(Query(text), NO_FILTERS, 10)]


def check_complete(container: Container, names: set[str]) -> None:
    """Check that these assets and no others are listed, and each is whole in catalog, artifacts, index and search."""
    assets = container.catalog.assets()
    assert {asset.name for asset in assets} == names
    assert container.index.segment_counts() == {asset.asset_id: asset.segments for asset in assets}
    for asset in assets:
        manifest = container.artifacts.read_manifest(asset.asset_id, asset.version)
        stored = sum(len(record.segments) for record, _ in container.artifacts.read_checkpoints(manifest))
        assert stored == manifest.segments
    for name, words in {"earlier.pdf": EARLIER_TEXT, "good.pdf": GOOD_TEXT}.items():
        assert (name in _search_names(container, words)) == (name in names)
