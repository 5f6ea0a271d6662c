"""Korean, all the way: documents and subtitles in CP949 answer in Korean, and across languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from indexer.types import SegmentFilter
from services.answering.abstention import NOTHING_FOUND_IN
from services.answering.types import Answer
from services.container import Container
from tests.support.containers import open_container
from tests.support.small_archive import GULLS_SENTENCE, make_document
from tests.support.video_fixtures import make_video

_LEASE = [
    "제1조 본 계약은 갑과 을이 서명한 날부터 효력이 발생한다.",
    "제2조 임대차 기간은 삼 년으로 하며, 월 임대료는 백이십만 원이다.",
    "제3조 계약을 해지하려면 두 달 전에 서면으로 통지하여야 한다.",
]
_CUES = [("00:00:01,000", "00:00:04,000", "이 등대는 천구백삼 년에 세워졌습니다."),
         ("00:00:06,000", "00:00:10,000", "등대지기는 매일 아침 유리를 닦습니다.")]  # fmt: skip
_SETTINGS = {
    "text__model": "multilingual-e5-small",
    "visual__model": "",
    "speech__model": "",
    "ocr__enabled": "false",
    "answer__min_probability": "0.3",
}
"""No lane but the text's and, as in the demo profile, a lower threshold: of small archives search is less sure."""


def _write_lease(path: Path) -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("HYSMyeongJo-Medium"))
    canvas = Canvas(str(path))
    for article in _LEASE:
        canvas.setFont("HYSMyeongJo-Medium", 12)
        canvas.drawString(60, 700, article)
        canvas.showPage()
    canvas.save()


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    folder = tmp_path_factory.mktemp("korean") / "archive"
    folder.mkdir()
    _write_lease(folder / "임대차 계약서.pdf")
    make_document(folder / "prices.pdf", "A list of prices, for the harbour.", GULLS_SENTENCE)
    make_video(folder / "등대.mp4", count=300, rate=25, options={"preset": "ultrafast"})
    blocks = [f"{number}\n{start} --> {end}\n{text}\n" for number, (start, end, text) in enumerate(_CUES, 1)]
    (folder / "등대.srt").write_bytes("\n".join(blocks).encode("cp949"))
    opened = open_container(folder.parent / "home", **_SETTINGS)
    assert [line.reason for line in opened.indexing.index_paths([folder], "default") if line.reason] == []
    yield opened
    opened.close()


def _ask(container: Container, question: str) -> Answer:
    return container.answering.ask(question, SegmentFilter())


@pytest.mark.parametrize(
    ("question", "name", "page", "quoted"),
    [
        ("계약을 해지하려면 언제까지 통지해야 합니까?", "임대차 계약서.pdf", 3, "두 달 전"),
        ("월 임대료는 얼마인가요?", "임대차 계약서.pdf", 2, "백이십만 원"),
        ("등대는 언제 세워졌나요?", "등대.mp4", None, "천구백삼 년"),
        ("How long before must the lease be terminated in writing?", "임대차 계약서.pdf", 3, "두 달 전"),
    ],
)
def test_a_question_is_answered_from_what_stands_in_either_language(
    container: Container, question: str, name: str, page: int | None, quoted: str
) -> None:
    answer = _ask(container, question)
    places = [
        (citation.evidence.result.asset.name, citation.evidence.result.segment.page, citation.quote)
        for sentence in answer.sentences
        for citation in sentence.citations
    ]
    assert any(place[:2] == (name, page) and quoted in place[2] for place in places), (answer.text, places)


def test_a_moment_is_cited_by_its_subtitle(container: Container) -> None:
    (sentence, *_) = _ask(container, "등대지기는 매일 아침 무엇을 합니까?").sentences
    segment = sentence.citations[0].evidence.result.segment
    assert (segment.start_s, segment.end_s) == (6.0, 10.0)


def test_what_is_not_there_is_refused_in_korean(container: Container) -> None:
    answer = _ask(container, "화성의 평균 기온은 몇 도입니까?")
    assert (answer.abstained, answer.text) == (True, NOTHING_FOUND_IN["ko"])
