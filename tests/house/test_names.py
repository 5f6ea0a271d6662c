"""Public names: one class of a name in the product, no placeholder words, a docstring on whatever is public."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from tests.house.source_tree import PRODUCT, SourceFile, functions, source_files

PLACEHOLDERS = frozenset({"one", "some", "many", "several", "utils", "helpers", "manager", "base", "common"})
DUNDER = "__"
STUB_LINES = 1
"""An `@overload` or a property of one expression has nothing to say that its name and types do not."""


def test_a_public_class_name_is_used_once() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file in source_files(*PRODUCT):
        for node in file.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(file.path)
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_public_functions_classes_and_modules_have_docstrings() -> None:
    bare = [
        f"{file.path}:{node.lineno} {name}"
        for file in source_files(*PRODUCT)
        for name, node in _public(file)
        if ast.get_docstring(node) is None
    ]
    bare += [file.path for file in source_files(*PRODUCT) if file.tree.body and ast.get_docstring(file.tree) is None]
    assert bare == []


def test_no_module_and_no_public_function_has_a_placeholder_for_a_name() -> None:
    modules = [file.path for file in source_files(*PRODUCT) if file.path.rsplit("/", 1)[-1][:-3] in PLACEHOLDERS]
    named = [
        f"{file.path}:{node.lineno} {node.name}"
        for file in source_files(*PRODUCT)
        for node in functions(file.tree)
        if node.name in PLACEHOLDERS
    ]
    parameters = [
        f"{file.path}:{node.lineno} {node.name}({argument.arg})"
        for file in source_files(*PRODUCT)
        for node in functions(file.tree)
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        if argument.arg in PLACEHOLDERS and not node.name.startswith("_")
    ]
    assert modules + named + parameters == []


def _public(file: SourceFile) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """Public classes, functions and methods at module or class level, with their qualified names."""
    for node in file.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_public(node):
            yield node.name, node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            for member in node.body:
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and _is_public(member):
                    yield f"{node.name}.{member.name}", member


def _is_public(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether callers see it: no underscore, and no `@overload` or `@x.setter`, which the main definition documents."""
    decorators = {ast.unparse(decorator).rsplit(".", 1)[-1] for decorator in node.decorator_list}
    return not node.name.startswith("_") and not decorators & {"overload", "setter"}
