"""How the command line talks: results on standard output, all else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from indexer.errors import AfterimageError
from services.catalog.errors import CollectionNotFound
from services.container import Container
from services.database.text import sanitize
from services.settings import load_settings

_MAX_COLUMNS = 10_000
EXIT_FAILED, EXIT_NOTHING_FOUND, EXIT_INTERRUPTED = 1, 3, 130

out = Console(highlight=False, emoji=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, emoji=False)


def print_table(table: Table) -> None:
    """A table; where standard output is no terminal, every row is one line."""
    if not out.is_terminal:
        out.width = _MAX_COLUMNS
    out.print(table)


def print_json(value: BaseModel | list[BaseModel] | dict[str, object]) -> None:
    """One JSON document on standard output."""
    if isinstance(value, BaseModel):
        data: object = value.model_dump()
    elif isinstance(value, list):
        data = [one.model_dump() for one in value]
    else:
        data = value
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")


@contextmanager
def open_container(profile: str | None = None) -> Iterator[Container]:
    """The services for one command; our errors become one line and exit code 1, Ctrl-C exit code 130."""
    container: Container | None = None
    try:
        container = Container(load_settings(profile))
        yield container
    except AfterimageError as error:
        err.print(f"[red]error:[/] {escape_markup(f'{error}{_collections_hint(container, error)}')}", soft_wrap=True)
        raise SystemExit(EXIT_FAILED) from error
    except KeyboardInterrupt as error:
        err.print("stopped; what was finished is kept, run the same command again to go on", soft_wrap=True)
        raise SystemExit(EXIT_INTERRUPTED) from error
    finally:
        if container is not None:
            container.close()


def _collections_hint(container: Container | None, error: AfterimageError) -> str:
    """The collections that there are, for who named one that is not there."""
    if container is None or not isinstance(error, CollectionNotFound):
        return ""
    known = container.catalog.collections()
    return f"; there are {', '.join(known)}" if known else "; nothing is indexed yet"


def escape_markup(text: object) -> str:
    """Text that others wrote (names, subtitles, what was read in a picture), as markup that shows it and no more."""
    return escape(sanitize(str(text)))
