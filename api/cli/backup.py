"""Commands `afterimage backup` and `restore`: copy the archive into a folder, and bring it back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import EXIT_FAILED, STOPPED_RESUMABLE, err, escape_markup, open_container, out, print_json
from api.cli.messages import explain
from api.cli.messages import translate as _
from api.cli.options import JsonOption
from api.cli.progress import ProgressBars

_MB = 1e6
"""Form: bytes of a megabyte."""


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder; or one that was cut off.")],
    json: JsonOption = False,
) -> None:
    """Copy the archive into a folder: catalog, keys, jobs, artifacts, uploaded media. Nothing has to be stopped.

    The folder is complete once it has a `backup.json`; a run that was cut off is gone on with by the same command. The
    index is not in it (`restore` rebuilds it), nor are settings, model weights, uploads under way, and files that were
    indexed where they lie. It holds digests of API keys, never the keys. Exit code 1: something in the archive is
    damaged; it is named, and all else is in the backup.
    """
    with open_container(when_stopped=STOPPED_RESUMABLE) as container, ProgressBars() as bars:
        contents = container.backup.write(folder, bars.update)
    if json:
        print_json(asdict(contents))
    else:
        size = f"{contents.bytes / _MB:.1f}"
        message = _("{assets} assets, {files} files, {size} MB in {folder}")
        out.print(message.format(assets=contents.assets, files=contents.blobs, size=size, folder=escape_markup(folder)))
        _print_damaged(contents.damaged)
    raise typer.Exit(EXIT_FAILED if contents.damaged else 0)


def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `afterimage backup` made.")],
    json: JsonOption = False,
) -> None:
    """Bring a backup back into an empty archive, and rebuild its index. Nothing is encoded again.

    The archive is that of AFTERIMAGE_HOME and the other settings: it may have another database, object store or index
    than the one that the backup is of. Keys work as before. Jobs that were unfinished go on, and webhooks that were not
    delivered are sent, once a server or worker runs: beside the first archive, they are done twice.
    """
    with open_container() as container, ProgressBars() as bars:
        report = container.restore.read(folder, bars.update)
    if json:
        print_json(asdict(report))
    else:
        out.print(_("{assets} assets, {segments} segments restored", assets=report.assets, segments=report.segments))
        if report.unfinished_jobs:
            out.print(_("{jobs} unfinished jobs go on when a server or worker runs", jobs=report.unfinished_jobs))
        _print_damaged(report.damaged_assets)
    raise typer.Exit(EXIT_FAILED if report.damaged_assets else 0)


def _print_damaged(damaged: tuple[str, ...]) -> None:
    for line in damaged:
        err.print(f"[red]{_('damaged:')}[/] {escape_markup(explain(line))}", soft_wrap=True)
