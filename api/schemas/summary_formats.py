"""Summaries as people and players read them: Markdown, and chapters in WebVTT."""

from __future__ import annotations

import re

from services.answering.types import Verdict
from services.catalog.types import Asset
from services.database.text import sanitize
from services.generators.extractive import format_short_timestamp
from services.summaries.types import Chapter, Statement, Summary

_MARKDOWN_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~])")
_WEBVTT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def format_markdown(asset: Asset, summary: Summary) -> str:
    """A heading, the summary, a section for every chapter; each sentence with its times, those that nobody could check
    with a question mark."""
    lines = [f"# {_escape_markdown(asset.name)}", ""]
    if summary.statements:
        lines += [" ".join(map(_format_statement, summary.statements)), ""]
    for chapter in summary.chapters:
        lines += [
            f"## {format_short_timestamp(chapter.start_s)}–{format_short_timestamp(chapter.end_s)} {_escape_markdown(chapter.title)}",
            "",
        ]
        if chapter.statements:
            lines += [" ".join(map(_format_statement, chapter.statements)), ""]
    return "\n".join(lines)


def format_webvtt(summary: Summary) -> str:
    """A chapters track: a cue for every chapter, its title as the text."""
    return "\n".join(["WEBVTT", "", *(_format_cue(chapter) for chapter in summary.chapters)])


def _format_cue(chapter: Chapter) -> str:
    return f"{_format_webvtt_time(chapter.start_s)} --> {_format_webvtt_time(chapter.end_s)}\n{_to_one_line(chapter.title).translate(_WEBVTT_ESCAPES)}\n"


def _format_statement(statement: Statement) -> str:
    unsure = "" if statement.verdict is Verdict.SUPPORTED else "?"
    return f"{_escape_markdown(statement.text)} ({format_short_timestamp(statement.start_s)}–{format_short_timestamp(statement.end_s)}{unsure})"


def _escape_markdown(text: str) -> str:
    return _MARKDOWN_SPECIAL.sub(r"\\\1", _to_one_line(text))


def _to_one_line(text: str) -> str:
    return sanitize(" ".join(text.split()))


def _format_webvtt_time(time_s: float) -> str:
    milliseconds = round(time_s * 1000)
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
