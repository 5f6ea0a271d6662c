"""What readers have written on a page: typewriter text, sticky notes, comments on highlights."""

from __future__ import annotations

import ctypes
from contextlib import closing
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from indexer.types import DocumentPage
from tests.support.pdf_fixtures import draw_text_at, line_texts, make_pdf, read_single_page

RECT = (100, 500, 400, 520)


def add_annotation(
    path: Path, subtype: int, contents: str, drawn: str = "", flags: int = 0, rect: tuple[int, ...] = RECT
) -> Path:
    """Add an annotation to the first page of a PDF, with its text drawn where `drawn` is given."""
    with closing(pypdfium2.PdfDocument(path)) as document, closing(document.get_page(0)) as page:
        annotation = pdfium.FPDFPage_CreateAnnot(page, subtype)
        pdfium.FPDFAnnot_SetRect(annotation, pdfium.FS_RECTF(rect[0], rect[3], rect[2], rect[1]))
        set_string(annotation, b"Contents", contents)
        pdfium.FPDFAnnot_SetFlags(annotation, flags | pdfium.FPDF_ANNOT_FLAG_PRINT)
        if drawn:
            text = pdfium.FPDFPageObj_NewTextObj(document, b"Helvetica", 12)
            pdfium.FPDFText_SetText(text, wide(drawn))
            pdfium.FPDFPageObj_Transform(text, 1, 0, 0, 1, rect[0] + 2, rect[1] + 4)
            pdfium.FPDFAnnot_AppendObject(annotation, text)
        pdfium.FPDFPage_CloseAnnot(annotation)
        target = path.with_name("annotated.pdf")
        document.save(target)
    return target


def wide(text: str) -> ctypes.Array[ctypes.c_ushort]:
    """Return a text as PDFium takes it."""
    data = (text + "\0").encode("utf-16-le")
    return (ctypes.c_ushort * (len(data) // 2)).from_buffer_copy(data)


def set_string(annotation: pdfium.FPDF_ANNOTATION, key: bytes, text: str) -> None:
    pdfium.FPDFAnnot_SetStringValue(annotation, key, wide(text))


def note_texts(page: DocumentPage) -> list[str]:
    return [note.text for note in page.notes]


@pytest.fixture
def lease(tmp_path: Path) -> Path:
    return make_pdf(tmp_path / "lease.pdf", draw_text_at(72, 700, "The lease is renewed every year in June."))


@pytest.mark.parametrize(
    "subtype",
    [
        pdfium.FPDF_ANNOT_TEXT,
        pdfium.FPDF_ANNOT_HIGHLIGHT,
        pdfium.FPDF_ANNOT_STAMP,
        pdfium.FPDF_ANNOT_SQUARE,
        pdfium.FPDF_ANNOT_INK,
    ],
)
def test_what_a_comment_says_is_a_note_with_its_place(lease: Path, subtype: int) -> None:
    page = read_single_page(add_annotation(lease, subtype, "Call solicitor Abernathy\r\nfirst – Größe, 계약"))
    assert note_texts(page) == ["Call solicitor Abernathy", "first – Größe, 계약"]
    box = page.notes[0].box
    assert box is not None
    assert (box.x0, box.x1, box.y0, box.y1) == pytest.approx((0.168, 0.672, 0.382, 0.406), abs=0.002)
    assert len({note.block for note in page.notes}) == 1


def test_typewriter_text_is_part_of_the_page(lease: Path) -> None:
    text = "Rejected: Pemberton demands 2300 a month"
    page = read_single_page(add_annotation(lease, pdfium.FPDF_ANNOT_STAMP, text, drawn=text))
    assert line_texts(page) == ["The lease is renewed every year in June.", text]
    assert page.notes == ()
    assert page.text_layer_reliable and page.unread_regions == ()


def test_a_text_box_that_is_not_drawn_is_a_note(lease: Path) -> None:
    assert note_texts(read_single_page(add_annotation(lease, pdfium.FPDF_ANNOT_FREETEXT, "Rejected"))) == ["Rejected"]


def test_hidden_comments_links_and_windows_are_left_out(lease: Path) -> None:
    for subtype, flags, rect in (
        (pdfium.FPDF_ANNOT_TEXT, pdfium.FPDF_ANNOT_FLAG_HIDDEN, RECT),
        (pdfium.FPDF_ANNOT_POPUP, 0, RECT),
        (pdfium.FPDF_ANNOT_LINK, 0, RECT),
        (pdfium.FPDF_ANNOT_TEXT, 0, (-300, 500, -200, 520)),
    ):
        assert read_single_page(add_annotation(lease, subtype, "Abernathy", flags=flags, rect=rect)).notes == ()


def test_a_comment_that_repeats_the_page_is_left_out(lease: Path) -> None:
    assert read_single_page(add_annotation(lease, pdfium.FPDF_ANNOT_HIGHLIGHT, "renewed every  year")).notes == ()


def test_a_comment_on_a_page_without_text_is_kept(tmp_path: Path) -> None:
    blank = make_pdf(tmp_path / "blank.pdf", draw_text_at(72, 700))
    assert note_texts(read_single_page(add_annotation(blank, pdfium.FPDF_ANNOT_TEXT, "Abernathy"))) == ["Abernathy"]
