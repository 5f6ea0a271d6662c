"""Beginnings of list items, of the options of commands, and of commands behind a prompt."""

from __future__ import annotations

import re

_MARKER = re.compile(r"(?:[•◦▪‣●○■–*-]|\(?(?:\d{1,2}|[a-z])[.)])(?=\s|$)")
"""Bullet or number of a list item."""
_OPTION = re.compile(r"--?[A-Za-z0-9?][\w?-]*")
"""Option of a command: `-e`, `--erase-all`."""
_PROMPT = re.compile(r"(?:[$#%>]|[A-Z]:\\>)\s*[\w./~]")
"""Prompt of a shell and the beginning of a command."""
_LEAD_IN_END = re.compile(r"[:：]\s*$")


def has_list_marker(text: str) -> bool:
    """Return True if a line begins with the bullet or number of a list item."""
    return _MARKER.match(text) is not None


def is_list_marker(text: str) -> bool:
    """Return True if a text is a bullet or number of a list item and nothing else."""
    return _MARKER.fullmatch(text) is not None


def has_option(text: str) -> bool:
    """Return True if a line begins with an option of a command."""
    return _OPTION.match(text) is not None


def has_prompt(text: str) -> bool:
    """Return True if a line begins with the prompt of a shell: `$ make install`."""
    return _PROMPT.match(text) is not None


def leads_in(text: str) -> bool:
    """Return True if a text announces what follows: it ends with a colon."""
    return _LEAD_IN_END.search(text) is not None
