from __future__ import annotations

import pytest

from indexer.indexes.bm25 import CorpusStatistics, score_keywords
from indexer.text.tokenizer import JOINERS, tokenize, tokenize_document, tokenize_query


@pytest.mark.parametrize(
    ("query", "terms"),
    {
        "When does the fire truck leave?": ("fire", "truck", "leav"),
        "leaves leaving leave studies studied study": ("leav", "studi"),
        "stopped running boxes classes bus": ("stop", "run", "box", "class", "bus"),
        "deviation deviates": ("deviat",),
        "INV-2041": ("inv-2041", "inv", "2041"),
        "R&D": ("r&d", "r", "d"),
        "state-of-the-art": ("state", "art"),
        "file_name_2": ("file-name-2", "file", "name", "2"),
        "Ｆｕｌｌ ﾀﾜｰ": ("full", "タワ", "ワー"),
        "해지 통지 기간은 며칠인가요?": ("해지", "통지", "기간"),
        "집": ("집",),
        "契約の解約期間はいつですか": ("契約", "解約", "約期", "期間"),
        "8,412.50": ("8412.50", "8412", "50"),
        "8.412,50": ("8412.50", "8412", "50"),
        "8 412,50": ("8412.50", "8412", "50"),
        "8\u00a0412": ("8412",),
        "1,23,456.78": ("123456.78", "123456", "78"),
        "EUR8,412.50": ("eur", "8412.50", "8412", "50"),
        "0.412": ("0.412", "0", "412"),
        "192.168.1.1": ("192.168.1.1", "192", "168", "1"),
        "12.05.2024": ("12.05.2024", "12", "05", "2024"),
        "in 2019 200 people": ("2019", "200", "peopl"),
        "12 345": ("12", "345"),
        "東京タワー": ("東京", "タワ", "ワー"),
        "かに": ("かに",),
        "ジョン・スミス": ("ジョ", "ョン", "スミ", "ミス"),
        "合同的通知期是多久": ("合同", "通知", "知期"),
        "目的": ("目的",),
    }.items(),
)
def test_a_query_asks_for_its_content_words(query: str, terms: tuple[str, ...]) -> None:
    assert tokenize_query(query) == terms


def test_unspaced_runs_give_every_character_and_every_pair() -> None:
    assert tokenize("계약서") == ["계", "계약", "약", "약서", "서"]


def test_tokens_hold_no_ascii_that_would_end_them() -> None:
    text = "".join(map(chr, range(1, 0x3000))) + " a" + JOINERS + "b 1" + "2".join(JOINERS) + "3"
    plain = {character for token in tokenize_document(text) for character in token if character.isascii()}
    assert all(character.isalnum() or character in JOINERS for character in plain)


def test_a_token_is_never_longer_than_a_word() -> None:
    long_words = "x" * 5000 + " " + "1-" * 5000 + " " + "12," * 5000 + " " + "AB-" * 5000 + " " + "ab1" * 5000
    assert max(map(len, tokenize_document(long_words))) <= 64


def test_a_score_lies_between_none_and_all_of_the_query() -> None:
    corpus = CorpusStatistics(100, 1000, {"fire": 50, "truck": 1})
    both = score_keywords(("fire", "truck"), ["fire", "truck"], corpus)
    rare = score_keywords(("fire", "truck"), ["truck"], corpus)
    common = score_keywords(("fire", "truck"), ["fire"] * 9, corpus)
    assert 1 >= both > rare > 0.8 > 0.2 > common > 0
    assert score_keywords(("fire",), ["harbour"], corpus) == 0


def test_equal_shares_are_ordered_by_bm25() -> None:
    corpus = CorpusStatistics(100, 1000, {"fire": 5})
    dense = score_keywords(("fire",), ["fire", "fire", "engine"], corpus)
    thin = score_keywords(("fire",), ["fire"] + ["word"] * 50, corpus)
    assert thin < dense < thin + 0.01


@pytest.mark.parametrize(
    ("text", "variants"),
    {
        "RE16 XYZ": {"re16xyz", "re", "16"},
        "RE16XYZ": {"re", "16", "xyz", "re16", "16xyz"},
        "E-7741": {"e7741"},
        "AX-2000/7B": {"ax20007b", "ax-2000", "2000/7b"},
        "well-known": {"wellknown"},
        "tele-communications-based": {"telecommunicationsbas", "telecommun", "communicationsbas"},
        "8,412": {"8.412", "8", "412"},
        "192.168.100.200": {"192", "168", "100", "200"},
        "a1b2c3d4e5f6": set(),
        "plain words": set(),
        "THE HARBOUR": set(),
    }.items(),
)
def test_a_document_is_also_found_by_variants_of_its_codes_numbers_and_compounds(text: str, variants: set[str]) -> None:
    assert set(tokenize_document(text)) - set(tokenize(text)) == variants


def test_what_a_query_asks_for_is_indexed_however_a_number_is_written() -> None:
    writings = ["8,412.50", "8.412,50", "8 412,50", "8'412.50", "8\u2009412.50", "8412.50", "8412,50", "€8,412.50"]
    for written in writings:
        for asked in writings:
            assert set(tokenize_query(asked)) <= set(tokenize_document(f"a sum of {written}.")), (written, asked)
