"""The product's source files, parsed once for the checks beside this file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("api", "services", "memory", "indexer")
OURS = (*PRODUCT, "demoworld", "benchmarks", "tests")
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A parsed module; `path` is relative to the root of the repository."""

    path: str
    text: str
    tree: ast.Module


@cache
def source_files(*packages: str) -> tuple[SourceFile, ...]:
    """The modules of some top-level packages, sorted by path."""
    paths = sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))
    return tuple(_parse(path) for path in paths)


def functions(tree: ast.AST) -> Iterator[Function]:
    """All functions and methods, nested ones included."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def parse_source(text: str, path: str = "x.py") -> SourceFile:
    """Parse a made-up module, in which a check is to notice a fault."""
    return SourceFile(path, text, ast.parse(text))


def _parse(path: Path) -> SourceFile:
    return parse_source(path.read_text(), str(path.relative_to(ROOT)))
