"""Tests of the product do not import the benchmarks: what both use is in `tests/support/`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.source_tree import SourceFile, parse_source, source_files

FORBIDDEN = "benchmarks"


def test_no_test_imports_the_benchmarks() -> None:
    imports = [f"{file.path}:{line}" for file in source_files("tests") for line in forbidden_imports(file)]
    assert imports == []


def test_an_import_of_the_benchmarks_is_noticed() -> None:
    text = "import benchmarks.load\nfrom benchmarks import load\nfrom benchmarks.load import run\nimport benchmarking\n"
    assert list(forbidden_imports(parse_source(text))) == [1, 2, 3]


def forbidden_imports(file: SourceFile) -> Iterator[int]:
    """Yield the lines that import the benchmarks or a module of theirs, inside of functions too."""
    for node in ast.walk(file.tree):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if any(name.split(".")[0] == FORBIDDEN for name in names):
            yield node.lineno
