"""Routes are plain functions: no lambda or nested function is a body, and a slot is asked for last."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.source_tree import Function, SourceFile, source_files

METHODS = frozenset({"get", "head", "post", "put", "patch", "delete", "options", "api_route"})
SLOTS = frozenset({"SearchSlot", "LookupSlot", "ClipSlot"})


def test_no_route_runs_a_lambda_or_a_nested_function() -> None:
    nested = [
        f"{file.path}:{node.lineno}"
        for file in _route_files()
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Lambda) or _contains_function(node)
    ]
    assert nested == []


def test_a_slot_is_the_last_dependency_of_a_route() -> None:
    """Whoever may not ask is refused without waiting; a lookup that authentication makes needs a slot of its own."""
    early = [
        f"{file.path}:{route.lineno} {route.name}"
        for file in _route_files()
        for route in _routes(file)
        if (slots := [at for at, name in enumerate(_annotations(route)) if name in SLOTS])
        and any(_is_dependency(name) for name in _annotations(route)[slots[0] + 1 :])
    ]
    assert early == []


def test_a_route_with_a_slot_is_a_plain_function() -> None:
    asynchronous = [
        f"{file.path}:{route.lineno} {route.name}"
        for file in _route_files()
        for route in _routes(file)
        if isinstance(route, ast.AsyncFunctionDef) and SLOTS & set(_annotations(route))
    ]
    assert asynchronous == []


def _route_files() -> list[SourceFile]:
    files = [
        file
        for file in source_files("api")
        if file.path.startswith("api/http/routes/") or file.path in {"api/openai/routes.py", "api/mcp/http.py"}
    ]
    assert sum(len(list(_routes(file))) for file in files) > 30
    return files


def _routes(file: SourceFile) -> Iterator[Function]:
    """Functions with a decorator such as `@router.get(…)`."""
    for node in file.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = {ast.unparse(decorator).partition("(")[0].rpartition(".")[2] for decorator in node.decorator_list}
            if names & METHODS:
                yield node


def _annotations(route: Function) -> list[str]:
    return ["" if argument.annotation is None else ast.unparse(argument.annotation) for argument in route.args.args]


def _is_dependency(annotation: str) -> bool:
    return "Depends(" in annotation or annotation in {
        "Context",
        "ReadAccess",
        "WriteAccess",
        "AdminAccess",
        "IdempotencyKeyParam",
        "ImageOptionsParam",
    }


def _contains_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
        isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) for inner in ast.walk(node) if inner is not node
    )
