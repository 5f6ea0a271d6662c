"""Command `afterimage keys`: create, list and revoke API keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from api.cli.console import err, escape_markup, open_container, out, print_json, print_table
from api.cli.messages import translate as _
from api.cli.options import JsonOption
from api.schemas.results import KeyShape
from services.access.api_keys import ApiKey, Scope
from services.database.clock import now

_DAY_S = 86400.0
"""Form: seconds of a day, the unit of `--days`."""

keys = typer.Typer(help="Create, list and revoke keys of the HTTP API.", no_args_is_help=True)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="The owner or the purpose of the key.")],
    scopes: Annotated[
        list[Scope], typer.Option("--scope", "-s", help="A scope of the key (repeatable); none includes another.")
    ] = [Scope.READ],  # noqa: B006 (Typer copies it)
    collections: Annotated[
        list[str] | None, typer.Option("--collection", "-c", help="Limit the key to this collection (repeatable).")
    ] = None,
    days: Annotated[float | None, typer.Option("--days", min=0, help="Let the key expire after so many days.")] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option("--requests-per-minute", min=1, help="Limit the rate of the key.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Create a key. Its secret is printed once, alone on standard output, and cannot be shown again."""
    expires_at = None if days is None else now() + days * _DAY_S
    with open_container() as container:
        key, secret = container.api_keys.create(name, scopes, collections, expires_at, requests_per_minute)
    if json:
        print_json({**KeyShape.of(key).model_dump(), "secret": secret})
        return
    message = _("key {key}: {permissions}; keep the secret, it is not shown again")
    err.print(message.format(key=key.id, permissions=_format_permissions(key)), soft_wrap=True)
    out.print(secret)


@keys.command("list")
def list_keys(json: JsonOption = False) -> None:
    """List the keys, newest first, revoked and expired ones included."""
    with open_container() as container:
        listed = container.api_keys.list()
    if json:
        print_json([KeyShape.of(key) for key in listed])
        return
    table = Table(
        _("key"), _("state"), _("may"), _("last used"), _("name"), box=None, pad_edge=False, header_style="dim"
    )
    for key in listed:
        table.add_row(
            key.id,
            _format_state(key),
            _format_permissions(key),
            _format_date(key.last_used_at),
            escape_markup(key.name),
        )
    if listed:
        print_table(table)
    else:
        out.print(_("There are no keys: `afterimage keys create NAME` makes one."))


@keys.command()
def revoke(key: Annotated[str, typer.Argument(help="The key's id.")], json: JsonOption = False) -> None:
    """Revoke a key: it is refused from now on."""
    with open_container() as container:
        revoked = container.api_keys.revoke(key)
    if json:
        print_json(KeyShape.of(revoked))
        return
    out.print(_("{name}: the key {key} is refused from now on", name=escape_markup(revoked.name), key=revoked.id))


def _format_permissions(key: ApiKey) -> str:
    where = _("all collections") if key.collections is None else ", ".join(sorted(key.collections))
    text = _("{scopes} in {collections}", scopes=", ".join(sorted(key.scopes)), collections=where)
    if key.requests_per_minute:
        text += _(", {number} requests a minute", number=key.requests_per_minute)
    return escape_markup(text)


def _format_state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return _("revoked {date}", date=_format_date(key.revoked_at))
    if key.expires_at is None:
        return _("valid")
    message = _("expired {date}") if key.expires_at <= now() else _("valid until {date}")
    return message.format(date=_format_date(key.expires_at))


def _format_date(time: float | None) -> str:
    return "" if time is None else f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC"
