"""Dates and texts of PDFs, from the Info dictionary and from XMP."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from indexer.media.pdf.metadata import read_metadata
from indexer.media.pdf.reader import probe_document
from tests.indexer.media.test_image_metadata import make_xmp
from tests.support.pdf_fixtures import draw_text_at, make_pdf

NOTHING = {"CreationDate": "", "ModDate": ""}


def utc(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]


def read(path: Path, values: dict[str, str], packet: bytes = b"") -> tuple[float | None, str, tuple[str, ...]]:
    path.write_bytes(b"%PDF-1.7\n" + packet + b"\n%%EOF")
    date, lines = read_metadata(path, lambda name: values.get(name, ""))
    return (None, "", lines) if date is None else (date.time, date.source, lines)


def test_title_author_subject_and_keywords_are_read(tmp_path: Path) -> None:
    def draw(canvas: object) -> None:
        draw_text_at(72, 700, "A page")(canvas)  # type: ignore[arg-type]
        canvas.setTitle("Survey of the harbour")  # type: ignore[attr-defined]
        canvas.setAuthor("Ada Lovelace")  # type: ignore[attr-defined]
        canvas.setKeywords("tide, quay")  # type: ignore[attr-defined]

    info = probe_document(make_pdf(tmp_path / "a.pdf", draw), 10)
    assert info.metadata == ("Title: Survey of the harbour", "Keywords: tide, quay", "Author: Ada Lovelace")
    assert info.date_source == "PDF CreationDate"


def test_what_programs_write_is_not_read(tmp_path: Path) -> None:
    info = probe_document(make_pdf(tmp_path / "a.pdf", draw_text_at(72, 700, "A page")), 10)
    assert info.metadata == ()
    assert read(tmp_path / "b.pdf", {"Title": "Microsoft Word - Lease of 3 Quay Street.docx"})[2] == (
        "Title: Lease of 3 Quay Street.docx",
    )


def test_the_date_of_the_last_change_serves_where_that_of_creation_is_impossible(tmp_path: Path) -> None:
    values = {"CreationDate": "D:00000000000000", "ModDate": "D:20180304102030+01'00'"}
    assert read(tmp_path / "a.pdf", values)[:2] == (utc(2018, 3, 4, 9, 20, 30), "PDF ModDate")


def test_the_xmp_of_the_document_serves_where_the_dictionary_is_empty(tmp_path: Path) -> None:
    body = "<dc:format>application/pdf</dc:format><dc:title><rdf:Alt><rdf:li>Survey</rdf:li></rdf:Alt></dc:title>"
    packet = make_xmp(body, 'xmp:CreateDate="2018-03-04T10:20:30Z"')
    expected = (utc(2018, 3, 4, 10, 20, 30), "XMP xmp:CreateDate", ("Title: Survey",))
    assert read(tmp_path / "a.pdf", NOTHING, packet) == expected
    assert read(tmp_path / "b.pdf", NOTHING, bytes((4 << 20) - 20) + packet) == expected


def test_the_xmp_of_a_picture_inside_is_not_taken_for_the_documents(tmp_path: Path) -> None:
    picture = make_xmp("<dc:format>image/jpeg</dc:format><dc:title>Stock photo</dc:title>")
    document = make_xmp("<dc:format>application/pdf</dc:format><dc:title>Survey</dc:title>")
    assert read(tmp_path / "a.pdf", NOTHING, picture) == (None, "", ())
    assert read(tmp_path / "b.pdf", NOTHING, picture + document)[2] == ("Title: Survey",)
