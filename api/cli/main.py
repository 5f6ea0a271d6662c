"""The `afterimage` command: all subcommands and global options."""

from __future__ import annotations

import io
import sys
from importlib import metadata
from typing import Annotated

import typer

from api.cli.backup import backup, restore
from api.cli.deletion import delete, prune
from api.cli.doctor import doctor
from api.cli.indexing import index, reindex
from api.cli.inspect import list_assets, show
from api.cli.jobs import jobs, worker
from api.cli.keys import keys
from api.cli.mcp import mcp
from api.cli.search import ask, search
from api.cli.serve import serve
from api.cli.summarizing import summarize
from api.cli.translated_help import TranslatedGroup
from api.cli.watching import watch

_HELP = """Ask your video, photo and document archive. The answer comes with the frames that prove it.

Everything is kept in AFTERIMAGE_HOME (default: the platform's data folder). AFTERIMAGE_PROFILE picks a profile; every
setting is an AFTERIMAGE_ variable (`afterimage doctor --settings` lists them).

Exit codes: 0 done, 1 something failed, 2 wrong usage, 3 nothing was found.
"""

app = typer.Typer(
    cls=TranslatedGroup,
    help=_HELP,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=True,
    pretty_exceptions_enable=False,
)


def _print_version(requested: bool) -> None:
    if requested:
        print(f"afterimage {metadata.version('afterimage')}")  # noqa: T201 - the output of `--version`
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command()(index)
app.command()(watch)
app.command()(search)
app.command()(ask)
app.command()(summarize)
app.command("list")(list_assets)
app.command()(show)
app.command()(delete)
app.command()(prune)
app.command()(reindex)
app.command()(backup)
app.command()(restore)
app.command()(serve)
app.command()(mcp)
app.command()(worker)
app.add_typer(jobs, name="jobs")
app.command()(doctor)
app.add_typer(keys, name="keys")


def main() -> None:
    """Run the command line; characters that the terminal cannot encode are replaced."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()
