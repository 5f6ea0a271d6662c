"""Numbers that decide something say where they come from.

A numeric constant of a module and a numeric default of a settings class carry a docstring below them, or a comment on
their line, that begins with the kind of reason:

    Measured:   by which command or decision
    Source:     a paper, a specification, a format
    Chosen:     a judgement that nothing has measured; says what it trades
    Form:       pure form (a chunk size, a width of text), which changes no result

One reason serves consecutive constants of one statement. Zero, one and numbers in enumerations need none.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from tests.house.source_tree import PRODUCT, SourceFile, parse_source, source_files

REASON = re.compile(r"\b(?:Measured|Source|Chosen|Form): \S+ \S+")
PLAIN = {0, 1, -1}


def test_every_constant_that_decides_something_has_a_reason() -> None:
    bare = [f"{file.path}:{line} {name}" for file in source_files(*PRODUCT) for line, name in without_reason(file)]
    assert bare == [], f"{len(bare)} constants without a reason"


def test_a_constant_without_a_reason_is_noticed() -> None:
    text = 'A_S = 3.0\n"""Patience."""\nB_S = 4.0\n"""Chosen: a slow disk needs it."""\nC = 5  # Form: a chunk size\n'
    assert list(without_reason(parse_source(text))) == [(1, "A_S")]


def without_reason(file: SourceFile) -> Iterator[tuple[int, str]]:
    """Line and name of each constant of a module, and of each numeric default of its classes, that gives no reason."""
    comments = _comments(file.text)
    bodies = [
        file.tree.body,
        *(node.body for node in ast.walk(file.tree) if isinstance(node, ast.ClassDef) and not _is_enum(node)),
    ]
    for body in bodies:
        for position, node in enumerate(body):
            name = _numeric_constant(node)
            if name is None:
                continue
            told = " ".join(
                comments.get(line, "") for line in range(node.lineno - 1, (node.end_lineno or node.lineno) + 1)
            )
            if position + 1 < len(body):
                told += _docstring(body[position + 1])
            if not REASON.search(told):
                yield node.lineno, name


def _numeric_constant(node: ast.stmt) -> str | None:
    """The name that a statement gives to a number that is not plain; None for anything else."""
    if isinstance(node, ast.Assign):
        name, value = ", ".join(ast.unparse(target) for target in node.targets), node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        name, value = ast.unparse(node.target), node.value
    else:
        return None
    return name if any(_is_number(part) for part in ast.walk(value)) and _is_literal(value) else None


def _is_literal(value: ast.expr) -> bool:
    """Whether a value is made of numbers alone: `3.0`, `(1, 2)`, `1 << 20`, `{A: 0.4}`, `Field(default=3)`."""
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).rsplit(".", 1)[-1] in {"Field", "field", "frozenset"}
    return isinstance(value, ast.Constant | ast.UnaryOp | ast.BinOp | ast.Tuple | ast.List | ast.Set | ast.Dict)


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in {int, float} and node.value not in PLAIN


def _is_enum(node: ast.ClassDef) -> bool:
    return any("Enum" in ast.unparse(parent) for parent in node.bases)


def _docstring(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return ""


def _comments(text: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
