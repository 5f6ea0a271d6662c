from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import av
import numpy as np
import pytest

from indexer.ocr.rapid_ocr import RapidOcrEngine
from indexer.ocr.text_tracking import TextTracker, recognize_text
from indexer.types import Origin, Pixels, TextLine
from tests.support.contract_ocr_engine import draw_lines

FIRST = [(60, 60, 28, "Quarterly report for the board"), (60, 130, 24, "Net revenue rose by 12 percent")]
SECOND = [(80, 80, 28, "The notice period is three months"), (80, 200, 20, "Contact the office in writing")]


def draw_slide(lines: Sequence[tuple[int, int, int, str]]) -> Pixels:
    return draw_lines(lines)[0]


def add_noise(picture: Pixels, seed: int, sigma: float = 6.0) -> Pixels:
    grain = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return (picture + grain).clip(0, 255).astype(np.uint8)


def compress(frames: Iterable[Pixels], crf: int = 36) -> list[Pixels]:
    """The frames as they come out of H.264 of poor quality, with a key frame every four."""
    memory = io.BytesIO()
    with av.open(memory, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=1, options={"crf": str(crf), "g": "4"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    memory.seek(0)
    with av.open(memory) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def track_text(reader: RapidOcrEngine, frames: Sequence[Pixels]) -> tuple[TextTracker, list[TextLine]]:
    """One frame a second, all lines at the end."""
    screen = TextTracker(reader)
    for second, frame in enumerate(frames):
        screen.update(float(second), frame)
    return screen, screen.finish(float(len(frames)))


def text_spans(lines: Iterable[TextLine]) -> list[tuple[str, float | None, float | None]]:
    return [(line.text, line.start_s, line.end_s) for line in lines]


def test_a_slide_that_stays_is_searched_and_read_once(rapid_ocr: RapidOcrEngine) -> None:
    screen, lines = track_text(rapid_ocr, [draw_slide(FIRST)] * 10)
    assert text_spans(lines) == [(text, 0.0, 10.0) for *_, text in FIRST]
    assert all(line.origin is Origin.OCR and line.confidence > 0.9 for line in lines)
    assert (screen.stats.frames, screen.stats.detections, screen.stats.recognized_boxes) == (10, 1, 2)


def test_noise_and_compression_are_not_read_again(rapid_ocr: RapidOcrEngine) -> None:
    grainy, _ = track_text(rapid_ocr, [add_noise(draw_slide(FIRST), i) for i in range(8)])
    assert grainy.stats.detections == 1
    poor, lines = track_text(rapid_ocr, compress([add_noise(draw_slide(FIRST), i, 3.0) for i in range(12)]))
    assert poor.stats.recognized_boxes == 2
    assert text_spans(lines) == [(text, 0.0, 12.0) for *_, text in FIRST]


def test_beside_a_running_clock_nothing_else_is_read_again(rapid_ocr: RapidOcrEngine) -> None:
    frames = [draw_slide([*FIRST, (500, 300, 24, f"12:00:0{second}")]) for second in range(6)]
    screen, lines = track_text(rapid_ocr, frames)
    assert screen.stats.recognized_boxes == 3 + 5
    still = [line for line in lines if not line.text.startswith("12")]
    assert text_spans(still) == [(text, 0.0, 6.0) for *_, text in FIRST]
    clock = [line for line in lines if line.text.startswith("12")]
    assert text_spans(clock) == [(f"12:00:0{second}", second, second + 1) for second in range(6)]


def test_a_change_of_slide_ends_the_old_lines_and_begins_the_new(rapid_ocr: RapidOcrEngine) -> None:
    screen, lines = track_text(rapid_ocr, [draw_slide(FIRST)] * 3 + [draw_slide(SECOND)] * 2 + [draw_slide([])] * 2)
    assert text_spans(lines) == [(text, 0.0, 3.0) for *_, text in FIRST] + [(text, 3.0, 5.0) for *_, text in SECOND]
    assert screen.stats.detections == 3


def test_a_line_that_appears_beside_others_leaves_them_alone(rapid_ocr: RapidOcrEngine) -> None:
    screen, lines = track_text(
        rapid_ocr, [draw_slide(FIRST)] * 2 + [draw_slide([*FIRST, (60, 300, 24, "Subtitle of one line")])] * 2
    )
    assert text_spans(lines) == [(text, 0.0, 4.0) for *_, text in FIRST] + [("Subtitle of one line", 2.0, 4.0)]
    assert screen.stats.recognized_boxes == 3


@pytest.mark.parametrize("height", [28, 48, 72, 84])
@pytest.mark.parametrize("place", [(30, 90), (37, 101), (44, 150)])
def test_a_title_that_appears_on_a_still_ground_is_read(
    rapid_ocr: RapidOcrEngine, place: tuple[int, int], height: int
) -> None:
    frames = [draw_slide([])] * 2 + [draw_slide([(*place, height, "KESTREL")])] * 2 + [draw_slide([])]
    _, lines = track_text(rapid_ocr, frames)
    assert text_spans(lines) == [("KESTREL", 2.0, 4.0)]


def test_text_that_fades_in_slowly_is_found(rapid_ocr: RapidOcrEngine) -> None:
    frames = [(255 - (255 - draw_slide(FIRST).astype(float)) * step / 20).astype(np.uint8) for step in range(21)]
    _, lines = track_text(rapid_ocr, frames)
    assert [line.text for line in lines] == [text for *_, text in FIRST]


@pytest.mark.parametrize("step", [-60, -25])
def test_a_line_that_moves_stays_one_line(rapid_ocr: RapidOcrEngine, step: int) -> None:
    frames = [draw_slide([(300 + step * i, 300, 24, "News from the harbour")]) for i in range(5)]
    _, lines = track_text(rapid_ocr, frames)
    assert text_spans(lines) == [("News from the harbour", 0.0, 5.0)]


def test_a_ticker_gives_few_lines_that_hold_all_of_its_words(rapid_ocr: RapidOcrEngine) -> None:
    text = "the fire truck left the station at noon and the bridge remains closed until further notice today"
    frames = [draw_slide([(400 - 90 * i, 300, 24, text)]) for i in range(15)]
    _, lines = track_text(rapid_ocr, frames)
    assert len(lines) <= 4
    found = " ".join(line.text for line in lines).split()
    assert set(text.split()) <= set(found)


def test_a_line_that_is_typed_is_one_line_with_its_last_text(rapid_ocr: RapidOcrEngine) -> None:
    _, lines = track_text(rapid_ocr, [draw_slide([(60, 60, 28, "print the whole page"[:n])]) for n in (5, 9, 15, 20)])
    assert text_spans(lines) == [("print the whole page", 0.0, 4.0)]


@pytest.mark.parametrize("crop", [(60, 130, 24, "Net revenue rose by 13 percent"), (60, 130, 24, "Net income fell")])
def test_a_number_that_changes_is_a_new_line(rapid_ocr: RapidOcrEngine, crop: tuple[int, int, int, str]) -> None:
    _, lines = track_text(rapid_ocr, [draw_slide(FIRST)] * 2 + [draw_slide([FIRST[0], crop])] * 2)
    assert text_spans(lines)[1:] == [(FIRST[1][3], 0.0, 2.0), (crop[3], 2.0, 4.0)]


def test_the_box_covers_what_was_drawn(rapid_ocr: RapidOcrEngine) -> None:
    picture, drawn_boxes = draw_lines(FIRST)
    _, lines = track_text(rapid_ocr, [picture] * 2)
    for line, (x0, y0, x1, y1) in zip(lines, drawn_boxes, strict=True):
        assert line.box is not None
        left, top, right, bottom = line.box.x0 * 640, line.box.y0 * 360, line.box.x1 * 640, line.box.y1 * 360
        shared = (min(right, x1) - max(left, x0)) * (min(bottom, y1) - max(top, y0))
        assert shared > 0.9 * (x1 - x0) * (y1 - y0)
        assert shared > 0.4 * (right - left) * (bottom - top)


def test_lines_are_given_once_when_they_have_ended(rapid_ocr: RapidOcrEngine) -> None:
    screen = TextTracker(rapid_ocr)
    screen.update(0.0, draw_slide(FIRST))
    assert screen.pop_lines_until(0.5) == []
    screen.update(1.0, draw_slide(SECOND))
    assert text_spans(screen.pop_lines_until(1.0)) == [(text, 0.0, 1.0) for *_, text in FIRST]
    assert screen.pop_lines_until(1.0) == []
    assert text_spans(screen.finish(2.0)) == [(text, 1.0, 2.0) for *_, text in SECOND]
    assert screen.finish(3.0) == []


def test_after_finish_the_same_picture_is_read_afresh(rapid_ocr: RapidOcrEngine) -> None:
    screen = TextTracker(rapid_ocr)
    screen.update(0.0, draw_slide(FIRST))
    first = screen.finish(60.0)
    screen.update(60.0, draw_slide(FIRST))
    assert [line.text for line in screen.finish(61.0)] == [line.text for line in first]
    assert screen.stats.detections == 2


def test_a_picture_of_another_size_ends_all_lines(rapid_ocr: RapidOcrEngine) -> None:
    _, lines = track_text(rapid_ocr, [draw_slide(FIRST), draw_lines(FIRST, (800, 400))[0]])
    assert text_spans(lines) == [(text, start, start + 1) for start in (0.0, 1.0) for *_, text in FIRST]


def test_two_frames_give_the_same_lines_whatever_was_seen_before_finish(rapid_ocr: RapidOcrEngine) -> None:
    used = TextTracker(rapid_ocr)
    used.update(0.0, draw_slide(SECOND))
    used.finish(1.0)
    fresh = TextTracker(rapid_ocr)
    for screen in (used, fresh):
        screen.update(1.0, draw_slide(FIRST))
        screen.update(2.0, draw_slide(SECOND))
    assert text_spans(used.finish(3.0)) == text_spans(fresh.finish(3.0))


class TestSinglePictures:
    def test_lines_come_in_paragraphs(self, rapid_ocr: RapidOcrEngine) -> None:
        page = [(40, 20, 18, "The first line of one"), (40, 46, 18, "and its second line")]
        page += [(40, 130, 18, "Another paragraph here"), (40, 156, 18, "ends the page")]
        lines = recognize_text(rapid_ocr, draw_slide(page), Origin.PAGE)
        assert [line.text for line in lines] == [text for *_, text in page]
        assert [line.block for line in lines] == [0, 0, 1, 1]
        assert all(line.origin is Origin.PAGE and line.start_s is None for line in lines)

    def test_columns_of_prose_are_read_one_after_the_other(self, rapid_ocr: RapidOcrEngine) -> None:
        left = [(20, 40 + 26 * i, 15, f"the left column has these words in line {i}") for i in range(3)]
        right = [(340, 40 + 26 * i, 15, f"and the right one has others in line {i}") for i in range(3)]
        lines = recognize_text(rapid_ocr, draw_slide(left + right))
        assert [line.text for line in lines] == [text for *_, text in left + right]

    def test_the_rows_of_a_table_stay_together(self, rapid_ocr: RapidOcrEngine) -> None:
        table = [(40, 60, 20, "Coffee"), (300, 60, 20, "4.50 EUR"), (40, 90, 20, "Cake"), (300, 90, 20, "3.20 EUR")]
        table += [(40, 120, 20, "Total"), (300, 120, 20, "7.70 EUR")]
        lines = recognize_text(rapid_ocr, draw_slide(table))
        assert [line.text for line in lines] == [text for *_, text in table]

    def test_a_picture_without_text_has_no_lines(self, rapid_ocr: RapidOcrEngine) -> None:
        assert recognize_text(rapid_ocr, draw_slide([])) == []
