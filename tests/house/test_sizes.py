"""Files and functions stay small enough to be read whole."""

from __future__ import annotations

from collections.abc import Iterator

from tests.house.source_tree import OURS, SourceFile, functions, parse_source, source_files

MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 40
LONG_BY_NATURE = {"services/settings.py"}
"""All settings in one place, each with what it means."""


def test_no_file_is_longer_than_the_house_allows() -> None:
    long = {file.path for file in source_files(*OURS) if is_long(file)}
    assert long - LONG_BY_NATURE == set()


def test_no_function_is_longer_than_the_house_allows() -> None:
    assert [place for file in source_files(*OURS) for place in long_functions(file)] == []


def test_a_long_file_is_noticed() -> None:
    lines = ["x = 1\n"] * MAX_FILE_LINES
    assert not is_long(parse_source("".join(lines)))
    assert is_long(parse_source("".join([*lines, "y = 1\n"])))


def test_a_long_function_is_noticed() -> None:
    body = "        x = 1\n" * (MAX_FUNCTION_LINES - 1)
    text = f"class C:\n    def fits(self):\n{body}    async def long(self):\n{body}        y = 1\n"
    assert list(long_functions(parse_source(text))) == [f"x.py:{MAX_FUNCTION_LINES + 2} long"]


def is_long(file: SourceFile) -> bool:
    """Whether a file has more lines than the house allows."""
    return file.text.count("\n") > MAX_FILE_LINES


def long_functions(file: SourceFile) -> Iterator[str]:
    """Yield the functions and methods, nested ones too, that have more lines than the house allows."""
    for node in functions(file.tree):
        if (node.end_lineno or node.lineno) - node.lineno + 1 > MAX_FUNCTION_LINES:
            yield f"{file.path}:{node.lineno} {node.name}"
