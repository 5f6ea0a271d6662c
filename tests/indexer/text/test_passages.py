"""Lines become passages that can be searched, quoted and located again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.text.passage import Passage, locate_text, text_with_context
from indexer.text.passages import build_page_passages, build_screen_passages
from indexer.types import Box, LineRole, LineSpan, Origin, Segment, TextLine

FULL_BOX = Box(0.1, 0.1, 0.9, 0.2)


def page_line(text: str, row: int = 0, block: int = 0) -> TextLine:
    return TextLine(text, Origin.PAGE, box=Box(0.1, row / 100, 0.9, (row + 1) / 100), block=block)


def page_lines(*blocks: list[str]) -> list[TextLine]:
    rows = iter(range(100))
    return [page_line(text, next(rows), block) for block, lines in enumerate(blocks) for text in lines]


def make_sentence(count: int, word: str = "word") -> str:
    return " ".join(["The", *[word] * (count - 1)]) + "."


def to_segment(passage: Passage) -> Segment:
    return Segment(
        0,
        passage.origin,
        page=passage.page,
        box=passage.box,
        text=passage.text,
        lines=passage.lines,
        context=passage.context,
    )


# Pages


def test_the_lines_of_a_paragraph_are_joined_and_still_found() -> None:
    lines = page_lines(["Either party may end   this", "agreement by giving three months", "of notice in writing."])
    (passage,) = build_page_passages(lines, 7)
    assert passage.text == "Either party may end this agreement by giving three months of notice in writing."
    assert (passage.page, passage.origin, passage.start_s) == (7, Origin.PAGE, None)
    assert [passage.text[span.start : span.end] for span in passage.lines] == [
        " ".join(line.text.split()) for line in lines
    ]
    assert [span.box for span in passage.lines] == [line.box for line in lines]
    assert passage.box == Box(0.1, 0.0, 0.9, 0.03)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a hyphen-", "ated word in a line"], "a hyphenated word in a line"),
        (["a so\u00adft hy\u00ad", "phen in a line"], "a soft hyphen in a line"),
        (["the Jean-", "Pierre effect"], "the Jean-Pierre effect"),
        (["in the years 1990-", "1995 they met"], "in the years 1990-1995 they met"),
        (["a dash -", "and more"], "a dash - and more"),
        (["東京は日本の", "首都です。"], "東京は日本の首都です。"),
        (["한국의 수도는", "서울입니다."], "한국의 수도는 서울입니다."),
    ],
)
def test_lines_are_joined_as_their_script_is_written(lines: list[str], expected: str) -> None:
    (passage,) = build_page_passages(page_lines(lines), 1)
    assert passage.text == expected


def test_a_long_paragraph_is_cut_at_the_ends_of_sentences() -> None:
    lines = page_lines(
        [make_sentence(30, "alpha"), make_sentence(30, "beta"), make_sentence(30, "gamma"), make_sentence(10, "delta")]
    )
    passages = build_page_passages(lines, 1, max_words=70)
    assert [passage.text for passage in passages] == [
        f"{lines[0].text} {lines[1].text}",
        f"{lines[2].text} {lines[3].text}",
    ]
    assert passages[1].box == Box(0.1, 0.02, 0.9, 0.04)


def test_an_endless_sentence_is_cut_between_words() -> None:
    passages = build_page_passages(page_lines(["word " * 100]), 1, max_words=40)
    assert [len(passage.text.split()) for passage in passages] == [40, 40, 20]


def test_a_heading_travels_with_its_text_even_where_that_is_long() -> None:
    lines = page_lines(["Notice"], [make_sentence(50, "alpha"), make_sentence(29, "beta")])
    passages = build_page_passages(lines, 1, max_words=80)
    assert [passage.text for passage in passages] == [
        f"Notice\n{lines[1].text}\n{lines[2].text}".replace(".\nThe beta", ". The beta")
    ]
    lines = page_lines(["Notice"], [make_sentence(50, "alpha"), make_sentence(30, "beta")])
    assert [passage.text for passage in build_page_passages(lines, 1)] == [f"Notice\n{lines[1].text}", lines[2].text]
    assert passages[0].box == Box(0.1, 0.0, 0.9, 0.03)


def test_small_paragraphs_gather_but_not_without_end() -> None:
    lines = page_lines(*[[f"• item number {i}"] for i in range(40)])
    passages = build_page_passages(lines, 1)
    assert all(len(passage.text.split()) <= 80 for passage in passages)
    assert len(passages) < 6
    assert "\n".join(passage.text for passage in passages) == "\n".join(line.text for line in lines)


def test_a_table_is_cut_every_few_rows_and_its_heads_are_context() -> None:
    rows = ["Item\tQuantity\tPrice", *(f"Tool {i}\t{i}\t{i}.50" for i in range(6))]
    passages = build_page_passages(page_lines(["Stock"], rows), 1)
    assert [passage.text for passage in passages] == [
        "Stock\nItem | Quantity | Price\nTool 0 | 0 | 0.50\nTool 1 | 1 | 1.50\nTool 2 | 2 | 2.50\nTool 3 | 3 | 3.50",
        "Tool 4 | 4 | 4.50\nTool 5 | 5 | 5.50",
    ]
    assert [passage.context for passage in passages] == ["Item | Quantity | Price"] * 2
    assert text_with_context(to_segment(passages[1])).startswith("Item | Quantity | Price\nTool 4")
    assert text_with_context(to_segment(passages[0])) == passages[0].text
    assert passages[1].box == Box(0.1, 0.06, 0.9, 0.08)
    last = passages[1].text
    assert locate_text(to_segment(passages[1]), last.index("Tool 5"), len(last)) == Box(0.1, 0.07, 0.9, 0.08)


@pytest.mark.parametrize(
    ("rows", "heads"),
    [
        (["Year\t2015\t2016", "Tides\t4\t7", "Storms\t1\t0"], "Year | 2015 | 2016"),
        (["Sign\tMeaning", "<=\tat most", "=>\tat least", "!=\tother than"], "Sign | Meaning"),
        (["Firma:\tNordstern", "Tag:\t12.5.2016"], ""),
        (["Red\tKeel", "Blue\tMast", "White\tSail"], ""),
        (["; a line\tnothing", "incf\t6,1", "movf\t7,0"], ""),
    ],
)
def test_words_above_values_are_the_heads_of_a_table(rows: list[str], heads: str) -> None:
    passages = build_page_passages(page_lines(rows), 1)
    assert [passage.context for passage in passages] == [heads]
    assert all(row.replace("\t", " | ") in passages[0].text for row in rows)


def test_the_caption_of_a_table_is_context_of_its_rows() -> None:
    rows = [f"buoy {i}\t{i}.5 m" for i in range(9)]
    passages = build_page_passages(page_lines(["Table 4. Heights of the buoys above the sea at noon"], rows), 1)
    assert [passage.context for passage in passages] == ["Table 4. Heights of the buoys above the sea at noon"] * 3
    assert passages[0].text.startswith("Table 4. Heights")


def test_a_command_stands_with_the_sentence_that_leads_in() -> None:
    lead = "To list all the files of a package that is installed on this machine, execute the command:"
    passages = build_page_passages(page_lines([lead], ["dpkg --listfiles NAME"], [make_sentence(30)]), 1)
    assert passages[0].text.startswith(f"{lead}\ndpkg --listfiles NAME\n")


def test_the_items_of_a_list_have_the_sentence_that_leads_in_as_context() -> None:
    lead = "The watch writes down the following:"
    items = [f"• {make_sentence(12, f'item{i}')}" for i in range(8)]
    passages = build_page_passages(page_lines([lead], *[[item] for item in items], [make_sentence(30)]), 1)
    assert passages[0].text.startswith(f"{lead}\n• The item0")
    assert all(passage.context == lead for passage in passages[1:-1])
    assert len(passages) == 4
    assert passages[-1].context == ""
    assert passages[-1].text == make_sentence(30)


def test_a_heading_begins_a_passage() -> None:
    short, heading, text = page_lines(["That is all."], ["3 Tides"], [make_sentence(20)])
    lines = [short, replace(heading, role=LineRole.HEADING), replace(text, context="3 Tides")]
    passages = build_page_passages(lines, 1)
    assert [passage.text for passage in passages] == ["That is all.", f"3 Tides\n{make_sentence(20)}"]
    assert passages[1].context == "3 Tides"


def test_a_single_line_with_a_wide_gap_is_no_table() -> None:
    assert (
        build_page_passages(page_lines(["1.\tIntroduction to the matter"]), 1)[0].text
        == "1. Introduction to the matter"
    )


def test_lines_of_nothing_make_no_passage() -> None:
    assert build_page_passages([], 1) == []
    assert build_page_passages(page_lines(["  ", "\t"]), 1) == []


BLOCKS = st.lists(
    st.lists(st.text(st.sampled_from("abcdef Z.-\t。東京1"), min_size=1, max_size=60), min_size=1, max_size=4),
    max_size=6,
)


@settings(deadline=None)
@given(BLOCKS, st.integers(1, 12))
def test_no_text_is_lost_and_all_ranges_are_valid(blocks: list[list[str]], max_words: int) -> None:
    lines = page_lines(*blocks)
    passages = build_page_passages(lines, 1, max_words)
    for passage in passages:
        assert passage.text == passage.text.strip() != ""
        assert passage.box is not None
        ends = [0, *(span.end for span in passage.lines)]
        assert all(ends[i] <= span.start < span.end <= len(passage.text) for i, span in enumerate(passage.lines))
        assert all(0 <= s.box.x0 < s.box.x1 <= 1 and 0 <= s.box.y0 < s.box.y1 <= 1 for s in passage.lines)
    if not any("\t" in line.text for line in lines):
        kept = "".join("".join(passage.text.split()) for passage in passages)
        assert kept.replace("-", "") == "".join("".join(line.text.split()) for line in lines).replace("-", "")


# The screen


def test_what_stood_on_the_screen_together_is_one_passage_in_reading_order() -> None:
    def line(text: str, x0: float, y0: float, block: int, span: tuple[float, float]) -> TextLine:
        return TextLine(text, Origin.OCR, *span, Box(x0, y0, x0 + 0.2, y0 + 0.05), 0.9, block)

    lines = [
        line("Tonight", 0.1, 0.80, 2, (0.0, 4.0)),
        line("NEWS", 0.4, 0.11, 1, (0.0, 4.0)),
        line("CITY", 0.1, 0.10, 1, (0.0, 4.0)),
        line("at nine", 0.1, 0.20, 1, (0.0, 4.0)),
        line("Weather", 0.1, 0.10, 0, (4.0, 6.0)),
    ]
    first, second = build_screen_passages(lines)
    assert (first.text, first.start_s, first.end_s) == ("CITY NEWS at nine\nTonight", 0.0, 4.0)
    assert (second.text, second.start_s, second.end_s) == ("Weather", 4.0, 6.0)
    assert first.origin is Origin.OCR
    assert first.box == Box(0.1, 0.10, pytest.approx(0.6), pytest.approx(0.85))
    assert [first.text[s.start : s.end] for s in first.lines] == ["CITY", "NEWS", "at nine", "Tonight"]


# Boxes


def locate_span(spans: list[LineSpan], start: int, end: int) -> Box | None:
    return locate_text(Segment(0, Origin.PAGE, text="x" * 100, lines=tuple(spans)), start, end)


def test_a_quote_is_located_by_the_share_of_its_line() -> None:
    spans = [
        LineSpan(0, 20, Box(0.0, 0.0, 1.0, 0.1)),
        LineSpan(21, 41, Box(0.0, 0.1, 1.0, 0.2)),
        LineSpan(42, 52, Box(0.0, 0.2, 0.5, 0.3)),
    ]
    assert locate_span(spans, 5, 10) == Box(0.25, 0.0, 0.5, 0.1)
    assert locate_span(spans, 31, 41) == Box(0.5, 0.1, 1.0, 0.2)
    assert locate_span(spans, 10, 47) == Box(0.0, 0.0, 1.0, 0.3)
    assert locate_span(spans, 31, 42) == Box(0.5, 0.1, 1.0, 0.2)
    assert locate_span(spans, 0, 52) == Box(0.0, 0.0, 1.0, 0.3)


def test_nothing_is_located_where_nothing_is_known() -> None:
    assert locate_span([], 0, 5) is None
    assert locate_span([LineSpan(10, 20, FULL_BOX)], 0, 10) is None
    assert locate_span([LineSpan(10, 20, FULL_BOX)], 12, 12) is None


def test_a_line_that_stands_on_its_side_keeps_its_box() -> None:
    assert locate_span([LineSpan(0, 20, Box(0.1, 0.1, 0.15, 0.9))], 5, 10) == Box(0.1, 0.1, 0.15, 0.9)


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_located_box_lies_within_the_lines(start: int, end: int) -> None:
    spans = [LineSpan(5, 20, Box(0.2, 0.1, 0.8, 0.2)), LineSpan(21, 40, Box(0.1, 0.2, 0.9, 0.3))]
    box = locate_span(spans, start, end)
    touched = [span for span in spans if span.start < end and start < span.end and start < end]
    assert (box is None) == (not touched)
    if box is not None:
        assert 0.1 <= box.x0 < box.x1 <= 0.9 and 0.1 <= box.y0 < box.y1 <= 0.3
