"""Summaries of videos: chapters that cover them, sentences that are proven, and no work done twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from api.schemas.summary_formats import format_markdown, format_webvtt
from indexer.errors import AssetNotFound, SourceError
from indexer.types import AssetKind, Origin
from services.answering.grounding import VerdictThresholds
from services.answering.rules.claim_verification import RuleClaimVerifier
from services.answering.types import Verdict
from services.catalog.types import Asset
from services.container import Container
from services.generators.errors import GeneratorUnavailable
from services.generators.types import DraftSentence, Evidence, Quote
from services.summaries.summarizing import Summarizing
from services.summaries.types import Chapter, Statement, Summary
from tests.support.containers import MakeContainer


class FakeCaptioner:
    """A generator that says what it was shown, and may give up after so many captions."""

    model_id = "describing"

    def __init__(self, breaks_after: int | None = None) -> None:
        self.captioned: list[Sequence[Evidence]] = []
        self._breaks_after = breaks_after

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        raise AssertionError(question)

    def describe(self, evidence: Sequence[Evidence], max_words: int) -> Iterator[DraftSentence]:
        if max_words > 10:
            if len(self.captioned) == self._breaks_after:
                raise GeneratorUnavailable("the server went away")
            self.captioned.append(evidence)
        yield DraftSentence(f"There are {len(evidence)} things.", (Quote(evidence[0].id),), 0.9)
        yield DraftSentence("This is proven by nothing.", (Quote("F99"),), 0.9)


def _first_video(container: Container) -> Asset:
    return next(asset for asset in container.catalog.assets() if asset.kind is AssetKind.VIDEO and asset.width)


def _make_summarizing(container: Container, generator: FakeCaptioner) -> Summarizing:
    return Summarizing(
        container.blobs,
        container.artifacts,
        container.video_memory,
        generator,
        RuleClaimVerifier(VerdictThresholds(0.5, 0.3)),
        lambda asset_id: bool(container.catalog.sources(asset_id)),
    )


def test_a_video_that_is_deleted_while_it_is_summarized_leaves_nothing(
    make_container: MakeContainer, home_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = make_container(home_copy, generator__kind="extractive")
    video, original = _first_video(container), Summarizing._verified_statements

    def delete_first(summarizing: Summarizing, *arguments: object) -> object:
        if container.catalog.sources(video.asset_id):
            container.deletion.delete_asset(video.asset_id, None)
        return original(summarizing, *arguments)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(Summarizing, "_verified_statements", delete_first)
    with pytest.raises(AssetNotFound):
        container.summarizing.summarize(video)
    assert video.asset_id not in container.artifacts.list_assets()


def test_chapters_cover_a_video_without_a_gap_and_every_sentence_is_proven(
    make_container: MakeContainer, home_copy: Path
) -> None:
    container = make_container(home_copy, generator__kind="extractive")
    video = _first_video(container)
    progress: list[tuple[int, int]] = []
    summary = container.summarizing.summarize(video, lambda done, whole: progress.append((done, whole)))
    chapters = summary.chapters
    assert (chapters[0].start_s, chapters[-1].end_s) == (0.0, video.duration_s)
    assert all(before.end_s == after.start_s for before, after in pairwise(chapters))
    assert progress == [(done, len(chapters)) for done in range(len(chapters) + 1)]
    passages = " ".join(_segment_texts(container, video))
    chapter_statements = [one for chapter in chapters for one in chapter.statements]
    assert chapter_statements and summary.statements
    for statement in (*chapter_statements, *summary.statements):
        assert statement.text in passages and statement.verdict is Verdict.SUPPORTED
        assert 0 <= statement.start_s < statement.end_s <= (video.duration_s or 0)
    assert all(chapter.title and chapter.key_frame is not None for chapter in chapters)


def test_a_summary_is_kept_when_all_of_it_is_made(make_container: MakeContainer, home_copy: Path) -> None:
    container = make_container(home_copy, generator__kind="extractive")
    video = _first_video(container)
    assert _make_summarizing(container, FakeCaptioner()).cached(video) is None
    with pytest.raises(GeneratorUnavailable):
        _make_summarizing(container, FakeCaptioner(breaks_after=1)).summarize(video)
    assert _make_summarizing(container, FakeCaptioner()).cached(video) is None
    made = _make_summarizing(container, FakeCaptioner()).summarize(video)
    assert _make_summarizing(container, FakeCaptioner(breaks_after=0)).cached(video) == made
    photo = next(asset for asset in container.catalog.assets() if asset.kind is AssetKind.IMAGE)
    with pytest.raises(SourceError, match="only videos"):
        container.summarizing.cached(photo)


def test_a_caption_is_made_from_pictures_and_passages_of_its_section(
    make_container: MakeContainer, home_copy: Path
) -> None:
    container, generator = make_container(home_copy, generator__kind="extractive"), FakeCaptioner()
    video = _first_video(container)
    summary = _make_summarizing(container, generator).summarize(video)
    *captions, whole = generator.captioned
    assert len(summary.chapters) == len(whole) < len(captions)
    for evidence in captions:
        pictures = [one.result.segment for one in evidence if one.result.segment.origin is Origin.PICTURE]
        assert 0 < len(pictures) <= 6
        (chapter,) = [one for one in summary.chapters if one.start_s <= (pictures[0].start_s or 0.0) < one.end_s]
        assert f"There are {len(evidence)} things." in [one.text for one in chapter.statements]
        assert all(chapter.start_s <= (one.result.segment.start_s or 0.0) < chapter.end_s for one in evidence)


def test_a_stopped_summary_goes_on_where_it_was(make_container: MakeContainer, home_copy: Path) -> None:
    container = make_container(home_copy, generator__kind="extractive")
    video = _first_video(container)
    whole = FakeCaptioner()
    undisturbed = _make_summarizing(container, whole).summarize(video)
    container.blobs.delete_prefix(f"{container.artifacts.version_prefix(video.asset_id, video.version)}/summary")
    first, second, third = FakeCaptioner(breaks_after=len(whole.captioned) // 2), FakeCaptioner(), FakeCaptioner()
    with pytest.raises(GeneratorUnavailable):
        _make_summarizing(container, first).summarize(video)
    assert _make_summarizing(container, second).summarize(video) == undisturbed
    assert len(second.captioned) < len(whole.captioned)
    assert _make_summarizing(container, third).summarize(video) == undisturbed
    assert third.captioned == []


def test_a_damaged_section_is_made_again(make_container: MakeContainer, home_copy: Path) -> None:
    container = make_container(home_copy, generator__kind="extractive")
    video = _first_video(container)
    summary = _make_summarizing(container, FakeCaptioner()).summarize(video)
    folder = f"{container.artifacts.version_prefix(video.asset_id, video.version)}/summary"
    for name in container.blobs.list_keys(folder):
        if name.endswith(("00001.json", "whole.json")):
            container.blobs.put(name, b'{"title": ')
    again = FakeCaptioner()
    assert _make_summarizing(container, again).summarize(video) == summary
    assert 1 < len(again.captioned) < 8


def test_deleting_a_video_deletes_its_summary(make_container: MakeContainer, home_copy: Path) -> None:
    container = make_container(home_copy, generator__kind="extractive")
    video = _first_video(container)
    _make_summarizing(container, FakeCaptioner()).summarize(video)
    container.deletion.delete_asset(video.asset_id, None)
    assert list(container.blobs.list_keys(f"artifacts/{video.asset_id}")) == []


def test_without_a_memory_sections_are_even_and_captions_come_from_what_is_said(
    make_container: MakeContainer, home_copy: Path
) -> None:
    container = make_container(home_copy, generator__kind="extractive")
    video = _first_video(container)
    container.video_memory.memory = lambda _: None  # type: ignore[method-assign, assignment]
    chapters = container.summarizing.summarize(video).chapters
    lengths = {round(chapter.end_s - chapter.start_s, 6) for chapter in chapters}
    assert len(lengths) == 1 and any(chapter.statements for chapter in chapters)


def test_only_videos_are_summarized(make_container: MakeContainer, home_copy: Path) -> None:
    container = make_container(home_copy, generator__kind="extractive")
    paper = next(asset for asset in container.catalog.assets() if asset.kind is AssetKind.DOCUMENT)
    with pytest.raises(SourceError, match=f"{paper.name}: only videos can be summarized"):
        container.summarizing.summarize(paper)


HOSTILE = Summary(
    (Statement("A <b>boat</b> [x](y) --> leaves.", Verdict.UNCLEAR, 0.0, 4.0),),
    (Chapter("One & <two> -->\nthree", 0.0, 3723.5, None, ()), Chapter("Rest", 3723.5, 4000.0, None, ())),
)


def test_markdown_shows_what_was_said_and_no_more(make_container: MakeContainer, home_copy: Path) -> None:
    text = format_markdown(_first_video(make_container(home_copy, generator__kind="extractive")), HOSTILE)
    assert r"A \<b\>boat\</b\> \[x\](y) --\> leaves. (0:00–0:04?)" in text
    assert r"## 0:00–1:02:03 One & \<two\> --\> three" in text


def test_a_chapters_track_is_webvtt() -> None:
    cue = "00:00:00.000 --> 01:02:03.500\nOne &amp; &lt;two&gt; --&gt; three\n"
    assert format_webvtt(HOSTILE).startswith(f"WEBVTT\n\n{cue}\n01:02:03.500 --> 01:06:40.000\nRest\n")


def _segment_texts(container: Container, asset: Asset) -> Iterator[str]:
    manifest = container.artifacts.read_manifest(asset.asset_id, asset.version)
    for batch in container.pipeline.read_batches(manifest):
        yield from (" ".join(segment.text.split()) for segment in batch.segments)
