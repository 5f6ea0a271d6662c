"""Command `afterimage doctor`: probe every configured part."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from api.cli.console import EXIT_FAILED, escape_markup, open_container, out, print_json, print_table
from api.cli.messages import explain
from api.cli.messages import translate as _
from api.cli.options import JsonOption
from services.doctor import CheckStatus, run_checks
from services.settings import describe_variables

_COLOURS = {CheckStatus.OK: "green", CheckStatus.OFF: "yellow", CheckStatus.FAILED: "red"}


def doctor(
    settings: Annotated[bool, typer.Option("--settings", help="List every setting instead.")] = False,
    profile: Annotated[
        str | None, typer.Option("--profile", help="The profile to check, instead of AFTERIMAGE_PROFILE.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Probe every configured part with real work, and say what is off or broken."""
    if settings:
        _print_settings(json)
        return
    with open_container(profile) as container:
        checks = list(run_checks(container))
    if json:
        print_json({"checks": [{"part": c.part, "state": c.status.value, "detail": c.detail} for c in checks]})
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        for check in checks:
            status = f"[{_COLOURS[check.status]}]{_(check.status)}[/]"
            table.add_row(_(check.part), status, escape_markup(explain(check.detail)))
        print_table(table)
    raise typer.Exit(EXIT_FAILED if any(check.status is CheckStatus.FAILED for check in checks) else 0)


def _print_settings(json: bool) -> None:
    names = describe_variables()
    if json:
        print_json(dict(names))
        return
    for name, description in names.items():
        out.print(f"[bold]{name}[/]  {escape_markup(description)}")
