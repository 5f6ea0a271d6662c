"""`afterimage doctor`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from api.cli.console import EXIT_FAILED, out, plain, print_json, print_table, services
from api.cli.options import Json
from services.doctor import State, examine
from services.settings import variable_names

_COLOURS = {State.OK: "green", State.OFF: "yellow", State.FAILED: "red"}


def doctor(
    settings: Annotated[bool, typer.Option("--settings", help="List every setting instead.")] = False,
    profile: Annotated[
        str | None, typer.Option("--profile", help="The profile to look at, instead of AFTERIMAGE_PROFILE.")
    ] = None,
    json: Json = False,
) -> None:
    """Probe every configured part with real work, and say what is off or broken."""
    if settings:
        _print_settings(json)
        return
    with services(profile) as container:
        checks = list(examine(container))
    if json:
        print_json({"checks": [{"part": c.part, "state": c.state.value, "detail": c.detail} for c in checks]})
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        for check in checks:
            table.add_row(check.part, f"[{_COLOURS[check.state]}]{check.state}[/]", plain(check.detail))
        print_table(table)
    raise typer.Exit(EXIT_FAILED if any(check.state is State.FAILED for check in checks) else 0)


def _print_settings(json: bool) -> None:
    names = variable_names()
    if json:
        print_json(dict(names))
        return
    for name, description in names.items():
        out.print(f"[bold]{name}[/]  {plain(description)}")
