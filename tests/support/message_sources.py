"""English messages in the source: what the command line says, and the texts of errors, warnings and checks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from tests.house.source_tree import SourceFile, functions, source_files

_TRANSLATING = {"_", "translate", "translate_count"}
_NOTE_NAMES = re.compile(r"(?:reasons?|warnings?|note|notice|message|problems|otherwise|location|advice|detail)$")
_EXPLAINING = re.compile(
    r"explain|describe_refusal|describe_error|stall_message|open_error|to_(?:read_)?error|warning|note"
)
_SHOWING = {"on_notice", "_make_result", "Check", "_open_error", "BadParameter"}
"""Calls whose last arguments are shown."""
_OTHER_ERRORS = {"MalformedResponse", "RawPhotoError"}
"""Exceptions that are no `AfterimageError`, and whose texts become those of one."""
_UNSEEN = {"LeaseLost", "Cancelled", "IdempotencyConflict", "InvalidMediaUrl", "UploadNotFound", "UploadConflict"}
"""Errors that the command line never shows: those of HTTP requests and between workers."""


def find_messages(file: SourceFile) -> Iterator[str]:
    """Yield the templates that a module of the command line passes to `_` and its like."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _TRANSLATING and node.args:
            for argument in node.args[: 2 if "count" in ast.unparse(node.func) else 1]:
                yield from _templates(argument, {})


def find_error_texts(*packages: str) -> dict[str, str]:
    """Return the shape of every text of an error, a warning or a check in some packages, with where it is.

    A shape has `{}` for each field. Texts that are made at run time out of other ones are left out.
    """
    found: dict[str, str] = {}
    for file in source_files(*packages):
        for node in _text_nodes(file):
            for text in _templates(node, _constants()):
                if " " in text.strip() and re.search(r"[a-z]{2}", text):
                    found.setdefault(text, f"{file.path}:{node.lineno}")
    return found


@cache
def error_classes() -> frozenset[str]:
    """Return the names of all subclasses of `AfterimageError`."""
    parents = {
        node.name: {ast.unparse(parent).rsplit(".", 1)[-1] for parent in node.bases}
        for file in source_files("indexer", "memory", "services", "api")
        for node in ast.walk(file.tree)
        if isinstance(node, ast.ClassDef)
    }
    known = {"AfterimageError"}
    while more := {name for name, bases in parents.items() if bases & known} - known:
        known |= more
    return frozenset(known)


@cache
def _constants() -> dict[str, str]:
    """Return the texts of all constants of modules, by name."""
    return {
        ast.unparse(node.targets[0]): node.value.value
        for file in source_files("indexer", "memory", "services")
        for node in file.tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def _text_nodes(file: SourceFile) -> Iterator[ast.expr]:
    """Yield the expressions of a module that are texts for people."""
    shown = (error_classes() | _OTHER_ERRORS) - _UNSEEN
    if file.path == "services/settings.py":
        shown |= {"ValueError"}
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rsplit(".", 1)[-1]
            if name in shown:
                yield from node.args
            elif name in _SHOWING:
                yield from node.args[-2:]
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if _NOTE_NAMES.search(ast.unparse(targets[0])):
                yield node.value
    if file.path == "services/doctor.py":
        yield from (node.value for node in ast.walk(file.tree) if isinstance(node, ast.Return) and node.value)
    for function in functions(file.tree):
        if _EXPLAINING.search(function.name):
            yield from (node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value)


def _templates(node: ast.expr, constants: dict[str, str]) -> Iterator[str]:
    """Yield the templates of an expression: of a text, of both branches of a condition, of the items of a tuple."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in values)
        case ast.Name(id=name) if name in constants:
            yield constants[name]
        case ast.IfExp(body=body, orelse=orelse):
            yield from _templates(body, constants)
            yield from _templates(orelse, constants)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            for item in items:
                yield from _templates(item, constants)
        case ast.BoolOp(values=values):
            for value in values:
                yield from _templates(value, constants)
        case _:
            return
