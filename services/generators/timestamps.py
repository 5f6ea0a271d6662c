"""Two formats of a time in a recording: `00:13:02` for prompts, `13:02` for people."""

from __future__ import annotations


def format_timestamp(time_s: float) -> str:
    """Return a time in the form that prompts use and models are trained on, `00:13:02`; whole seconds, rounded down."""
    whole = int(time_s)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def format_short_timestamp(time_s: float | None) -> str:
    """Return a time in the form that people write, `1:02` or `1:01:02`; whole seconds, rounded down; None is 0."""
    whole = int(time_s or 0.0)
    hours, minutes, seconds = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
