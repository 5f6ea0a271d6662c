"""Routes are plain functions: no lambda or nested function is a body, and a slot is asked for last."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.source_tree import Function, SourceFile, parse_source, source_files

METHODS = frozenset({"get", "head", "post", "put", "patch", "delete", "options", "api_route"})
SLOTS = frozenset({"SearchSlot", "LookupSlot", "ClipSlot"})


def test_no_route_runs_a_lambda_or_a_nested_function() -> None:
    assert [place for file in _route_files() for place in nested_functions(file)] == []


def test_a_slot_is_the_last_dependency_of_a_route() -> None:
    """Whoever may not ask is refused without waiting; a lookup that authentication makes needs a slot of its own."""
    assert [place for file in _route_files() for place in early_slots(file)] == []


def test_a_route_with_a_slot_is_a_plain_function() -> None:
    assert [place for file in _route_files() for place in asynchronous_slots(file)] == []


def test_a_lambda_or_nested_function_is_noticed() -> None:
    text = "def plain(): ...\ndef outer():\n    async def inner(): ...\nasync def run():\n    return limit(lambda: 1)\n"
    assert list(nested_functions(parse_source(text))) == ["x.py:2", "x.py:5"]


def test_a_slot_before_another_dependency_is_noticed() -> None:
    first = "@router.get('/a')\ndef first(slot: SearchSlot, access: ReadAccess): ...\n"
    last = "@router.get('/b')\ndef last(access: ReadAccess, slot: SearchSlot, text: str): ...\n"
    inline = "@router.get('/c')\ndef inline(slot: ClipSlot, x: Annotated[int, Depends(f)]): ...\n"
    no_route = "def no_route(slot: SearchSlot, access: ReadAccess): ...\n"
    found = list(early_slots(parse_source(first + last + inline + no_route)))
    assert found == ["x.py:2 first", "x.py:6 inline"]


def test_an_asynchronous_route_with_a_slot_is_noticed() -> None:
    slow = "@router.post('/a')\nasync def slow(slot: LookupSlot): ...\n"
    fine = "@router.post('/b')\nasync def fine(access: ReadAccess): ...\n"
    plain = "@router.post('/c')\ndef plain(slot: LookupSlot): ...\n"
    assert list(asynchronous_slots(parse_source(slow + fine + plain))) == ["x.py:2 slow"]


def nested_functions(file: SourceFile) -> Iterator[str]:
    """Yield the lambdas of a module, and its functions that contain another."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Lambda) or _contains_function(node):
            yield f"{file.path}:{node.lineno}"


def early_slots(file: SourceFile) -> Iterator[str]:
    """Yield the routes that ask for a slot before another dependency."""
    for route in _routes(file):
        names = _annotations(route)
        slots = [at for at, name in enumerate(names) if name in SLOTS]
        if slots and any(_is_dependency(name) for name in names[slots[0] + 1 :]):
            yield f"{file.path}:{route.lineno} {route.name}"


def asynchronous_slots(file: SourceFile) -> Iterator[str]:
    """Yield the asynchronous routes that ask for a slot."""
    for route in _routes(file):
        if isinstance(route, ast.AsyncFunctionDef) and SLOTS & set(_annotations(route)):
            yield f"{file.path}:{route.lineno} {route.name}"


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
        "QueryImageParam",
        "ConditionsParam",
        "MediaReadAccess",
    }


def _contains_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
        isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) for inner in ast.walk(node) if inner is not node
    )
