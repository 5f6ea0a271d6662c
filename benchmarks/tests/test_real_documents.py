"""The bed of real documents: its data hold together, answers are judged as they should be, drawings repeat."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.answers import load_answerable
from benchmarks.real_documents import __main__ as command
from benchmarks.real_documents.asking import Perfect, ask_all
from benchmarks.real_documents.baselines import VectorCache, fuse_ranks, split_words
from benchmarks.real_documents.bed import (
    TRAINING_DATA,
    BedError,
    BedQuestion,
    Document,
    Half,
    Medium,
    load_documents,
    load_questions,
)
from benchmarks.real_documents.check_data import check_apart, check_documents, check_questions
from benchmarks.real_documents.chunks import cut_text
from benchmarks.real_documents.drawing.photographing import make_photo
from benchmarks.real_documents.drawing.scanning import make_scan
from benchmarks.real_documents.fetch import name_files
from benchmarks.real_documents.normalisation import contains, contains_alternative, normalise
from benchmarks.real_documents.verdicts import BedVerdict, Place, judge_answer, rank_right_page
from indexer.types import Vectors
from services.answering.types import Answer, Sentence, Verdict, Verification
from tests.support.containers import MakeContainer

MANUAL = Document("manual", "en", "manual", Half.WORK, package="tool-doc", path="usr/share/doc/tool/manual.pdf.gz")
QUESTION = BedQuestion("manual-01", "manual", "How big may a file be?", "en", "fact", (3, 4), (("3 MB",),), "3 MB")


def make_answer(text: str) -> Answer:
    """Return an answer of one sentence; an abstention where it is empty."""
    sentence = Sentence(text, Verification(Verdict.SUPPORTED, 1.0), ())
    return Answer(text, not text, (sentence,) if text else ())


def test_the_documents_and_questions_of_the_bed_are_well_formed() -> None:
    documents = load_documents()
    assert [*check_documents(documents), *check_questions(load_questions(), documents)] == []


def test_related_documents_in_both_halves_are_noticed() -> None:
    other = Document("other", "en", "manual", Half.HELD_BACK, package="tool-doc", path="usr/share/doc/tool/b.pdf")
    assert list(check_documents([MANUAL, other])) == ["tool-doc: in both halves"]


def test_a_scan_of_a_page_that_the_bed_has_with_its_text_is_noticed() -> None:
    scan = Document(
        "scan",
        "en",
        "scan",
        Half.WORK,
        package=MANUAL.package,
        path=MANUAL.path,
        medium=Medium.SCAN,
        file="scan.pdf",
        of_pages=(2,),
    )
    assert list(check_documents([MANUAL, scan])) == ["scan: shows pages that manual has too"]


def test_a_question_that_contains_its_answer_or_has_no_quote_is_noticed() -> None:
    told = BedQuestion("a", "manual", "Is it 3 MB?", "en", "fact", (3,), (("3 MB",),), "")
    assert list(check_questions([told], [MANUAL])) == [
        "a: pages, answers or the quote are missing",
        "a: the question contains its answer",
    ]


def test_texts_are_compared_without_case_forms_and_separators() -> None:
    assert normalise("Ｔotal:\n 1,234.50 CHF 2'000 – ﬁne") == "total: 1234.50 chf 2000 - fine"
    assert contains("bis zu 3\u202f000 Dateien", "3000")
    assert contains("지급기한: 2025년\n6월 30일", "2025년 6월30일")
    assert not contains("page 15", "5")
    assert not contains("at 1.5 s", "5 s")
    assert contains("EUR 450.00 in cash", "450")
    assert not contains("EUR 450.10 in cash", "450")
    assert contains_alternative("between 15 Hz and 1 MHz", [("16 Hz",), ("1 MHz", "15 Hz")])


@pytest.mark.parametrize(
    ("text", "page", "verdict"),
    [
        ("At most 3 MB.", 4, BedVerdict.RIGHT),
        ("At most 3 MB.", 5, BedVerdict.UNPROVEN),
        ("At most 4 MB.", 4, BedVerdict.WRONG),
        ("At most 3 MB." + " So it is." * 100, 4, BedVerdict.WRONG),
        ("", 4, BedVerdict.REFUSED),
    ],
)
def test_an_answer_is_right_where_it_says_it_shortly_and_cites_a_page_that_proves_it(
    text: str, page: int, verdict: BedVerdict
) -> None:
    assert judge_answer(QUESTION, make_answer(text), [Place("other", 4), Place("manual", page)]) is verdict


def test_any_answer_to_a_question_without_an_answer_is_wrong() -> None:
    question = BedQuestion("b", "manual", "Who drew it?", "en", "unanswerable", (), (), "", "no name is given")
    assert judge_answer(question, make_answer("Somebody."), [Place("manual", 1)]) is BedVerdict.WRONG
    assert judge_answer(question, make_answer(""), []) is BedVerdict.REFUSED


def test_the_place_of_the_right_page_counts_different_pages() -> None:
    places = [Place("other", 3), Place("other", 3), Place("manual", 2), Place("manual", 4)]
    assert rank_right_page(QUESTION, places) == 3
    assert rank_right_page(QUESTION, places[:3]) == 0


def test_files_of_one_name_are_told_apart_by_their_packages() -> None:
    twin = Document("twin", "en", "manual", Half.WORK, package="b-doc", path="usr/share/doc/b/Manual.pdf")
    again = Document("again", "en", "manual", Half.WORK, package="b-doc", path="usr/share/doc/b/x/manual.pdf")
    assert name_files([MANUAL, twin, again]) == {
        "manual": "manual (tool-doc).pdf",
        "twin": "Manual (b-doc).pdf",
        "again": "manual (b-doc) 2.pdf",
    }


def test_chunks_end_between_words_and_lose_none() -> None:
    text = "word " * 400
    chunks = list(cut_text(text))
    assert max(map(len, chunks)) <= 700
    assert " ".join(chunks).split() == text.split()
    assert "".join(cut_text("가" * 1500)) == "가" * 1500


def test_words_of_scripts_without_spaces_are_pairs_of_letters() -> None:
    assert split_words("Use --persist 設定画面") == ["use", "persist", "設定", "定画", "画面"]


def test_what_two_rankings_have_in_front_is_first() -> None:
    assert fuse_ranks([[1, 2, 3], [3, 1]])[0] == 1


def test_a_text_is_encoded_once(tmp_path: Path) -> None:
    encoded: list[str] = []

    def encode(texts: Sequence[str]) -> Vectors:
        encoded.extend(texts)
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)

    for _ in range(2):
        vectors = VectorCache(tmp_path / "vectors.db", "lengths", encode).encode(["ab", "abc", "ab"])
        assert vectors.tolist() == [[2.0, 1.0], [3.0, 1.0], [2.0, 1.0]]
    assert encoded == ["ab", "abc"]


def test_a_scan_and_a_photograph_of_one_seed_are_the_same_bytes() -> None:
    page = Image.new("RGB", (620, 877), "white")
    assert make_scan([page], 7, "PAID") == make_scan([page], 7, "PAID") != make_scan([page], 8, "PAID")
    assert make_photo(page, 7) == make_photo(page, 7) != make_photo(page, 8)


def test_the_data_for_training_are_well_formed_and_apart_from_the_bed() -> None:
    documents = load_documents(data=TRAINING_DATA)
    assert [*check_documents(documents), *check_questions(load_questions(data=TRAINING_DATA), documents)] == []
    assert list(check_apart(documents, load_documents())) == []


def test_a_translation_of_a_file_of_the_bed_is_told_by_its_name() -> None:
    def make(package: str, path: str, half: Half) -> Document:
        return Document(path, "en", "manual", half, package, path)

    bed = [make("guide-doc-ko", "guide.ko.pdf", Half.WORK)]
    others = [make("guide-doc-fr", "guide.fr.pdf.gz", Half.TRAINING), make("lamp-doc", "guide.fr.pdf", Half.TRAINING)]
    (fault,) = check_apart(others, bed)
    assert fault.startswith("guide.fr.pdf.gz: ")


def test_a_stamp_needs_a_free_place() -> None:
    with pytest.raises(BedError, match="no free place"):
        make_scan([Image.new("RGB", (620, 877), "black")], 7, "PAID")


def test_details_of_the_held_back_half_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["real_documents", "--half", "held_back", "--details", str(tmp_path / "d.jsonl")])
    with pytest.raises(SystemExit):
        command.main()


@pytest.mark.slow
def test_with_the_right_page_given_an_answer_cites_no_other(make_container: MakeContainer, indexed_home: Path) -> None:
    container = make_container(indexed_home)
    names = {
        asset.name: Document(asset.name, "en", "other", Half.WORK, package="sample", path=asset.name)
        for asset in container.catalog.assets()
    }
    questions = [
        BedQuestion(
            question.id, question.file, question.question, "en", "fact", (question.page,), ((question.answer,),), ""
        )
        for question in load_answerable()
        if question.page is not None
    ]
    for perfect in (None, *Perfect):
        results = list(ask_all(container, questions, names, perfect))
        assert [result.id for result in results] == [question.id for question in questions]
        assert sum(result.verdict is BedVerdict.RIGHT for result in results) >= 0.8 * len(results)
        if perfect is Perfect.PAGE:
            cited = [(place.document, place.page) for result in results for place in result.cited]
            assert set(cited) <= {(question.document, question.pages[0]) for question in questions}
