"""Videos, photos and documents of the drawn world, decoded again and compared with their truth."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pypdfium2
import pytest
from PIL import ExifTags, Image, ImageOps

from demoworld.world.claims import VISIBLE_MIN_SHARE
from demoworld.world.photos import write_photos
from demoworld.world.questions import Question, QuestionKind, generate_questions
from demoworld.world.rendering import render_instance_mask, render_scene
from demoworld.world.reports import write_report
from demoworld.world.script import Motion, SceneEvent, Shot, generate_shots
from demoworld.world.truth import VideoTruth, build_video_truth, read_video_truth
from demoworld.world.video_rendering import VideoSpec, render_video
from indexer.media.subtitles.sidecars import read_sidecar

REEL = VideoSpec(seed=11, seconds=150, excluded_concepts=("dog", "cat"), with_narration=True)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reel") / "reel.mp4"
    render_video(REEL, path)
    return path


@pytest.fixture(scope="module")
def truth(video: Path) -> VideoTruth:
    return read_video_truth(video.with_suffix(".truth.json"))


@pytest.fixture(scope="module")
def shots() -> list[Shot]:
    return list(generate_shots(REEL.seed, REEL.seconds, REEL.excluded_concepts))


def _visible_share(shot: Shot, event: SceneEvent, time_s: float) -> float:
    """How much of an event's things is in the picture, taken alone."""
    alone = Shot(shot.place, shot.night, shot.variant, shot.start_s, shot.end_s, (event,))
    shares = render_instance_mask(alone.scene_at(time_s), 480, 270)[1]
    return max(shares, default=0.0)


def test_shots_follow_one_another_without_a_gap_and_events_lie_inside(shots: list[Shot]) -> None:
    edges = [(shot.start_s, shot.end_s) for shot in shots]
    assert edges[0][0] == 0
    assert edges[-1][1] == REEL.seconds
    assert all(before[1] == after[0] for before, after in pairwise(edges))
    assert all(shot.start_s < event.start_s < event.end_s < shot.end_s for shot in shots for event in shot.events)


def test_an_events_span_is_when_half_of_it_is_in_the_picture(shots: list[Shot]) -> None:
    for shot in shots:
        for event in shot.events:
            middle = (event.start_s + event.end_s) / 2
            assert _visible_share(shot, event, middle) > VISIBLE_MIN_SHARE
            assert _visible_share(shot, event, event.start_s + 0.2) >= VISIBLE_MIN_SHARE - 0.02
            assert _visible_share(shot, event, event.end_s - 0.2) >= VISIBLE_MIN_SHARE - 0.02
            assert _visible_share(shot, event, event.start_s - 0.2) < VISIBLE_MIN_SHARE
            assert _visible_share(shot, event, event.end_s + 0.2) < VISIBLE_MIN_SHARE


def test_every_motion_goes_the_way_it_says() -> None:
    for motion in Motion:
        event = SceneEvent("dog", 1, motion, 10.0, 16.0, 0.5, 0.6, 0.4)
        xs = [event.things_at(time_s)[0].x for time_s in np.arange(10.0, 16.0, 0.25)]
        steps = np.diff(xs)
        if motion is Motion.STAYS:
            assert set(xs) == {0.5}
        elif motion in (Motion.ENTERS_LEFT, Motion.LEAVES_RIGHT, Motion.CROSSES_RIGHT):
            assert (steps >= 0).all()
            assert steps.sum() > 0.4
        else:
            assert (steps <= 0).all()
            assert steps.sum() < -0.4


def test_a_script_is_seeded_and_a_longer_one_begins_like_a_shorter() -> None:
    first = list(generate_shots(5, 300))
    assert first == list(generate_shots(5, 300))
    assert first[:4] == list(generate_shots(5, 900))[:4]
    assert first != list(generate_shots(6, 300))


def test_what_shall_appear_once_appears_once_at_most_and_anywhere() -> None:
    rare = ("dog", "cat", "owl", "bus", "rose", "key", "tent", "drum")
    events = [event for shot in generate_shots(7, 7200, single_concepts=rare) for event in shot.events]
    times = {name: [event.start_s for event in events if event.concept == name] for name in rare}
    assert all(len(found) <= 1 for found in times.values())
    found = [at_s for some in times.values() for at_s in some]
    assert len(found) >= len(rare) // 2
    assert max(found) > 3600 > min(found)


def test_the_video_is_as_long_as_asked_and_shows_the_script(video: Path, shots: list[Shot]) -> None:
    differences = []
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 480, 270)
        assert float(stream.duration * stream.time_base) == pytest.approx(REEL.seconds)
        for number, frame in enumerate(container.decode(stream)):
            if number % 70 == 0:
                shot = next(shot for shot in shots if shot.start_s <= frame.time < shot.end_s)
                drawn = render_scene(shot.scene_at(frame.time), 480, 270)
                differences.append(np.abs(frame.to_ndarray(format="rgb24").astype(int) - drawn).mean())
    assert number + 1 == REEL.seconds * REEL.fps
    assert max(differences) < 8


