"""Summaries as people and players read them: Markdown, and chapters in WebVTT."""

from __future__ import annotations

import re

from services.catalog import Asset
from services.generators.extractive import clock
from services.sources import printable
from services.summarizing import Chapter, Statement, Summary
from services.types import Verdict

_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~])")
_WEBVTT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def as_markdown(asset: Asset, summary: Summary) -> str:
    """A heading, the summary, a section for every chapter; each sentence with its times, those that nobody could check
    with a question mark."""
    lines = [f"# {_words(asset.name)}", ""]
    if summary.statements:
        lines += [" ".join(map(_sentence, summary.statements)), ""]
    for chapter in summary.chapters:
        lines += [f"## {clock(chapter.start_s)}–{clock(chapter.end_s)} {_words(chapter.title)}", ""]
        if chapter.statements:
            lines += [" ".join(map(_sentence, chapter.statements)), ""]
    return "\n".join(lines)


def as_webvtt(summary: Summary) -> str:
    """A chapters track: a cue for every chapter, its title as the text."""
    return "\n".join(["WEBVTT", "", *(_cue(chapter) for chapter in summary.chapters)])


def _cue(chapter: Chapter) -> str:
    return f"{_stamp(chapter.start_s)} --> {_stamp(chapter.end_s)}\n{_line(chapter.title).translate(_WEBVTT)}\n"


def _sentence(said: Statement) -> str:
    unsure = "" if said.verdict is Verdict.SUPPORTED else "?"
    return f"{_words(said.text)} ({clock(said.start_s)}–{clock(said.end_s)}{unsure})"


def _words(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", _line(text))


def _line(text: str) -> str:
    return printable(" ".join(text.split()))


def _stamp(time_s: float) -> str:
    milliseconds = round(time_s * 1000)
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
