"""`afterimage search` and `afterimage ask`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import EXIT_NOTHING_FOUND, out, plain, print_json, services
from api.cli.evidence import save_answer, save_moments
from api.cli.options import After, Assets, Before, Collections, From, Json, Kinds, To, make_filter
from api.schemas import AnswerShape, HitShape, SearchShape
from indexer.errors import QueryError
from indexer.types import AssetKind
from services.answering import NOTHING_FOUND
from services.generators.extractive import clock
from services.types import Citation, Moment, Query, Sentence

Evidence = Annotated[
    Path | None,
    typer.Option("--save-evidence", metavar="DIR", help="Write the frame or page of every result, its box drawn."),
]


def search(
    question: Annotated[str, typer.Argument(help="What to look for, in words.")] = "",
    picture: Annotated[Path | None, typer.Option("--image", help="Look for what resembles this picture.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Results at most.")] = None,
    collections: Collections = None,
    kinds: Kinds = None,
    assets: Assets = None,
    start_s: From = None,
    end_s: To = None,
    after: After = None,
    before: Before = None,
    save_evidence: Evidence = None,
    json: Json = False,
) -> None:
    """Find moments, pages and pictures.

    Results that are no better than what unrelated questions find are left out. Exit code 3: nothing was found.
    """
    with services() as container:
        where = make_filter(container.catalog, collections, kinds, assets, start_s, end_s, after, before)
        pixels = None if picture is None else container.media.image(picture, 1280)
        if not question and pixels is None:
            raise QueryError("give a question, or a picture with --image")
        most = limit or container.settings.search.limit
        moments = container.retrieval.search(Query(question, pixels), where, most)
        if save_evidence is not None:
            save_moments(container.artifacts, moments, save_evidence)
        if json:
            print_json(SearchShape(hits=[HitShape.of(moment) for moment in moments]))
        else:
            _print_moments(moments)
    raise typer.Exit(0 if moments else EXIT_NOTHING_FOUND)


def ask(
    question: Annotated[str, typer.Argument(help="A question about what is in the archive.")],
    collections: Collections = None,
    kinds: Kinds = None,
    assets: Assets = None,
    start_s: From = None,
    end_s: To = None,
    after: After = None,
    before: Before = None,
    save_evidence: Evidence = None,
    json: Json = False,
) -> None:
    """Answer a question; every sentence names the time, page or picture that proves it.

    Exit code 3: nothing in the archive answers it.
    """
    with services() as container:
        where = make_filter(container.catalog, collections, kinds, assets, start_s, end_s, after, before)
        if json:
            answer = container.answering.ask(question, where)
            sentences = answer.sentences
            print_json(AnswerShape.of(answer))
        else:
            evidence = container.answering.evidence(question, where)
            sentences = _said(container.answering.sentences(question, evidence))
        if save_evidence is not None:
            save_answer(container.artifacts, sentences, save_evidence)
    raise typer.Exit(0 if sentences else EXIT_NOTHING_FOUND)


def place(kind: AssetKind, start_s: float | None, end_s: float | None, page: int | None) -> str:
    """Where in an asset: `0:12–0:20`, `page 7`, or nothing for a picture."""
    if kind is AssetKind.VIDEO and start_s is not None:
        return f"{clock(start_s)}–{clock(end_s)}"
    return f"page {page}" if page is not None else ""


def _print_moments(moments: list[Moment]) -> None:
    if not moments:
        out.print("Nothing found.")
    for number, moment in enumerate(moments, 1):
        where = place(moment.asset.kind, moment.start_s, moment.end_s, moment.best.page)
        lanes = ", ".join(moment.lanes)
        out.print(f"[bold]{number:2}. {plain(moment.asset.name)}[/]  {where}  [dim]{moment.score:.2f} {lanes}[/]")
        if moment.best.text:
            out.print(f"    {plain(_short(moment.best.text))}")


def _said(sentences: Iterable[Sentence]) -> tuple[Sentence, ...]:
    """Print an answer as it comes."""
    said = []
    for sentence in sentences:
        said.append(sentence)
        out.print(plain(sentence.text))
        for citation in sentence.citations:
            out.print(f"  [dim]└[/] {_cited(citation)}  [dim]({sentence.judgement.verdict})[/]")
    if not said:
        out.print(NOTHING_FOUND)
    return tuple(said)


def _cited(citation: Citation) -> str:
    found = citation.evidence.found
    where = place(found.asset.kind, found.segment.start_s, found.segment.end_s, found.segment.page)
    return f"[cyan]{plain(found.asset.name)}[/] {where}".rstrip()


def _short(text: str, longest: int = 160) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
