"""Files and functions stay small enough to be read whole."""

from __future__ import annotations

from tests.house.source_tree import OURS, functions, source_files

MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 40
LONG_BY_NATURE = {"services/settings.py"}
"""All settings in one place, each with what it means."""


def test_no_file_is_longer_than_the_house_allows() -> None:
    long = [file.path for file in source_files(*OURS) if file.text.count("\n") > MAX_FILE_LINES]
    assert set(long) - LONG_BY_NATURE == set()


def test_no_function_is_longer_than_the_house_allows() -> None:
    long = [
        f"{file.path}:{node.lineno} {node.name}"
        for file in source_files(*OURS)
        for node in functions(file.tree)
        if (node.end_lineno or node.lineno) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long == []
