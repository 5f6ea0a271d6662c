"""Lines become passages that can be searched, quoted and located again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.text.passages import (
    Passage,
    build_cue_passages,
    build_page_passages,
    build_screen_passages,
    locate_text,
    split_sentences,
)
from indexer.types import Box, LineSpan, Origin, Segment, TextLine

FULL_BOX = Box(0.1, 0.1, 0.9, 0.2)


def split_text(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


def page_line(text: str, row: int = 0, block: int = 0) -> TextLine:
    return TextLine(text, Origin.PAGE, box=Box(0.1, row / 100, 0.9, (row + 1) / 100), block=block)


def page_lines(*blocks: list[str]) -> list[TextLine]:
    rows = iter(range(100))
    return [page_line(text, next(rows), block) for block, lines in enumerate(blocks) for text in lines]


def make_cue(start_s: float, end_s: float, text: str, block: int = 0, origin: Origin = Origin.SUBTITLE) -> TextLine:
    return TextLine(text, origin, start_s, end_s, block=block)


def make_sentence(count: int, word: str = "word") -> str:
    return " ".join(["The", *[word] * (count - 1)]) + "."


def to_segment(passage: Passage) -> Segment:
    return Segment(0, passage.origin, page=passage.page, box=passage.box, text=passage.text, lines=passage.lines)


# Sentences


@pytest.mark.parametrize(
    "parts",
    [
        ["The truck leaves.", "It comes back!", "Does it?", "Yes."],
        ["He said “Go.”", "Then he left (at once).", "Nobody saw it."],
        ["Tools, e.g. a hammer, are kept here.", "See Dr. Smith, i.e. the owner."],
        ["See No. 5 and Fig. 3 on p. 12.", "She said no.", "Then she left."],
        ["It costs 3.5 million at 10.30 today.", "It was 2020.", "That was it."],
        ["Mr. J. R. Tolkien of the U.S. Army wrote it.", "So did I.", "We met at 5 p.m.", "The end."],
        ["Am 5. Mai kommt z. B. Herr Dr. Weber.", "Er bleibt ca. 3 Tage."],
        ["1. Open the box.", "2. Take out the parts."],
        ["Wait... what?", "“Really?” he asked.", "Visit example.com today."],
        ["今日は晴れです。", "明日は「雨でしょう。」", "本当？", "はい！"],
        ["中文句子。", "English follows.", "再见！"],
        ["오늘은 맑습니다.", "내일은 비가 옵니다."],
        ["We climbed Mt. Kestrel.", "It took a day."],
        ["It was weaker . . . than that.", "It failed . . ."],
        ["Il a dit : « Bonjour ! »", "Puis il est parti."],
        ["値は３．２９％です。", "（本当です。）。", "はい。"],
        ["A heading without a stop", "And a line below it"],
    ],
)
def test_sentences_end_where_a_reader_sees_them_end(parts: list[str]) -> None:
    glue = "\n" if parts[0].startswith("A heading") else " "
    text = glue.join(parts)
    assert split_text(text) == parts
    assert split_text(f"  {text}\n") == parts


def test_full_width_sentences_need_no_space_between_them() -> None:
    assert split_text("今日は晴れです。明日は雨です！本当？はい") == [
        "今日は晴れです。",
        "明日は雨です！",
        "本当？",
        "はい",
    ]


@given(st.text(st.sampled_from('ab Z.!?。！\n\t"”)(5DrNo，é-'), max_size=80) | st.text(max_size=80))
def test_sentence_spans_hold_every_character_that_is_no_space_in_order(text: str) -> None:
    spans = split_sentences(text)
    held = [i for start, end in spans for i in range(start, end)]
    assert held == sorted(set(held))
    assert all(text[i].isspace() for i in set(range(len(text))) - set(held))
    assert all(start < end and text[start:end] == text[start:end].strip() for start, end in spans)


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


def test_a_table_is_cut_every_few_rows_and_keeps_its_header() -> None:
    rows = ["Item\tQuantity\tPrice", *(f"Tool {i}\t{i}\t{i}.50" for i in range(6))]
    passages = build_page_passages(page_lines(["Stock"], rows), 1)
    assert [passage.text for passage in passages] == [
        "Stock\nItem | Quantity | Price\nTool 0 | 0 | 0.50\nTool 1 | 1 | 1.50\nTool 2 | 2 | 2.50\nTool 3 | 3 | 3.50",
        "Item | Quantity | Price\nTool 4 | 4 | 4.50\nTool 5 | 5 | 5.50",
    ]
    assert passages[1].box == Box(0.1, 0.06, 0.9, 0.08)
    last = passages[1].text
    assert locate_text(to_segment(passages[1]), last.index("Tool 5"), len(last)) == Box(0.1, 0.07, 0.9, 0.08)


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


# Cues


def test_cues_become_passages_of_sentences() -> None:
    cues = [
        make_cue(float(i), i + 0.9, text)
        for i, text in enumerate([make_sentence(10), "and then", make_sentence(15), "Next one."])
    ]
    passages = build_cue_passages(cues)
    assert [(p.text, p.start_s, p.end_s) for p in passages] == [
        (f"{cues[0].text} and then {cues[2].text}", 0.0, 2.9),
        ("Next one.", 3.0, 3.9),
    ]
    assert all(p.origin is Origin.SUBTITLE and p.box is None and p.lines == () for p in passages)


def test_a_pause_ends_a_passage() -> None:
    passages = build_cue_passages([make_cue(0, 1, "one"), make_cue(2.5, 3, "two"), make_cue(4.6, 5, "three")])
    assert [(p.text, p.start_s, p.end_s) for p in passages] == [("one two", 0, 3), ("three", 4.6, 5)]


def test_a_passage_of_cues_stays_within_its_limits() -> None:
    many = [make_cue(i * 2.0, i * 2.0 + 2, f"some words without an end {i}") for i in range(60)]
    passages = build_cue_passages(many)
    assert all((p.end_s or 0) - (p.start_s or 0) <= 30 and len(p.text.split()) <= 60 for p in passages)
    assert " ".join(p.text for p in passages) == " ".join(line.text for line in many)


def test_a_cue_that_is_too_long_shares_out_its_time() -> None:
    text = " ".join([make_sentence(50), make_sentence(50)])
    first, second = build_cue_passages([make_cue(10, 30, text, origin=Origin.SPEECH)])
    assert (first.text, second.text) == (make_sentence(50), make_sentence(50))
    assert (first.start_s, second.end_s) == (10, 30)
    assert first.end_s == pytest.approx(20, abs=0.1)
    assert second.start_s == pytest.approx(20, abs=0.1)


def test_a_dash_at_the_end_of_a_cue_stays() -> None:
    assert build_cue_passages([make_cue(0, 1, "I was-"), make_cue(1, 2, "what?")])[0].text == "I was- what?"


def test_tracks_are_not_mixed() -> None:
    english = [make_cue(0, 1, "one"), make_cue(1, 2, "two")]
    german = [make_cue(0, 1, "eins", 1), make_cue(1, 2, "zwei", 1)]
    assert [p.text for p in build_cue_passages(english + german)] == ["one two", "eins zwei"]


def test_a_sidecar_that_repeats_a_stream_adds_nothing() -> None:
    stream = [make_cue(0, 1, "one"), make_cue(1, 2, "two"), make_cue(50, 51, "three")]
    sidecar = [
        make_cue(0.2, 1.2, "one"),
        make_cue(1.2, 2.2, "two"),
        make_cue(50.2, 51.2, "three"),
        make_cue(99, 100, "one two"),
    ]
    passages = build_cue_passages(stream + sidecar)
    assert [(p.text, p.start_s) for p in passages] == [("one two", 0), ("three", 50), ("one two", 99)]


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0.1, 40), st.text(st.sampled_from("ab. 東"), min_size=1, max_size=80)),
        max_size=12,
    ),
    st.integers(1, 20),
)
def test_passages_of_cues_lie_within_their_cues(raw: list[tuple[float, float, str]], max_words: int) -> None:
    cues = [make_cue(start, start + length, text) for start, length, text in sorted(raw)]
    passages = build_cue_passages(cues, max_words=max_words)
    spoken = [line for line in cues if line.text.strip()]
    assert bool(passages) == bool(spoken)
    for passage in passages:
        assert passage.start_s is not None and passage.end_s is not None
        assert passage.start_s < passage.end_s
        assert passage.start_s >= min(line.start_s or 0 for line in spoken)
        assert passage.end_s <= max(line.end_s or 0 for line in spoken) + 1e-9
    assert [p.start_s for p in passages] == sorted(p.start_s or 0 for p in passages)


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
