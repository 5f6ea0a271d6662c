from __future__ import annotations

from pathlib import Path

import pytest

from api.schemas.results import AnswerShape, HitShape
from demoworld.spoken_video import write_spoken_video
from demoworld.video_encoding import write_srt
from indexer.types import Origin, SegmentFilter
from services.container import Container
from services.search.types import Query
from tests.support.containers import MakeContainer
from tests.support.spoken_recordings import load_radio_news

pytestmark = pytest.mark.slow

QUESTION = "Until when does the swing bridge stay closed?"
ONLY_SPEECH = {"visual__model": "", "ocr__enabled": "false"}


def _index_news(container: Container, folder: Path) -> Path:
    film = load_radio_news()
    write_spoken_video(film, folder)
    (line,) = container.indexing.index_paths([folder / film.file], "default")
    assert line.outcome == "indexed"
    return folder / film.file


def _read_segments(container: Container) -> list[tuple[Origin, str]]:
    (asset,) = container.catalog.assets()
    manifest = container.artifacts.read_manifest(asset.asset_id, container.pipeline.version)
    segments = [segment for batch in container.pipeline.read_batches(manifest) for segment in batch.segments]
    return [(segment.origin, segment.text) for segment in segments if segment.text]


def test_what_is_said_is_found_and_cited_at_its_time(make_container: MakeContainer, tmp_path: Path) -> None:
    container = make_container(**ONLY_SPEECH)
    _index_news(container, tmp_path)
    bridge = load_radio_news().sentences[1]
    answer = AnswerShape.of(container.answering.ask(QUESTION, SegmentFilter()))
    (citation,) = answer.sentences[0].citations
    assert "Thursday" in answer.answer
    assert (citation.origin, citation.modality) == ("speech", "spoken")
    assert citation.start_s == pytest.approx(bridge.span[0], abs=0.5)
    assert citation.end_s == pytest.approx(bridge.span[1], abs=0.5)
    (hit, *_) = container.retrieval.search(Query("lost dog at the lighthouse"), SegmentFilter(), 3)
    assert HitShape.of(hit).modality == "spoken"
    assert "dog" in hit.best_segment.text


def test_subtitles_that_say_it_stand_for_what_is_heard(make_container: MakeContainer, tmp_path: Path) -> None:
    film = load_radio_news()
    (tmp_path / film.file).parent.mkdir()
    write_srt(film.sentences[:3], (tmp_path / film.file).with_suffix(".srt"))
    container = make_container(**ONLY_SPEECH)
    _index_news(container, tmp_path)
    segments = _read_segments(container)
    written = " ".join(text for origin, text in segments if origin is Origin.SUBTITLE)
    heard = " ".join(text for origin, text in segments if origin is Origin.SPEECH)
    assert all(cue.text in written for cue in film.sentences[:3])
    assert "lighthouse" in heard
    assert "bridge" not in heard
    assert "seals" not in heard
