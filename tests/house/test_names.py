"""Public names: one class of a name in the product, no placeholder words, a docstring on whatever is public."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator

from tests.house.source_tree import PRODUCT, Function, SourceFile, functions, parse_source, source_files

PLACEHOLDERS = frozenset({"one", "some", "many", "several", "utils", "helpers", "manager", "base", "common"})
MAX_UNDOCUMENTED_LINES = 8
"""A longer function needs a docstring also where it is nested in another or belongs to a private class."""


def test_a_public_class_name_is_used_once() -> None:
    assert repeated_classes(source_files(*PRODUCT)) == {}


def test_public_functions_classes_and_modules_have_docstrings() -> None:
    assert [place for file in source_files(*PRODUCT) for place in without_docstring(file)] == []


def test_no_module_and_no_public_function_has_a_placeholder_for_a_name() -> None:
    assert [place for file in source_files(*PRODUCT) for place in placeholder_names(file)] == []


def test_a_second_class_of_one_name_is_noticed() -> None:
    first = parse_source("class Lane: ...\nclass _Row: ...\n", "a.py")
    second = parse_source("class _Row: ...\nclass Lane: ...\nclass Other: ...\n", "b.py")
    assert repeated_classes([first, second]) == {"Lane": ["a.py", "b.py"]}


def test_what_is_public_and_has_no_docstring_is_noticed() -> None:
    text = "class A:\n    def b(self): ...\n    def _c(self): ...\nasync def d(): ...\ndef e():\n    '''Fine.'''\n"
    assert list(without_docstring(parse_source(text))) == ["x.py", "x.py:1 A", "x.py:2 b", "x.py:4 d"]


def test_a_long_nested_function_without_a_docstring_is_noticed() -> None:
    body = "        x = 1\n" * MAX_UNDOCUMENTED_LINES
    nested = f"def _outer():\n    def short(): ...\n    def long():\n{body}"
    text = f"'''Fine.'''\n{nested}class _C:\n    def run(self):\n{body}"
    assert list(without_docstring(parse_source(text))) == ["x.py:4 long", "x.py:14 run"]


def test_a_placeholder_for_a_name_is_noticed() -> None:
    text = (
        "class A:\n    def one(self): ...\n    def f(self, many, /, some, *, base): ...\n    def _g(self, some): ...\n"
    )
    assert list(placeholder_names(parse_source(text, "services/helpers.py"))) == [
        "services/helpers.py",
        "services/helpers.py:2 one",
        "services/helpers.py:3 f(many)",
        "services/helpers.py:3 f(some)",
        "services/helpers.py:3 f(base)",
    ]


def repeated_classes(files: Iterable[SourceFile]) -> dict[str, list[str]]:
    """Return the names of public classes that several modules define, with the paths of those."""
    places: dict[str, list[str]] = defaultdict(list)
    for file in files:
        for node in file.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(file.path)
    return {name: paths for name, paths in places.items() if len(paths) > 1}


def without_docstring(file: SourceFile) -> Iterator[str]:
    """Yield the module, and the public classes and functions in it, that have no docstring."""
    if file.tree.body and ast.get_docstring(file.tree) is None:
        yield file.path
    for node, is_exposed in _named(file.tree, is_exposed=True):
        is_long = (node.end_lineno or node.lineno) - node.lineno + 1 > MAX_UNDOCUMENTED_LINES
        if (is_exposed or is_long) and ast.get_docstring(node) is None:
            yield f"{file.path}:{node.lineno} {node.name}"


def placeholder_names(file: SourceFile) -> Iterator[str]:
    """Yield the module, the functions in it and the parameters of its public functions that have no proper name."""
    if file.path.rsplit("/", 1)[-1][:-3] in PLACEHOLDERS:
        yield file.path
    for node in functions(file.tree):
        if node.name in PLACEHOLDERS:
            yield f"{file.path}:{node.lineno} {node.name}"
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            if argument.arg in PLACEHOLDERS and not node.name.startswith("_"):
                yield f"{file.path}:{node.lineno} {node.name}({argument.arg})"


def _named(parent: ast.AST, is_exposed: bool) -> Iterator[tuple[Function | ast.ClassDef, bool]]:
    """Public functions and classes at any depth, and whether callers see them: not those in functions or private."""
    for node in ast.iter_child_nodes(parent):
        is_private = isinstance(node, ast.ClassDef) and node.name.startswith("_")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_public(node):
            yield node, is_exposed
        if isinstance(node, ast.ClassDef) and not is_private and is_exposed:
            yield node, is_exposed
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _named(node, is_exposed and not is_function and not is_private)


def _is_public(node: Function) -> bool:
    """Whether its name is public: no underscore, and no `@overload` or `@x.setter`, which the main one documents."""
    decorators = {ast.unparse(decorator).rsplit(".", 1)[-1] for decorator in node.decorator_list}
    return not node.name.startswith("_") and not decorators & {"overload", "setter"}
