"""Running heads, page numbers and tables of contents are told from the text of a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.media.pdf.reader import read_pages
from indexer.text.passages import build_page_passages
from indexer.types import LineRole
from tests.support.pdf_fixtures import DrawPage, draw_all, draw_text_at, make_pdf

SENTENCES = (
    "The northern station keeps its tapes in a cellar.",
    "Every reel was listened to in the spring of that year.",
    "Two people wrote down what they heard on each of them.",
    "The flood reached the shelves in the second week of May.",
    "Since then the recordings are stored on the upper floor.",
    "Nobody has asked for the oldest ones since the move.",
)


def numbered_pages(head: str = "Tidal Station Handbook", first: int = 1) -> list[DrawPage]:
    return [
        draw_all(
            draw_text_at(70, 800, head),
            draw_text_at(70, 640, sentence, "A second line stands below it, as on any page."),
            draw_text_at(300, 40, f"{number}"),
        )
        for number, sentence in enumerate(SENTENCES, first)
    ]


def passages_of(path: Path, first_page: int = 1) -> list[list[str]]:
    return [
        [p.text for p in build_page_passages(page.lines, page.number)] for page in read_pages(path, first_page, 400)
    ]


def test_a_running_head_is_kept_once_and_page_numbers_never(tmp_path: Path) -> None:
    pages = passages_of(make_pdf(tmp_path / "book.pdf", *numbered_pages(first=17)))
    assert len(pages) == len(SENTENCES)
    text = "A second line stands below it, as on any page."
    assert pages == [
        [f"Tidal Station Handbook\n{SENTENCES[0]} {text}"],
        *([f"{sentence} {text}"] for sentence in SENTENCES[1:]),
    ]


def test_a_head_that_names_the_section_is_known_by_its_page_number(tmp_path: Path) -> None:
    heads = ["1 Tides  4", "1 Tides  5", "2 Buoys and beacons  6", "3 Night watch  7"]
    drawn = [
        draw_all(draw_text_at(70, 800, h), draw_text_at(70, 600, s)) for h, s in zip(heads, SENTENCES, strict=False)
    ]
    assert passages_of(make_pdf(tmp_path / "book.pdf", *drawn)) == [[sentence] for sentence in SENTENCES[:4]]


def test_reading_from_any_page_gives_the_same_roles(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "book.pdf", *numbered_pages())
    whole = list(read_pages(path, 1, 400))
    for first in (2, 5, 6):
        assert [page.lines for page in read_pages(path, first, 400)] == [page.lines for page in whole[first - 1 :]]


def test_lines_that_differ_in_their_numbers_stay(tmp_path: Path) -> None:
    lines = [f"Ticket {4000 + 7 * n}: the ferry leaves at {6 + n}.30 from pier {n % 3}." for n in range(12)]
    path = make_pdf(tmp_path / "tickets.pdf", *(draw_text_at(70, 800, line) for line in lines))
    assert passages_of(path) == [[line] for line in lines]


def test_the_title_of_two_copies_of_a_form_stays(tmp_path: Path) -> None:
    copy = draw_all(draw_text_at(70, 800, "Time sheet"), draw_text_at(70, 700, "The employee signs both copies of it."))
    first, second = passages_of(make_pdf(tmp_path / "form.pdf", copy, copy))
    assert first == second
    assert "Time sheet" in first[0]


def test_the_large_title_of_slides_that_go_on_stays(tmp_path: Path) -> None:
    slides = [
        draw_all(
            draw_text_at(70, 780, "Results", size=30), draw_text_at(70, 600, s, "More of it is said below.", size=14)
        )
        for s in SENTENCES[:4]
    ]
    assert all("Results" in texts[0] for texts in passages_of(make_pdf(tmp_path / "slides.pdf", *slides)))


def test_column_heads_that_repeat_on_each_page_stay(tmp_path: Path) -> None:
    def table(number: int) -> DrawPage:
        rows = [draw_text_at(70, 800, "Code"), draw_text_at(250, 800, "Amount")]
        for i in range(4):
            rows += [
                draw_text_at(70, 782 - 18 * i, f"K{number}{i}"),
                draw_text_at(250, 782 - 18 * i, f"{number * 10 + i}.50"),
            ]
        return draw_all(*rows)

    pages = passages_of(make_pdf(tmp_path / "table.pdf", *(table(n) for n in range(1, 5))))
    assert all("Code" in texts[0] and "Amount" in texts[0] for texts in pages)


@pytest.mark.parametrize("dots", [" . . . . . . . . . . . . ", "............................ "])
def test_a_table_of_contents_is_left_out(tmp_path: Path, dots: str) -> None:
    entries = [f"1.{i} How does one set the clock number {i}{dots}{20 + i}" for i in range(1, 6)]
    page = draw_all(
        draw_text_at(70, 780, "Contents"),
        draw_text_at(70, 740, *entries),
        draw_text_at(70, 500, "The clock is set with the two keys at its back."),
    )
    path = make_pdf(tmp_path / "manual.pdf", page)
    assert passages_of(path) == [["The clock is set with the two keys at its back."]]
    (read,) = read_pages(path, 1, 400)
    assert sum(line.role is LineRole.CONTENTS for line in read.lines) == 6


def test_contents_without_dots_need_their_heading(tmp_path: Path) -> None:
    rows = [
        (f"Chapter of the {word} watch", 3 + i) for i, word in enumerate(["early", "noon", "late", "night", "last"])
    ]
    drawn = [
        draw
        for i, (title, number) in enumerate(rows)
        for draw in (draw_text_at(70, 740 - 16 * i, title), draw_text_at(500, 740 - 16 * i, str(number)))
    ]
    with_heading = make_pdf(tmp_path / "a.pdf", draw_all(draw_text_at(70, 780, "Inhaltsverzeichnis"), *drawn))
    without = make_pdf(tmp_path / "b.pdf", draw_all(draw_text_at(70, 780, "Reels that were kept"), *drawn))
    assert passages_of(with_heading) == [[]]
    assert "noon watch" in " ".join(passages_of(without)[0])


def test_a_price_list_with_dots_stays(tmp_path: Path) -> None:
    prices = [("Coffee", 4), ("Tea", 3), ("Soup of the day", 9), ("Bread", 2), ("Cake", 5)]
    path = make_pdf(tmp_path / "menu.pdf", draw_text_at(70, 740, *(f"{name} ............ {n}" for name, n in prices)))
    assert "Soup of the day" in " ".join(passages_of(path)[0])
