"""PDFs made with reportlab, read back: what a document says of itself, pages in series, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader

from indexer.errors import DamagedMedia, LimitExceeded, ProtectedMedia, SourceNotFound, UnsupportedMedia
from indexer.media.pdf.reader import probe_document, read_pages
from indexer.types import AssetKind
from tests.support.pdf_fixtures import (
    LEFT_COLUMN,
    DrawPage,
    draw_all,
    draw_text_at,
    line_texts,
    make_pdf,
    read_single_page,
)


def test_a_document_tells_its_pages_and_the_size_of_the_first(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "report.pdf", *[draw_text_at(72, 700, "A page")] * 3)
    info = probe_document(path, 10)
    assert (info.kind, info.format, info.pages, info.width, info.height) == (AssetKind.DOCUMENT, "pdf", 3, 595, 842)
    assert info.taken_at is not None
    assert abs(info.taken_at - datetime.now(UTC).timestamp()) < 3600 * 24


@pytest.mark.parametrize(
    ("pdf_date", "expected"),
    [
        ("D:20240504183000+02'00'", datetime(2024, 5, 4, 18, 30, tzinfo=timezone(timedelta(hours=2)))),
        ("D:20240504183000-0330", datetime(2024, 5, 4, 18, 30, tzinfo=timezone(-timedelta(hours=3, minutes=30)))),
        ("D:20240504183000Z00'00'", datetime(2024, 5, 4, 18, 30, tzinfo=UTC)),
        ("D:202405", datetime(2024, 5, 1, tzinfo=UTC)),
        ("D:20241399", None),
        ("last week", None),
    ],
)
def test_the_creation_date_is_read_where_it_parses(tmp_path: Path, pdf_date: str, expected: datetime | None) -> None:
    path = make_pdf(tmp_path / "dated.pdf", draw_text_at(72, 700, "A page"))
    data = path.read_bytes()
    for key in (b"/CreationDate (", b"/ModDate ("):
        begin = data.index(key) + len(key)
        end = data.index(b")", begin)
        data = data[:begin] + pdf_date.encode().ljust(end - begin)[: end - begin] + data[end:]
    path.write_bytes(data)
    taken_at = probe_document(path, 10).taken_at
    assert taken_at == (expected.timestamp() if expected else None)


def test_too_many_pages_are_refused_with_both_numbers(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "long.pdf", *[draw_text_at(72, 700, "A page")] * 5)
    with pytest.raises(LimitExceeded) as caught:
        probe_document(path, 4)
    assert str(caught.value) == f"{path}: 5 pages, over the limit of 4 pages"


def test_reading_begins_at_the_page_asked_for(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "many.pdf", *(draw_text_at(72, 700, f"This is page {i}") for i in range(1, 7)))
    pages = list(read_pages(path, 4, 100))
    assert [(page.number, line_texts(page)) for page in pages] == [(i, [f"This is page {i}"]) for i in (4, 5, 6)]
    assert list(read_pages(path, 7, 100)) == []


@pytest.mark.parametrize("damage", ["dictionary", "content"])
def test_one_broken_page_does_not_lose_the_others(tmp_path: Path, damage: str) -> None:
    path = make_pdf(
        tmp_path / "three.pdf", *(draw_text_at(72, 700, f"This is page {i}") for i in (1, 2, 3)), pageCompression=1
    )
    data = bytearray(path.read_bytes())
    if damage == "dictionary":
        at = [i for i in range(len(data)) if data[i : i + 11] == b"/Type /Page" and data[i + 11 : i + 12] != b"s"][1]
        begin = data.rindex(b"<<", 0, data.rindex(b"/Contents", 0, at))
        data[begin : begin + 2] = b"xx"
    else:
        at = [i for i in range(len(data)) if data[i : i + 7] == b"stream\n" or data[i : i + 8] == b"stream\r\n"][1]
        data[at + 10 : at + 60] = b"\xff" * 50
    path.write_bytes(data)
    assert probe_document(path, 10).pages == 3
    pages = list(read_pages(path, 1, 200))
    assert [page.number for page in pages] == [1, 2, 3]
    assert [line_texts(page) for page in pages] == [["This is page 1"], [], ["This is page 3"]]
    assert [page.text_layer_reliable for page in pages] == [True, False, True]
    assert pages[1].rgb.shape in ((200, 141, 3), (200, 142, 3))


def test_memory_does_not_grow_with_the_pages(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (12, 300, 300, 3), dtype=np.uint8)
    pictures = [ImageReader(Image.fromarray(pixels)) for pixels in noise]

    def draw(number: int) -> DrawPage:
        return draw_all(
            lambda canvas: canvas.drawImage(pictures[number % 12], 72, 72, 400, 400),
            draw_text_at(72, 700, *LEFT_COLUMN),
        )

    path = make_pdf(tmp_path / "pictures.pdf", *map(draw, range(160)))
    process, resident = psutil.Process(), []
    for page in read_pages(path, 1, 300):
        assert page.text_layer_reliable
        resident.append(process.memory_info().rss)
    assert max(resident[80:]) - max(resident[:80]) < 8_000_000


def test_a_password_is_asked_for_by_name(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "secret.pdf", draw_text_at(72, 700, "Secret"), encrypt=StandardEncryption("open", "own"))
    with pytest.raises(ProtectedMedia) as caught:
        probe_document(path, 10)
    assert str(caught.value) == f"{path}: needs a password"
    with pytest.raises(ProtectedMedia):
        next(read_pages(path, 1, 100))


def test_a_document_that_only_its_owner_may_change_opens(tmp_path: Path) -> None:
    path = make_pdf(
        tmp_path / "owned.pdf", draw_text_at(72, 700, "Readable"), encrypt=StandardEncryption("", "own", canPrint=0)
    )
    assert probe_document(path, 10).pages == 1
    assert line_texts(read_single_page(path)) == ["Readable"]


@pytest.mark.parametrize("content", [b"%PDF-1.7\n" + b"junk " * 400, b""])
def test_a_corrupt_document_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.pdf"
    path.write_bytes(content)
    with pytest.raises(DamagedMedia, match=r"broken\.pdf: is (damaged beyond reading|empty)"):
        probe_document(path, 10)


@pytest.mark.parametrize("file_before", ["", "encrypted", "broken"])
def test_a_document_without_pages_says_so_whatever_was_read_before(tmp_path: Path, file_before: str) -> None:
    empty = tmp_path / "empty.pdf"
    catalog = b"1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kids[]/Count 0>>\nendobj\n"
    table = b"xref\n0 3\n0000000000 65535 f \n%010d 00000 n \n%010d 00000 n \n" % (9, 9 + catalog.index(b"2 0 obj"))
    trailer = b"trailer\n<</Root 1 0 R/Size 3>>\nstartxref\n%d\n%%%%EOF\n" % (9 + len(catalog))
    empty.write_bytes(b"%PDF-1.4\n" + catalog + table + trailer)
    if file_before == "encrypted":
        path = make_pdf(tmp_path / "x.pdf", draw_text_at(72, 700, "Secret"), encrypt=StandardEncryption("open", "own"))
        with pytest.raises(ProtectedMedia):
            probe_document(path, 10)
    if file_before == "broken":
        (tmp_path / "x.pdf").write_bytes(b"%PDF-1.7\n" + b"junk " * 400)
        with pytest.raises(DamagedMedia):
            probe_document(tmp_path / "x.pdf", 10)
    with pytest.raises(UnsupportedMedia) as caught:
        probe_document(empty, 10)
    assert str(caught.value) == f"{empty}: has no pages"


def test_a_limit_of_one_page_is_named_in_the_singular(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "two.pdf", *[draw_text_at(72, 700, "A page")] * 2)
    with pytest.raises(LimitExceeded, match=r"2 pages, over the limit of 1 page$"):
        probe_document(path, 1)


def test_what_is_no_pdf_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "words.pdf"
    path.write_text("Just some words.\n" * 10)
    with pytest.raises(UnsupportedMedia, match="not a PDF document"):
        probe_document(path, 10)
    with pytest.raises(SourceNotFound, match="no such file"):
        probe_document(tmp_path / "nowhere.pdf", 10)
