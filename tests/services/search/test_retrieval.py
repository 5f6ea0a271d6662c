"""Search: cut, fused, merged, filtered."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import InvalidInput
from indexer.text.language import LANGUAGES, identify_language
from indexer.types import AssetKind, Hit, Lane, Origin, Segment, SegmentFilter
from services.catalog.types import Asset
from services.container import Container
from services.search.curves import LogisticCurve, fit_at_quantile, fit_normal
from services.search.moments import merge_adjacent_pictures, merge_into_moments
from services.search.null_queries import load_null_queries, make_null_pictures
from services.search.types import Query, RetrievedSegment
from tests.support.containers import MakeContainer
from tests.support.tiny_clip import make_tiny_clip

NO_FILTERS = SegmentFilter()
FILM = Asset("f" * 64, "v", AssetKind.VIDEO, "film.mp4", 100.0, None, 640, 360, 0.0, 9, 100, (), 0.0)
PAPER = replace(FILM, asset_id="d" * 64, kind=AssetKind.DOCUMENT, name="paper.pdf", duration_s=None, pages=3)


def _retrieved_segment(asset: Asset, rank: float, lane: Lane = Lane.TEXT, **segment: object) -> RetrievedSegment:
    origin = Origin.OCR if "text" in segment else Origin.PICTURE
    return RetrievedSegment(asset, Segment(0, origin, **segment), 0.9, {lane: 0.9}, rank)  # type: ignore[arg-type]


def _search_names(container: Container, text: str, filters: SegmentFilter) -> set[str]:
    return {moment.asset.name for moment in container.retrieval.search(Query(text), filters, 50)}


def test_hits_that_touch_are_one_moment_and_later_ones_another() -> None:
    moments = merge_into_moments(
        [
            _retrieved_segment(FILM, 0.3, start_s=10.0, end_s=14.0, text="the notice"),
            _retrieved_segment(FILM, 0.2, Lane.VISUAL, start_s=16.0, end_s=20.0),
            _retrieved_segment(FILM, 0.1, start_s=40.0, end_s=44.0, text="another"),
        ],
        gap_s=3.0,
    )
    assert [(moment.start_s, moment.end_s, moment.best_segment.text) for moment in moments] == [
        (10.0, 20.0, "the notice"),
        (40.0, 44.0, "another"),
    ]
    assert set(moments[0].lane_scores) == {Lane.TEXT, Lane.VISUAL}


def test_a_long_hit_joins_what_lies_inside_it() -> None:
    spans = [(0.0, 60.0), (5.0, 6.0), (58.0, 61.0)]
    moments = merge_into_moments(
        [_retrieved_segment(FILM, 0.1 * i, start_s=a, end_s=b) for i, (a, b) in enumerate(spans)], gap_s=0.0
    )
    assert [(moment.start_s, moment.end_s) for moment in moments] == [(0.0, 61.0)]


def test_pictures_that_follow_one_another_are_one_piece_of_evidence_and_passages_stay() -> None:
    segments = [
        _retrieved_segment(FILM, 0.5, Lane.VISUAL, start_s=11.0, end_s=12.0),
        _retrieved_segment(FILM, 0.4, start_s=10.0, end_s=14.0, text="a passage"),
        _retrieved_segment(FILM, 0.3, Lane.VISUAL, start_s=12.0, end_s=15.0),
        _retrieved_segment(PAPER, 0.2, Lane.VISUAL, page=1),
        _retrieved_segment(FILM, 0.1, Lane.VISUAL, start_s=60.0, end_s=61.0),
    ]
    pieces = merge_adjacent_pictures(segments, gap_s=3.0)
    assert [(one.segment.start_s, one.segment.end_s, one.segment.text) for one in pieces] == [
        (11.0, 15.0, ""),
        (10.0, 14.0, "a passage"),
        (None, None, ""),
        (60.0, 61.0, ""),
    ]
    assert pieces[0].fused_score == 0.5


def test_a_page_is_one_result_and_the_order_is_that_of_the_best_hits() -> None:
    moments = merge_into_moments(
        [
            _retrieved_segment(PAPER, 0.4, page=2, text="second page"),
            _retrieved_segment(FILM, 0.3, start_s=1.0, end_s=2.0, text="film"),
            _retrieved_segment(PAPER, 0.2, Lane.KEYWORDS, page=2, text="second page, lower"),
            _retrieved_segment(PAPER, 0.1, page=1, text="first page"),
        ],
        gap_s=3.0,
    )
    assert [moment.best_segment.text for moment in moments] == ["second page", "film", "first page"]
    assert set(moments[0].lane_scores) == {Lane.TEXT, Lane.KEYWORDS}


def test_weaker_results_come_after_the_others_and_never_twice(
    make_container: MakeContainer, indexed_home: Path
) -> None:
    container = make_container(indexed_home)
    query = Query("the price of the mooring rope")
    strong = container.retrieval.search(query, NO_FILTERS, 50)
    everything = container.retrieval.search(query, NO_FILTERS, 50, weaker=True)
    assert everything[: len(strong)] == strong
    assert len(everything) > len(strong) > 0
    weaker = everything[len(strong) :]
    assert all(moment.score <= 0.5 for moment in weaker)
    pages = {(moment.asset.asset_id, moment.best_segment.page) for moment in strong if moment.start_s is None}
    assert not any((moment.asset.asset_id, moment.best_segment.page) in pages for moment in weaker)


def test_calibrated_scores_rise_with_the_lanes_score_and_are_half_at_the_cut() -> None:
    curve = LogisticCurve(midpoint=0.4, scale=0.05)
    assert curve.calibrate(0.4) == 0.5
    assert curve.calibrate(-1e9) < 0.01 < curve.calibrate(0.3) < curve.calibrate(0.5) < 1


def test_a_typical_unrelated_query_gets_a_twentieth_and_the_cut_is_at_the_quantile() -> None:
    best = np.random.default_rng(1).normal(0.3, 0.05, 5000).tolist()
    at_quantile, normal = fit_at_quantile(best, 0.98), fit_normal([10 * score for score in best], 0.98)
    for curve, unit in ((at_quantile, 1.0), (normal, 10.0)):
        assert curve.midpoint == pytest.approx(unit * (0.3 + 2.054 * 0.05), abs=unit * 0.005)
        assert curve.calibrate(unit * 0.3) == pytest.approx(0.05, abs=0.005)
    assert fit_normal([0.2] * 30, 0.98).scale > fit_at_quantile([0.2] * 30, 0.98).scale > 0


def test_null_queries_are_many_and_distinct_and_in_their_language() -> None:
    assert len(load_null_queries()) >= 100
    for language in LANGUAGES:
        queries = load_null_queries(language)
        assert len(set(queries)) == len(queries) >= 30
        assert sum(identify_language(query) in (language, None) for query in queries) >= 0.9 * len(queries)
    assert len({picture.tobytes() for picture in make_null_pictures(32)}) == 32


def test_most_null_queries_find_nothing(make_container: MakeContainer, indexed_home: Path) -> None:
    container = make_container(indexed_home)
    finding = [q for q in load_null_queries() if container.retrieval.retrieve_segments(Query(q), NO_FILTERS)]
    # The cut is where a normal distribution of their best scores has .02 above it, not where these very queries have.
    assert len(finding) <= 0.04 * len(load_null_queries())


def test_every_filter_restricts_what_is_found(make_container: MakeContainer, indexed_home: Path) -> None:
    container = make_container(indexed_home)
    everything = _search_names(container, "lifejackets Sandpiper", NO_FILTERS)
    assert {name.split("/")[0] for name in everything} >= {"videos", "photos"}
    only = _search_names(container, "lifejackets Sandpiper", SegmentFilter(kinds=frozenset({AssetKind.VIDEO})))
    assert only
    assert all(name.startswith("videos/") for name in only)
    label = container.catalog.find("2023/label.jpg")
    assert _search_names(container, "lifejackets", SegmentFilter(assets=frozenset({label.asset_id}))) == {label.name}
    assert _search_names(container, "lifejackets", SegmentFilter(collections=frozenset({"nothing here"}))) == set()
    assert label.file_time is not None
    assert label.name not in _search_names(container, "lifejackets", SegmentFilter(file_after=label.file_time + 1))
    assert label.name in _search_names(container, "lifejackets", SegmentFilter(file_before=label.file_time + 1))
    spans = container.retrieval.search(Query("lifejackets"), SegmentFilter(start_s=55.0, end_s=70.0), 10)
    assert spans
    assert all(m.start_s is not None and m.end_s is not None and m.start_s < 70 and m.end_s > 55 for m in spans)


@pytest.mark.parametrize(("query", "message"), [("", "is empty"), ("   ", "is empty"), ("x" * 2001, "over the limit")])
def test_a_query_that_cannot_be_asked_is_refused(
    make_container: MakeContainer, indexed_home: Path, query: str, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        make_container(indexed_home).retrieval.search(Query(query), NO_FILTERS, 5)


def test_a_picture_finds_itself_and_needs_the_visual_lane(
    make_container: MakeContainer, home_copy: Path, tmp_path: Path
) -> None:
    from indexer.media.jpeg import decode_jpeg

    plain = make_container(home_copy, visual__model="")
    sign = plain.catalog.find("street_sign.jpg")
    manifest = plain.artifacts.read_manifest(sign.asset_id, sign.version)
    (record, _), *_ = plain.artifacts.read_checkpoints(manifest)
    assert record.segments[0].picture is not None
    pixels = decode_jpeg(plain.artifacts.read_picture(record.segments[0].picture))
    with pytest.raises(InvalidInput, match="visual lane"):
        plain.retrieval.search(Query(picture=pixels), NO_FILTERS, 5)
    container = make_container(home_copy, visual__model=f"local-dir:{make_tiny_clip(tmp_path / 'clip')}")
    container.reindexing.reindex(lambda *_: None)
    vector = (
        container.models.image_text_encoder.encode_images([pixels])[0]
        if container.models.image_text_encoder
        else np.zeros(64, np.float32)
    )
    assert container.index.search(Lane.VISUAL, vector, 1, NO_FILTERS)[0].asset_id == sign.asset_id
    container.retrieval.search(Query(picture=pixels), NO_FILTERS, 3)


def test_words_in_korean_japanese_and_chinese_are_found_and_unrelated_ones_are_not(
    make_container: MakeContainer, archive: Path, tmp_path: Path
) -> None:
    film = Path(shutil.copy(archive / "videos" / "slipway_2022.webm", tmp_path / "film.webm"))
    cues = {
        "계약 해지 통지 기간은 두 달입니다.": ("통지", "해지 통지 기간은 며칠인가요?"),
        "契約の解約は二か月前に通知してください。": ("解約", "契約の解約はいつですか"),
        "员工年假为二十八天。": ("年假", "年假有多少天？"),
    }
    spans = ["00:00:01,000 --> 00:00:04,000", "00:00:12,000 --> 00:00:16,000", "00:00:25,000 --> 00:00:29,000"]
    blocks = [f"{i}\n{span}\n{cue}\n" for i, (span, cue) in enumerate(zip(spans, cues, strict=True), 1)]
    film.with_suffix(".srt").write_text("\n".join(blocks), "utf-8")
    container = make_container()
    list(container.indexing.index_paths([film], "default"))
    for cue, queries in cues.items():
        for query in queries:
            best = container.retrieval.search(Query(query), NO_FILTERS, 1)
            assert [moment.best_segment.text for moment in best] == [cue], query
    for query in ("고래는 어떻게 잠을 잡니까?", "ワインの選び方", "月球上有水吗？"):
        assert container.retrieval.search(Query(query), NO_FILTERS, 5) == [], query


def test_texts_without_vectors_are_ranked_by_their_words_alone(make_container: MakeContainer, home_copy: Path) -> None:
    container = make_container(home_copy)
    index, search = container.index, container.index.search

    def search_words_alone(lane: Lane, query: str, limit: int, filters: SegmentFilter) -> list[Hit]:
        return search(lane, query, limit, filters) if lane is Lane.KEYWORDS else []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "search", search_words_alone)
        (found,) = container.retrieval.retrieve_passages("lifejackets", NO_FILTERS, 1)
    assert found.lane_scores.keys() == {Lane.KEYWORDS}
    assert found.fused_score > 0
