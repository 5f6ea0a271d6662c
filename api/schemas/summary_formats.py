"""Text formats of summaries: Markdown for people, WebVTT chapters for players."""

from __future__ import annotations

import re

from services.answering.types import Verdict
from services.catalog.types import Asset
from services.database.text import sanitize
from services.generators.timestamps import format_short_timestamp
from services.summaries.types import Chapter, Statement, Summary

_MARKDOWN_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~])")
_WEBVTT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def format_markdown(asset: Asset, summary: Summary) -> str:
    """Format a summary as Markdown: a heading, the summary, a section for every chapter. Sentences have their times; a
    question mark means that the sentence is not supported.
    """
    lines = [f"# {_escape_markdown(asset.name)}", ""]
    if summary.statements:
        lines += [" ".join(map(_format_statement, summary.statements)), ""]
    for chapter in summary.chapters:
        lines += [f"## {_format_span(chapter.start_s, chapter.end_s)} {_escape_markdown(chapter.title)}", ""]
        if chapter.statements:
            lines += [" ".join(map(_format_statement, chapter.statements)), ""]
    return "\n".join(lines)


def format_webvtt(summary: Summary) -> str:
    """Format a summary as a WebVTT chapters track: a cue for every chapter, with its title."""
    return "\n".join(["WEBVTT", "", *(_format_cue(chapter) for chapter in summary.chapters)])


def _format_cue(chapter: Chapter) -> str:
    title = _to_one_line(chapter.title).translate(_WEBVTT_ESCAPES)
    return f"{_format_webvtt_time(chapter.start_s)} --> {_format_webvtt_time(chapter.end_s)}\n{title}\n"


def _format_statement(statement: Statement) -> str:
    mark = "" if statement.verdict is Verdict.SUPPORTED else "?"
    return f"{_escape_markdown(statement.text)} ({_format_span(statement.start_s, statement.end_s)}{mark})"


def _format_span(start_s: float, end_s: float) -> str:
    return f"{format_short_timestamp(start_s)}–{format_short_timestamp(end_s)}"


def _escape_markdown(text: str) -> str:
    return _MARKDOWN_SPECIAL.sub(r"\\\1", _to_one_line(text))


def _to_one_line(text: str) -> str:
    return sanitize(" ".join(text.split()))


def _format_webvtt_time(time_s: float) -> str:
    milliseconds = round(time_s * 1000)
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
