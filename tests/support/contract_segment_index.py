"""Contract of segment indexes: an adapter's tests inherit `SegmentIndexContract` and override `index`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.errors import AfterimageError, AssetNotFound, IndexMismatch, InvalidInput
from indexer.indexes.exact import ExactIndex
from indexer.ports import SegmentIndex
from indexer.types import (
    AssetKind,
    AssetTags,
    Box,
    Hit,
    Lane,
    LineSpan,
    Origin,
    PictureRef,
    Segment,
    SegmentBatch,
    SegmentFilter,
    Vectors,
)

DIM = 16
NO_FILTERS = SegmentFilter()


def unit_vectors(random: np.random.Generator, count: int, dim: int = DIM) -> Vectors:
    """Return seeded random vectors of length 1."""
    rows = random.standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def axis_vector(position: int, dim: int = DIM) -> NDArray[np.float32]:
    """Return the unit vector along an axis."""
    return np.eye(dim, dtype=np.float32)[position]


def make_tags(
    asset_id: str, *collections: str, kind: AssetKind = AssetKind.VIDEO, file_time: float | None = None
) -> AssetTags:
    """Return the filter tags of an asset."""
    return AssetTags(asset_id, kind, frozenset(collections), file_time)


def picture_batch(vectors: Vectors, first: int = 0, lane: Lane = Lane.VISUAL) -> SegmentBatch:
    """Return a batch of pictures of one second, with an embedding each."""
    ordinals = range(first, first + len(vectors))
    segments = tuple(Segment(o, Origin.PICTURE, start_s=float(o), end_s=float(o + 1)) for o in ordinals)
    return SegmentBatch(segments, {lane: np.arange(len(vectors))}, {lane: vectors})


def page_batch(*texts: str) -> SegmentBatch:
    """Return a batch of the segments of pages."""
    return SegmentBatch(tuple(Segment(i, Origin.PAGE, page=i + 1, text=text) for i, text in enumerate(texts)), {}, {})


def hit_ids(hits: list[Hit]) -> list[tuple[str, int]]:
    """Return which segments hits name, in order."""
    return [(hit.asset_id, hit.segment.ordinal) for hit in hits]


def search_texts(index: SegmentIndex, query: str, filters: SegmentFilter = NO_FILTERS) -> list[str]:
    """Return the texts that a keyword search finds."""
    return [hit.segment.text for hit in index.search(Lane.KEYWORDS, query, 10, filters)]


FILTERS = {
    "everything": NO_FILTERS,
    "one collection": SegmentFilter(collections=frozenset({"red"})),
    "two collections": SegmentFilter(collections=frozenset({"red", "blue"})),
    "no collection": SegmentFilter(collections=frozenset()),
    "unknown collection": SegmentFilter(collections=frozenset({"green"})),
    "kind": SegmentFilter(kinds=frozenset({AssetKind.DOCUMENT})),
    "no kind": SegmentFilter(kinds=frozenset()),
    "assets": SegmentFilter(assets=frozenset({"a3", "a4", "nowhere"})),
    "from": SegmentFilter(start_s=7.5),
    "until": SegmentFilter(end_s=4.0),
    "between": SegmentFilter(start_s=3.0, end_s=5.0),
    "dated after": SegmentFilter(file_after=200.0),
    "dated before": SegmentFilter(file_before=200.0),
    "dated between": SegmentFilter(file_after=100.0, file_before=300.0),
    "all at once": SegmentFilter(
        frozenset({"red"}), frozenset({AssetKind.VIDEO}), frozenset({"a0", "a4"}), 1.0, 9.0, 0.0, 500.0
    ),
}


def put_archive(index: SegmentIndex) -> None:
    """Put eight seeded assets with two vector lanes and words; twins among the vectors make ties."""
    random = np.random.default_rng(7)
    vocabulary = [
        "engine",
        "fire",
        "truck",
        "leaves",
        "harbour",
        "計約",
        "계약서를",
        "Straße",
        "INV-2041",
        "東京タワー",
    ]
    twins = unit_vectors(random, 6)
    for number in range(8):
        kind = AssetKind.DOCUMENT if number % 3 == 2 else AssetKind.VIDEO
        segments = tuple(
            Segment(
                ordinal,
                Origin.PAGE if kind is AssetKind.DOCUMENT else Origin.SUBTITLE,
                start_s=None if kind is AssetKind.DOCUMENT else float(ordinal),
                end_s=None if kind is AssetKind.DOCUMENT else float(ordinal) + 1.5,
                page=ordinal + 1 if kind is AssetKind.DOCUMENT else None,
                text=" ".join(random.choice(vocabulary, random.integers(0, 6))),
            )
            for ordinal in range(12)
        )
        visual = np.concatenate([twins, unit_vectors(random, 4)])
        text = unit_vectors(random, 5, 24)
        rows = {Lane.VISUAL: np.arange(10), Lane.TEXT: np.array([1, 3, 5, 7, 11])}
        batch = SegmentBatch(segments, rows, {Lane.VISUAL: visual, Lane.TEXT: text})
        collections = ["red"] * (number % 2 == 0) + ["blue"] * (number % 4 == 1)
        file_time = None if number == 6 else 100.0 * number
        index.put(make_tags(f"a{number}", *collections, kind=kind, file_time=file_time), iter([batch]))


class SegmentIndexContract:
    """Tests of every segment index; override `index` with an empty index of the adapter."""

    @pytest.fixture
    def index(self) -> Iterator[SegmentIndex]:
        raise NotImplementedError

    def test_an_empty_index_finds_nothing(self, index: SegmentIndex) -> None:
        assert index.search(Lane.VISUAL, axis_vector(0), 10, NO_FILTERS) == []
        assert index.search(Lane.KEYWORDS, "anything", 10, NO_FILTERS) == []
        assert index.segment_counts() == {}
        assert index.generation() == 0

    def test_a_segment_comes_back_as_it_went_in(self, index: SegmentIndex) -> None:
        segment = Segment(
            ordinal=4,
            origin=Origin.OCR,
            start_s=0.1 + 0.2,
            end_s=1 / 3,
            page=2,
            box=Box(0.1, 0.2, 1 / 3, 0.9),
            text='Größe "42"\n계약 \0 😀',
            lines=(LineSpan(0, 5, Box(0.1, 0.2, 0.3, 0.4)), LineSpan(6, 10, Box(0.1, 0.5, 0.3, 0.6))),
            picture=PictureRef("frames/a.bin", 7, 99),
            context="Größen \0\nTabelle 1",
        )
        bare = Segment(5, Origin.PICTURE)
        batch = SegmentBatch((segment, bare), {Lane.TEXT: np.array([1, 0])}, {Lane.TEXT: np.eye(2, dtype=np.float32)})
        assert index.put(make_tags("a", kind=AssetKind.DOCUMENT), [batch]) == 2
        hits = index.search(Lane.TEXT, np.array([0.6, 0.8], dtype=np.float32), 5, NO_FILTERS)
        assert [hit.segment for hit in hits] == [segment, bare]
        assert [hit.score for hit in hits] == pytest.approx([0.8, 0.6], abs=1e-6)
        assert {(hit.asset_id, hit.kind, hit.lane) for hit in hits} == {("a", AssetKind.DOCUMENT, Lane.TEXT)}

    def test_words_of_the_context_find_a_segment(self, index: SegmentIndex) -> None:
        rows = (
            Segment(0, Origin.PAGE, page=1, text="Kentucky | 4,210", context="Checks in November 2015"),
            Segment(1, Origin.PAGE, page=2, text="Kentucky | 3,907", context="Checks in December 2016"),
        )
        index.put(make_tags("a", kind=AssetKind.DOCUMENT), [SegmentBatch(rows, {}, {})])
        assert search_texts(index, "Kentucky December 2016")[0] == "Kentucky | 3,907"
        assert search_texts(index, "Kentucky November")[0] == "Kentucky | 4,210"

    def test_put_takes_many_batches_and_counts_their_segments(self, index: SegmentIndex) -> None:
        random = np.random.default_rng(0)
        batches = (picture_batch(unit_vectors(random, 5), first) for first in range(0, 20, 5))
        assert index.put(make_tags("a"), batches) == 20
        assert index.put(make_tags("b"), []) == 0
        assert index.segment_counts() == {"a": 20, "b": 0}

    def test_put_replaces_what_the_asset_had(self, index: SegmentIndex) -> None:
        index.put(
            make_tags("a", "red"),
            [
                page_batch("an old word"),
            ],
        )
        index.put(make_tags("b"), [page_batch("an old house")])
        index.put(make_tags("a", "blue"), [page_batch("a new word", "and another")])
        assert search_texts(index, "old") == ["an old house"]
        assert search_texts(index, "word", SegmentFilter(collections=frozenset({"red"}))) == []
        assert search_texts(index, "word", SegmentFilter(collections=frozenset({"blue"}))) == ["a new word"]
        assert index.segment_counts() == {"a": 2, "b": 1}

    def test_what_is_removed_is_found_in_no_lane(self, index: SegmentIndex) -> None:
        put_archive(index)
        assert index.remove("a1") == 12
        assert index.remove("a1") == 0
        assert "a1" not in index.segment_counts()
        queries = (Lane.VISUAL, axis_vector(0)), (Lane.TEXT, axis_vector(0, 24)), (Lane.KEYWORDS, "fire engine truck")
        for lane, query in queries:
            hits = index.search(lane, query, 1000, NO_FILTERS)
            assert hits
            assert "a1" not in {hit.asset_id for hit in hits}

    def test_every_change_moves_the_generation_on_and_nothing_else_does(self, index: SegmentIndex) -> None:
        generations = [index.generation()]
        for change in (
            lambda: index.put(make_tags("a"), [page_batch("one")]),
            lambda: index.put(make_tags("a"), [page_batch("two")]),
            lambda: index.update_tags(make_tags("a", "red")),
            lambda: index.remove("a"),
        ):
            change()
            generations.append(index.generation())
        assert generations == sorted(set(generations))
        index.remove("a")
        search_texts(index, "two")
        assert index.generation() == generations[-1]

    def test_tags_change_what_filters_see(self, index: SegmentIndex) -> None:
        index.put(make_tags("a", "red", file_time=1.0), [page_batch("word")])
        index.update_tags(make_tags("a", "blue", kind=AssetKind.DOCUMENT, file_time=2.0))
        assert search_texts(index, "word", SegmentFilter(collections=frozenset({"red"}))) == []
        now = SegmentFilter(frozenset({"blue"}), frozenset({AssetKind.DOCUMENT}), file_after=2.0)
        assert search_texts(index, "word", now) == ["word"]

    def test_an_unknown_asset_cannot_be_tagged(self, index: SegmentIndex) -> None:
        with pytest.raises(AssetNotFound):
            index.update_tags(make_tags("nobody"))

    @pytest.mark.parametrize("name", FILTERS)
    def test_hits_and_scores_are_those_of_an_exact_search(self, index: SegmentIndex, name: str) -> None:
        oracle = ExactIndex()
        put_archive(oracle)
        put_archive(index)
        random = np.random.default_rng(1)
        visual = [(Lane.VISUAL, query) for query in unit_vectors(random, 6)]
        text = [(Lane.TEXT, query) for query in unit_vectors(random, 6, 24)]
        words = [(Lane.KEYWORDS, query) for query in ("fire truck", "inv-2041 leaving", "계약 東京", "strasse unseen")]
        for (lane, query), limit in itertools.product(visual + text + words, (1, 7, 500)):
            expected = oracle.search(lane, query, limit, FILTERS[name])
            hits = index.search(lane, query, limit, FILTERS[name])
            assert hit_ids(hits) == hit_ids(expected)
            assert [hit.segment for hit in hits] == [hit.segment for hit in expected]
            assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-6)

    def test_spans_are_half_open(self, index: SegmentIndex) -> None:
        index.put(make_tags("a"), [picture_batch(np.eye(4, DIM, dtype=np.float32))])
        hits = index.search(Lane.VISUAL, axis_vector(0), 10, SegmentFilter(start_s=1.0, end_s=2.0))
        assert hit_ids(hits) == [("a", 1)]

    def test_ties_go_by_asset_and_ordinal_also_where_the_limit_cuts(self, index: SegmentIndex) -> None:
        same = np.repeat(axis_vector(0)[None], 40, axis=0)
        for asset_id in ("c", "a", "b"):
            index.put(make_tags(asset_id), [picture_batch(same)])
        hits = index.search(Lane.VISUAL, axis_vector(0), 50, NO_FILTERS)
        assert hit_ids(hits) == [("a", i) for i in range(40)] + [("b", i) for i in range(10)]

    @pytest.mark.parametrize("limit", [0, -3])
    def test_a_limit_below_one_finds_nothing(self, index: SegmentIndex, limit: int) -> None:
        index.put(make_tags("a"), [picture_batch(axis_vector(0)[None])])
        assert index.search(Lane.VISUAL, axis_vector(0), limit, NO_FILTERS) == []

    def test_a_lane_that_was_never_put_finds_nothing(self, index: SegmentIndex) -> None:
        index.put(make_tags("a"), [picture_batch(axis_vector(0)[None])])
        assert index.search(Lane.TEXT, axis_vector(3, 7), 10, NO_FILTERS) == []

    def test_vectors_of_another_width_are_refused_and_nothing_changes(self, index: SegmentIndex) -> None:
        index.put(make_tags("a"), [picture_batch(axis_vector(0)[None])])
        with pytest.raises(IndexMismatch, match="8 dimensions"):
            index.put(make_tags("b"), [page_batch("one"), picture_batch(np.eye(1, 8, dtype=np.float32), first=1)])
        with pytest.raises(IndexMismatch):
            index.search(Lane.VISUAL, axis_vector(0, 8), 10, NO_FILTERS)
        assert index.segment_counts() == {"a": 1}
        assert index.generation() == 1

    def test_the_only_asset_of_a_lane_may_come_back_in_another_width(self, index: SegmentIndex) -> None:
        index.put(make_tags("a"), [picture_batch(axis_vector(0)[None])])
        index.search(Lane.VISUAL, axis_vector(0), 1, NO_FILTERS)
        index.put(make_tags("a"), [picture_batch(axis_vector(0, 8)[None])])
        assert hit_ids(index.search(Lane.VISUAL, axis_vector(0, 8), 1, NO_FILTERS)) == [("a", 0)]

    def test_what_is_not_a_number_is_refused(self, index: SegmentIndex) -> None:
        index.put(make_tags("a"), [picture_batch(axis_vector(0)[None])])
        with pytest.raises(IndexMismatch, match="finite"):
            index.put(make_tags("b"), [picture_batch(np.full((1, DIM), np.nan, dtype=np.float32))])
        with pytest.raises(InvalidInput, match="finite"):
            index.search(Lane.VISUAL, np.full(DIM, np.inf, dtype=np.float32), 1, NO_FILTERS)

    def test_words_are_no_vector_and_a_vector_no_words(self, index: SegmentIndex) -> None:
        index.put(
            make_tags("a"),
            [
                picture_batch(axis_vector(0)[None]),
            ],
        )
        with pytest.raises(InvalidInput):
            index.search(Lane.VISUAL, "words", 1, NO_FILTERS)
        with pytest.raises(InvalidInput):
            index.search(Lane.KEYWORDS, axis_vector(0), 1, NO_FILTERS)

    def test_a_vector_must_belong_to_a_segment(self, index: SegmentIndex) -> None:
        batch = SegmentBatch(
            (Segment(0, Origin.PICTURE),), {Lane.VISUAL: np.array([1])}, {Lane.VISUAL: axis_vector(0)[None]}
        )
        with pytest.raises(IndexMismatch, match="no segment"):
            index.put(make_tags("a"), [batch])

    def test_an_ordinal_stands_once_in_an_asset(self, index: SegmentIndex) -> None:
        with pytest.raises(AfterimageError):
            index.put(make_tags("a"), [page_batch("one"), page_batch("two")])
        assert index.segment_counts() == {}

    def test_a_stream_that_breaks_changes_nothing(self, index: SegmentIndex) -> None:
        put_archive(index)
        before = index.segment_counts(), index.generation(), index.search(Lane.VISUAL, axis_vector(1), 500, NO_FILTERS)

        def broken() -> Iterator[SegmentBatch]:
            yield picture_batch(np.eye(3, DIM, dtype=np.float32))
            raise OSError("the artifact went away")

        with pytest.raises(OSError, match="went away"):
            index.put(make_tags("a0"), broken())
        assert (
            index.segment_counts(),
            index.generation(),
            index.search(Lane.VISUAL, axis_vector(1), 500, NO_FILTERS),
        ) == before

    @pytest.mark.parametrize(
        ("text", "queries"),
        {
            "The fire truck leaves at noon.": ["fire", "TRUCKS", "When does the fire truck leave?", "leaving"],
            "Kündigungsfrist: drei Monate, Maß": ["Kündigungsfrist", "kundigungsfrist", "MASS", "monate"],
            "Invoice INV-2041 of 1,234.50 EUR": ["INV-2041", "inv 2041", "2041", "1,234.50", "invoices"],
            "The sum of 8,412.50 euros": [
                "8412.50",
                "8,412.50",
                "8.412,50",
                "8 412,50",
                "8\u202f412,50",
                "8'412.50",
                "8412",
            ],
            "Summe: 8.412,50 EUR, 1.250 Stück": ["8412.50", "8,412.50", "8412,50EUR", "1,250", "1250", "1'250"],
            "Plate RE16 XYZ and LK66ABC": ["RE16", "re16 xyz", "RE16XYZ", "XYZ", "LK66", "66ABC", "lk66abc"],
            "Error code E-7741 <Thistlewood>": ["E-7741", "E7741", "7741", "<E-7741>", "Thistlewood"],
            "A well-known tele-communications mast": ["well-known", "wellknown", "telecommunications"],
            "Write to Jane.Doe@example.com": ["jane.doe@example.com", "jane", "example"],
            "계약서를 해지하려면 집에서 통지": ["계약", "계약서", "계약서는", "해지", "집", "계약을 언제 해지하나요?"],
            "東京タワーで契約の解約期間を確認": ["東", "東京", "タワー", "解約", "契約の解約期間はいつですか", "ﾀﾜｰ"],
            "合同的通知期是三个月": ["月", "合同", "通知期", "合同的通知期是多久"],
            "りんごの申し込みは": ["りんご", "申し込み", "申し込み"],
            "Été à la plage · Москва · Ωμέγα": ["ete", "МОСКВА", "ωμεγα"],
        }.items(),
    )
    def test_words_are_found_in_many_scripts(self, index: SegmentIndex, text: str, queries: list[str]) -> None:
        index.put(make_tags("a"), [page_batch(text, "nothing of the kind", "전혀 다른 것", "全く別のもの")])
        for query in queries:
            assert search_texts(index, query)[:1] == [text], query

    @pytest.mark.parametrize(
        "query", ["", "  ", "what is the?", '"', "*", "-", "( ) ^ :", "😀", "\0", "''", "언제 무엇을?"]
    )
    def test_a_query_without_content_finds_nothing(self, index: SegmentIndex, query: str) -> None:
        index.put(make_tags("a"), [page_batch("what is the ( \" * - 😀 \0 ' matter", "계약서")])
        assert search_texts(index, query) == []

    @pytest.mark.parametrize(
        "operator", ['"', "*", "-", "^", "NEAR( ", " AND ", " NOT ", "tokens: ", "+", "{", "\0", "')"]
    )
    def test_nothing_in_a_query_is_a_query_language(self, index: SegmentIndex, operator: str) -> None:
        index.put(make_tags("a"), [page_batch("fire truck", "harbour")])
        assert "fire truck" in search_texts(index, f"{operator}fire {operator}truck{operator}")

    def test_a_very_long_query_is_answered(self, index: SegmentIndex) -> None:
        index.put(make_tags("a"), [page_batch("fire truck")])
        assert search_texts(index, "fire " + " ".join(f"w{number}" for number in range(5000))) == ["fire truck"]

    def test_keyword_scores_are_shares_of_the_querys_weight(self, index: SegmentIndex) -> None:
        index.put(make_tags("a"), [page_batch("fire truck", "fire engine", "harbour at night", "a dog")])
        scores = {hit.segment.text: hit.score for hit in index.search(Lane.KEYWORDS, "fire truck", 9, NO_FILTERS)}
        assert scores.keys() == {"fire truck", "fire engine"}
        assert 0.98 < scores["fire truck"] <= 1.0
        assert 0.2 < scores["fire engine"] < 0.5  # the commoner word weighs less
        unseen = index.search(Lane.KEYWORDS, "fire truck zeppelin", 1, NO_FILTERS)[0].score
        assert 0.4 < unseen < 0.7

    def test_text_that_is_not_unicode_does_no_harm(self, index: SegmentIndex) -> None:
        index.put(make_tags("a"), [page_batch("a lone \ud800 surrogate")])
        assert len(search_texts(index, "surrogate")) == 1
