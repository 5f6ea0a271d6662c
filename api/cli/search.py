"""Commands `afterimage search` and `afterimage ask`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import EXIT_NOTHING_FOUND, escape_markup, mark_gone, open_container, out, print_gaps, print_json
from api.cli.evidence import save_answer, save_moments
from api.cli.messages import translate as _
from api.cli.options import (
    AfterOption,
    AssetsOption,
    BeforeOption,
    CollectionsOption,
    FromOption,
    JsonOption,
    KindsOption,
    ToOption,
    make_filter,
)
from api.cli.progress import prepare_scores
from api.schemas.locations import format_location
from api.schemas.results import AnswerShape, HitShape, SearchShape
from indexer.errors import InvalidInput
from indexer.text.passage import list_context
from indexer.types import AssetKind, Lane, Modality, Origin, Segment
from services.answering.abstention import NOTHING_FOUND, abstain_in_language_of
from services.answering.types import Citation, Sentence
from services.search.types import Moment, Query

SaveEvidenceOption = Annotated[
    Path | None,
    typer.Option("--save-evidence", metavar="DIR", help="Write each result's frame or page, with its box."),
]

_MAX_IMAGE_PX = 1280
"""Chosen: more than any image encoder's input, so that downscaling costs no accuracy."""
_MAX_TEXT_CHARS = 160
"""Form: characters of a result's text that are printed."""
_CONTEXT_SEPARATOR = " › "


def search(
    question: Annotated[str, typer.Argument(help="What to look for, in words.")] = "",
    image: Annotated[Path | None, typer.Option("--image", help="Look for what resembles this picture.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Maximum number of results.")] = None,
    weaker: Annotated[bool, typer.Option("--weaker", help="Show weaker results too, after the others.")] = False,
    collections: CollectionsOption = None,
    kinds: KindsOption = None,
    assets: AssetsOption = None,
    start_s: FromOption = None,
    end_s: ToOption = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    save_evidence: SaveEvidenceOption = None,
    json: JsonOption = False,
) -> None:
    """Find moments, pages and pictures.

    Results that are no better than what unrelated questions find (a score of at most 0.50) are left out; --weaker shows
    them. Exit code 3: nothing was found.
    """
    with open_container() as container:
        filters = make_filter(container.catalog, collections, kinds, assets, start_s, end_s, after, before)
        pixels = None if image is None else container.decoder.read_image(image, _MAX_IMAGE_PX)
        if not question and pixels is None:
            raise InvalidInput("give a question, or a picture with --image")
        max_results = limit or container.settings.search.limit
        prepare_scores(container)
        moments = container.retrieval.search(Query(question, pixels), filters, max_results, weaker=weaker)
        if save_evidence is not None:
            save_moments(container.artifacts, moments, save_evidence)
        if json:
            print_json(SearchShape(hits=[HitShape.of(moment) for moment in moments]))
        else:
            _print_moments(moments, weaker)
        print_gaps(gap for gap in container.coverage.gaps(collections) if gap.capability.model in tuple(Lane))
    raise typer.Exit(0 if moments else EXIT_NOTHING_FOUND)


def ask(
    question: Annotated[str, typer.Argument(help="A question about what is in the archive.")],
    collections: CollectionsOption = None,
    kinds: KindsOption = None,
    assets: AssetsOption = None,
    start_s: FromOption = None,
    end_s: ToOption = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    save_evidence: SaveEvidenceOption = None,
    json: JsonOption = False,
) -> None:
    """Answer a question; every sentence names the time, page or picture that proves it.

    Exit code 3: nothing in the archive answers it.
    """
    with open_container() as container:
        filters = make_filter(container.catalog, collections, kinds, assets, start_s, end_s, after, before)
        prepare_scores(container)
        if json:
            answer = container.answering.ask(question, filters)
            sentences = answer.sentences
            print_json(AnswerShape.of(answer))
        else:
            evidence = container.answering.gather_evidence(question, filters)
            sentences = _print_sentences(question, container.answering.stream_sentences(question, evidence))
        if save_evidence is not None:
            save_answer(container.artifacts, sentences, save_evidence)
    raise typer.Exit(0 if sentences else EXIT_NOTHING_FOUND)


def _print_moments(moments: list[Moment], weaker: bool) -> None:
    if not moments:
        out.print(_("Nothing found.") if weaker else _("Nothing found. Weaker results: --weaker"))
    for number, moment in enumerate(moments, 1):
        location = _format_place(moment.asset.kind, moment.start_s, moment.end_s, moment.best_segment.page)
        location += _format_origin(moment.best_segment)
        lanes = ", ".join(moment.lane_scores)
        out.print(
            f"[bold]{number:2}. {escape_markup(moment.asset.name)}[/]{mark_gone(moment.asset)}"
            f"  {location}  [dim]{moment.score:.2f} {lanes}[/]"
        )
        if context := list_context(moment.best_segment):
            out.print(f"    [dim]{escape_markup(_shorten(_CONTEXT_SEPARATOR.join(context)))}[/]")
        if moment.best_segment.text:
            out.print(f"    {escape_markup(_shorten(moment.best_segment.text))}")


def _print_sentences(question: str, sentences: Iterable[Sentence]) -> tuple[Sentence, ...]:
    """Print the sentences of an answer as they are generated; return them."""
    printed = []
    for sentence in sentences:
        printed.append(sentence)
        out.print(escape_markup(sentence.text))
        for citation in sentence.citations:
            out.print(f"  [dim]└[/] {_format_citation(citation)}  [dim]({_(sentence.verification.verdict)})[/]")
    if not printed:
        abstention = abstain_in_language_of(question)
        out.print(_(NOTHING_FOUND) if abstention == NOTHING_FOUND else abstention)
    return tuple(printed)


def _format_citation(citation: Citation) -> str:
    retrieved = citation.evidence.result
    segment = retrieved.segment
    location = _format_place(retrieved.asset.kind, segment.start_s, segment.end_s, segment.page)
    name = f"[cyan]{escape_markup(retrieved.asset.name)}[/]{mark_gone(retrieved.asset)}"
    heading = "".join(f" [dim]· {escape_markup(_shorten(line))}[/]" for line in list_context(segment)[-1:])
    return f"{name} {location}{_format_origin(segment)}".rstrip() + heading


def _format_place(kind: AssetKind, start_s: float | None, end_s: float | None, page: int | None) -> str:
    """Format a place in an asset as `format_location` does, pages in the language of the user."""
    is_page = page is not None and kind is not AssetKind.VIDEO
    return _("page {page}", page=page) if is_page else format_location(kind, start_s, end_s, page)


def _format_origin(segment: Segment) -> str:
    """Return a remark where a text was spoken, or where that of a page was recognised, not stored; empty otherwise."""
    if segment.origin.modality is Modality.SPOKEN:
        return f" {_('(spoken)')}"
    return f" {_('(OCR)')}" if segment.origin is Origin.OCR and segment.page is not None else ""


def _shorten(text: str) -> str:
    """Return a text as one line, cut to the length that is printed."""
    line = " ".join(text.split())
    return line if len(line) <= _MAX_TEXT_CHARS else line[: _MAX_TEXT_CHARS - 1] + "…"
