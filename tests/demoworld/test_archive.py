"""The demo archive is what its truth says, and the question lists fit it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pypdfium2
import pytest
from PIL import ExifTags, Image

from demoworld.archive import PhotoAlbum, load_data, make_archive
from demoworld.photos import write_photo
from demoworld.scanned_pdfs import write_scanned_pdf
from demoworld.text_pdfs import DocumentSpec, write_text_pdf
from demoworld.truth import Fact, read_truth
from demoworld.video_encoding import Film, write_mp4, write_webm

QUESTION_LISTS = Path(__file__).parents[2] / "benchmarks" / "data"
FILMS = ("welcome_aboard.toml", "slipway_2022.toml")
PAPERS = ("staff_handbook.toml", "annual_report_2023.toml")
LETTER = "inspection_letter_1978.toml"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("archive")
    make_archive(root)
    return root


@pytest.fixture(scope="module")
def facts(archive: Path) -> tuple[Fact, ...]:
    return read_truth(archive).facts


def read_rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (QUESTION_LISTS / name).read_text(encoding="utf-8").splitlines()]


def is_at_row(fact: Fact, row: dict[str, Any]) -> bool:
    """Whether a fact is where a row says that its answer is."""
    return (fact.file, fact.where, fact.page, fact.start_s, fact.end_s) == (
        row["file"],
        row["where"],
        row["page"],
        row["start_s"],
        row["end_s"],
    )


def page_texts(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as document:
        return [" ".join(page.get_textpage().get_text_bounded().split()) for page in document]


@pytest.mark.slow
def test_truth_names_every_medium_once_and_places_facts_inside(archive: Path, facts: tuple[Fact, ...]) -> None:
    media = {p.relative_to(archive).as_posix() for p in archive.rglob("*") if p.is_file()}
    assert media - {"truth.json", "videos/slipway_2022.srt"} == {fact.file for fact in facts}
    assert len({fact.id for fact in facts}) == len(facts)
    for fact in facts:
        assert (fact.box is None) == (fact.where == "subtitle")
        assert (fact.page is None) == (fact.kind != "document")
        if fact.box:
            assert 0 <= fact.box.x0 < fact.box.x1 <= 1 and 0 <= fact.box.y0 < fact.box.y1 <= 1, fact


@pytest.mark.slow
@pytest.mark.parametrize("name", FILMS)
def test_a_film_is_as_long_as_its_scenes_and_every_span_is_inside(
    name: str, archive: Path, facts: tuple[Fact, ...]
) -> None:
    film = load_data(name, Film)
    with av.open(archive / film.file) as source:
        times = [packet.pts * packet.time_base for packet in source.demux(video=0) if packet.pts is not None]
    length = sum(scene.seconds for scene in film.scenes)
    assert len(times) == length * film.fps
    assert min(times) == 0
    assert max(times) == pytest.approx(length - 1 / film.fps, abs=0.002)
    spans = [(fact.start_s, fact.end_s) for fact in facts if fact.file == film.file]
    assert all(start is not None and end is not None and 0 <= start < end <= length for start, end in spans)


@pytest.mark.slow
def test_the_embedded_subtitles_are_the_cues(archive: Path) -> None:
    film = load_data(FILMS[0], Film)
    with av.open(archive / film.file) as source:
        packets = [packet for packet in source.demux(subtitles=0) if packet.size > 2]
        subtitles = [
            ((float(p.pts * p.time_base), float((p.pts + p.duration) * p.time_base)), bytes(p)[2:].decode())
            for p in packets
        ]
    assert [text for _, text in subtitles] == [cue.text for cue in film.cues]
    for (span, _), cue in zip(subtitles, film.cues, strict=True):
        assert span == pytest.approx(cue.span, abs=0.001)


@pytest.mark.slow
def test_the_sidecar_has_every_cue_and_no_line_of_the_screen(archive: Path) -> None:
    film = load_data(FILMS[1], Film)
    text = (archive / film.file).with_suffix(".srt").read_text(encoding="utf-8")
    assert all(cue.text in text for cue in film.cues)
    assert "00:00:09,000 --> 00:00:13,400" in text
    assert not any(line in text for scene in film.scenes for line in scene.lines)


@pytest.mark.slow
def test_photos_carry_their_date_and_one_its_turn(archive: Path) -> None:
    rotated = []
    for photo in load_data("photos.toml", PhotoAlbum).photos:
        with Image.open(archive / photo.file) as picture:
            exif = picture.getexif()
            taken = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal]
            assert taken == photo.taken.strftime("%Y:%m:%d %H:%M:%S")
            if exif[ExifTags.Base.Orientation] == 6:
                rotated.append(photo.file)
                assert picture.size == photo.size[::-1]
            else:
                assert picture.size == photo.size
    assert rotated == ["photos/receipt_chandler.jpg"]


@pytest.mark.slow
def test_two_photos_of_one_name_differ(archive: Path) -> None:
    assert (archive / "photos/2023/label.jpg").read_bytes() != (archive / "photos/2024/label.jpg").read_bytes()


@pytest.mark.slow
def test_the_text_layer_of_a_paper_is_its_truth_on_every_page(archive: Path, facts: tuple[Fact, ...]) -> None:
    for name in PAPERS:
        paper = load_data(name, DocumentSpec)
        texts = page_texts(archive / paper.file)
        assert len(texts) == len(paper.pages)
        for fact in facts:
            if fact.file == paper.file and fact.where == "page":
                assert fact.page is not None
                assert " ".join(fact.text.split()) in texts[fact.page - 1]
        pictured = [fact for fact in facts if fact.file == paper.file and fact.where == "scan"]
        assert {fact.page for fact in pictured} == {n for n, page in enumerate(paper.pages, start=1) if page.chart}


@pytest.mark.slow
def test_boxes_of_a_paper_enclose_their_words_also_on_the_rotated_page(archive: Path, facts: tuple[Fact, ...]) -> None:
    row = next(fact for fact in facts if "13.2 knots" in fact.text)
    assert row.page == 4 and row.box is not None
    with pypdfium2.PdfDocument(archive / row.file) as document:
        page = document[3]
        assert (page.get_rotation(), page.get_size()) == (90, (842, 595))
        ink = page.render(scale=2).to_pil().convert("L").point(lambda level: 255 if level < 128 else 0)
    width, height = ink.size
    edges = (row.box.x0 * width, row.box.y0 * height, row.box.x1 * width, row.box.y1 * height)
    words = ink.crop((0, int(edges[1]) + 2, width, int(edges[3]) - 1)).getbbox()
    assert words is not None
    assert (words[0], words[2]) == pytest.approx((edges[0], edges[2]), abs=6)


@pytest.mark.slow
def test_the_letter_has_no_text_layer(archive: Path) -> None:
    assert page_texts(archive / load_data(LETTER, DocumentSpec).file) == ["", ""]


@pytest.mark.slow
def test_every_answer_stands_where_its_row_says_and_nowhere_else(facts: tuple[Fact, ...]) -> None:
    for row in read_rows("answerable.jsonl"):
        holding = [fact for fact in facts if row["answer"].lower() in fact.text.lower()]
        assert holding, row
        assert all(is_at_row(fact, row) and fact.kind == row["kind"] for fact in holding), row


def test_the_lists_are_complete_and_varied() -> None:
    answerable, unrelated = read_rows("answerable.jsonl"), read_rows("unrelated.jsonl")
    assert len(answerable) == len(unrelated) == 30
    assert len({row["question"] for row in answerable + unrelated}) == 60
    count = {
        where: sum(row["where"] == where for row in answerable)
        for where in ("subtitle", "screen", "photo", "page", "scan")
    }
    assert count == {"subtitle": 4, "screen": 5, "photo": 8, "page": 10, "scan": 3}


def test_photos_and_papers_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    for root in (tmp_path / "one", tmp_path / "two"):
        write_photo(load_data("photos.toml", PhotoAlbum).photos[0], root)
        write_text_pdf(load_data(PAPERS[1], DocumentSpec), root)
        write_scanned_pdf(load_data(LETTER, DocumentSpec), root)
    made = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file()]
    assert len(made) == 3
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in made)


def test_films_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    for root in (tmp_path / "one", tmp_path / "two"):
        for name, shoot in zip(FILMS, (write_mp4, write_webm), strict=True):
            film = load_data(name, Film)
            shoot(replace(film, scenes=tuple(replace(scene, seconds=1) for scene in film.scenes[:2])), root)
    for name in FILMS:
        file = load_data(name, Film).file
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
