"""Sentences end where a reader sees them end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.text.sentences import split_sentences


def split_text(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


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
