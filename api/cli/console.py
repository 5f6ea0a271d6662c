"""Console of the command line: results on standard output, all else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.entry import EXIT_INTERRUPTED
from api.cli.messages import explain
from api.cli.messages import translate as _
from indexer.errors import AfterimageError, InvalidInput
from services.catalog.coverage import Gap
from services.catalog.errors import CollectionNotFound
from services.catalog.types import Asset
from services.container import Container
from services.database.text import sanitize
from services.settings import load_settings

_MAX_COLUMNS = 10_000
"""Form: width of a table that is not shown on a terminal, so that every row stays one line."""
EXIT_FAILED = 1
EXIT_WRONG_USAGE = 2
"""Form: as Typer has it."""
EXIT_NOTHING_FOUND = 3
"""Form: exit code of a command that has done its work and found nothing, and all went well."""

STOPPED = "stopped"
STOPPED_RESUMABLE = "stopped; what was finished is kept, run the same command again to go on"
"""Form: for commands that skip what an earlier run has finished."""
STOPPED_KEPT = "stopped; what was finished is kept"

out = Console(highlight=False, emoji=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, emoji=False)


def print_table(table: Table) -> None:
    """Print a table; where standard output is no terminal, every row is one line."""
    if not out.is_terminal:
        out.width = _MAX_COLUMNS
    out.print(table)


def print_json(value: BaseModel | list[BaseModel] | dict[str, object]) -> None:
    """Print one JSON document on standard output."""
    if isinstance(value, BaseModel):
        data: object = value.model_dump()
    elif isinstance(value, list):
        data = [item.model_dump() for item in value]
    else:
        data = value
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")


@contextmanager
def open_container(profile: str | None = None, when_stopped: str = STOPPED) -> Iterator[Container]:
    """Open the services for one command; our errors become one line and exit code 1, or 2 for an invalid argument.

    Ctrl-C is the line `when_stopped` and exit code 130.
    """
    container: Container | None = None
    try:
        container = Container(load_settings(profile))
        yield container
    except AfterimageError as error:
        message = explain(f"{error}{_collections_hint(container, error)}")
        err.print(f"[red]{_('error:')}[/] {escape_markup(message)}", soft_wrap=True)
        raise SystemExit(EXIT_WRONG_USAGE if isinstance(error, InvalidInput) else EXIT_FAILED) from error
    except KeyboardInterrupt as error:
        err.print(_(when_stopped), soft_wrap=True)
        raise SystemExit(EXIT_INTERRUPTED) from error
    finally:
        if container is not None:
            container.close()


def _collections_hint(container: Container | None, error: AfterimageError) -> str:
    """Return a hint that lists the collections, for an error about one that does not exist."""
    if container is None or not isinstance(error, CollectionNotFound):
        return ""
    known = container.catalog.collections()
    return f"; there are {', '.join(known)}" if known else "; nothing is indexed yet"


def print_gaps(gaps: Iterable[Gap]) -> None:
    """Print a line on standard error for each lane or reader that is switched on and not used for all assets."""
    for gap in gaps:
        err.print(f"[yellow]{escape_markup(explain(str(gap)))}[/]", soft_wrap=True)


def mark_gone(asset: Asset) -> str:
    """Return a mark to follow the name of an asset whose file is gone; empty for others."""
    return "" if asset.missing_since is None else f" [yellow]{_('(gone)')}[/]"


def escape_markup(text: object) -> str:
    """Escape untrusted text (names, subtitles, OCR) for output as Rich markup, without control characters."""
    return escape(sanitize(str(text)))