def test_the_same_reel_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.mp4", "two.mp4"):
        render_video(VideoSpec(seed=2, seconds=12), tmp_path / name)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_what_is_left_out_never_appears(truth: VideoTruth) -> None:
    assert truth.events
    assert not truth.collect_concepts() & set(REEL.excluded_concepts)


def test_the_narration_says_each_event_as_it_begins(video: Path, truth: VideoTruth) -> None:
    starts = {event.start_s: event for event in truth.events}
    lines = read_sidecar(video.with_suffix(".srt")).lines
    assert len(lines) >= len(truth.events) / 2
    for line in lines:
        event = starts[min(starts, key=lambda start_s: abs(start_s - (line.start_s or 0)))]
        assert abs(event.start_s - (line.start_s or 0)) < 0.01
        assert event.concept in line.text or event.count > 1


def test_photos_have_a_time_are_upright_and_show_what_their_truth_says(tmp_path: Path) -> None:
    truths = write_photos(tmp_path, seed=4, count=12)
    rotated_count = 0
    for photo in truths:
        with Image.open(tmp_path / photo.file) as picture:
            exif = picture.getexif()
            taken = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal]
            rotated_count += exif[ExifTags.Base.Orientation] != 1
            upright = ImageOps.exif_transpose(picture)
        assert datetime.strptime(taken, "%Y:%m:%d %H:%M:%S") == photo.taken
        assert upright.height == 720
    assert 0 < rotated_count < 12
    assert sum(sum(photo.counts.values()) for photo in truths) >= 12
    assert write_photos(tmp_path / "again", seed=4, count=12) == truths


def test_reports_say_in_their_text_what_their_truth_says(tmp_path: Path) -> None:
    truth = write_report(tmp_path / "report.pdf", seed=9, pages=4)
    document = pypdfium2.PdfDocument(tmp_path / "report.pdf")
    assert len(document) == 4 == len(truth.sightings)
    for page, sighting in zip(document, truth.sightings, strict=True):
        text = page.get_textpage().get_text_range()
        assert f"{sighting.watcher} kept watch" in text
        assert all(str(count) in text for count in sighting.counts.values())
        assert any(isinstance(item, pypdfium2.PdfImage) for item in page.get_objects())
    document.close()


def _questions_of_kind(candidates: list[Question], kind: QuestionKind) -> list[Question]:
    return [question for question in candidates if question.kind is kind]


def test_every_kind_of_question_is_asked_and_its_spans_lie_in_the_video() -> None:
    shots = list(generate_shots(21, 1800))
    truth = build_video_truth("made.mp4", 21, 1800, shots)
    generated = generate_questions(truth, seed=1, max_per_kind=20)
    counts = Counter(question.kind for question in generated)
    assert set(counts) == set(QuestionKind)
    assert all(count <= 20 for count in counts.values())
    assert generated == generate_questions(truth, seed=1, max_per_kind=20)
    spans = [span for question in generated for span in question.spans]
    assert all(0 <= start_s < end_s <= truth.seconds for start_s, end_s in spans)
    absent = [question.kind is QuestionKind.ABSENT or question.answer == "no" for question in generated]
    assert all(bool(question.spans) != nowhere for question, nowhere in zip(generated, absent, strict=True))
    assert {question.answer for question in _questions_of_kind(generated, QuestionKind.IS_THERE)} == {"yes", "no"}


def test_answers_agree_with_the_events() -> None:
    truth = build_video_truth("made.mp4", 21, 1800, list(generate_shots(21, 1800)))
    at = {(event.start_s, event.end_s): event for event in truth.events}
    generated = generate_questions(truth, seed=2, max_per_kind=200)
    for question in _questions_of_kind(generated, QuestionKind.VISIBLE_AT):
        assert at[question.spans[0]].concept == question.answer
    for question in _questions_of_kind(generated, QuestionKind.FIRST):
        first = min(question.spans)
        assert at[first].concept == question.answer
    for question in _questions_of_kind(generated, QuestionKind.BEFORE):
        before, after = question.spans
        assert at[before].concept == question.answer
        assert before[1] <= after[0]
    for question in _questions_of_kind(generated, QuestionKind.BETWEEN):
        before, between, after = question.spans
        x, y = [event for event in truth.events if f"the {event.concept} " in question.text.replace("?", " ")]
        assert (at[before], at[after]) == (x, y)
        assert at[between].concept == question.answer and x.end_s <= between[0] and between[1] <= y.start_s
    for question in _questions_of_kind(generated, QuestionKind.CHANGED):
        one, other = question.spans
        assert one[1] == other[0] and question.answer.count(", then ") == 1
    for question in _questions_of_kind(generated, QuestionKind.HOW_OFTEN):
        assert len({at[span].concept for span in question.spans}) == 1
        assert len(question.spans) == sum(event.concept == at[question.spans[0]].concept for event in truth.events)
    for question in _questions_of_kind(generated, QuestionKind.ABSENT):
        assert not any(f" {name} " in f"{question.text} " for name in truth.collect_concepts())
