"""`afterimage list` and `afterimage show`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api.cli.console import EXIT_NOTHING_FOUND, err, out, plain, print_json, print_table, services
from api.cli.memory import print_memory, save_memory, why_none
from api.cli.options import Collections, Json
from api.schemas import AssetShape, MemoryShape, ShownShape, memory_shape
from memory.store import StoredMemory
from services.catalog import Asset, SourceRow
from services.generators.extractive import clock
from services.remembering import Remembering


def list_assets(collections: Collections = None, json: Json = False) -> None:
    """List what is indexed, newest first."""
    with services() as container:
        assets = container.catalog.assets(collections)
    if json:
        print_json([AssetShape.of(asset) for asset in assets])
        return
    table = Table("asset", "kind", "length", "segments", "name", box=None, pad_edge=False, header_style="dim")
    for asset in assets:
        table.add_row(asset.asset_id[:12], asset.kind, _length(asset), str(asset.segments), plain(asset.name))
    if assets:
        print_table(table)
    else:
        out.print("Nothing is indexed yet: `afterimage index PATH` does that.")


def show(
    asset: Annotated[str, typer.Argument(help="An asset: its id (or how it begins), name or path.")],
    save: Annotated[
        Path | None,
        typer.Option("--save-memory", metavar="DIR", help="Write the memory's key frames, one sheet a lane."),
    ] = None,
    json: Json = False,
) -> None:
    """Show what is known of an asset, and what is remembered of a video.

    Exit code 3: its memory was to be saved, and it has none.
    """
    with services() as container:
        found = container.catalog.find(asset)
        if not json:
            _print_asset(found, container.catalog.sources(found.asset_id))
        memory = container.remembering.memory(found)
        if json:
            print_json(ShownShape.with_memory(found, _memory_shape(container.remembering, found, memory)))
        elif memory is None:
            out.print(f"\nmemory: {why_none(found)}")
        else:
            print_memory(memory)
        if save is not None and memory is not None:
            save_memory(container.remembering, container.artifacts, found, memory, save)
    if save is not None and memory is None:
        err.print(f"{plain(found.name)}: no memory to save: {why_none(found)}", soft_wrap=True)
        raise typer.Exit(EXIT_NOTHING_FOUND)


def _memory_shape(remembering: Remembering, asset: Asset, memory: StoredMemory | None) -> MemoryShape | None:
    if memory is None:
        return None
    return memory_shape(memory, {lane: remembering.tree(asset, lane) for lane in memory.lanes})


def _print_asset(asset: Asset, sources: list[SourceRow]) -> None:
    rows = {
        "name": plain(asset.name),
        "asset": asset.asset_id,
        "kind": asset.kind.value,
        "length": _length(asset),
        "size": f"{asset.width} × {asset.height}" if asset.width else "",
        "date": "" if asset.file_time is None else f"{datetime.fromtimestamp(asset.file_time, UTC):%Y-%m-%d %H:%M} UTC",
        "segments": str(asset.segments),
        "looked at": "" if asset.looked_at_fps is None else f"{asset.looked_at_fps:.2f} frames a second",
        "sources": "\n".join(f"{plain(source.collection)}: {plain(source.uri)}" for source in sources),
        "warnings": "\n".join(plain(warning) for warning in asset.warnings),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows.items():
        if value:
            table.add_row(f"[dim]{name}[/]", value)
    print_table(table)


def _length(asset: Asset) -> str:
    if asset.duration_s is not None:
        return clock(asset.duration_s)
    return f"{asset.pages} pages" if asset.pages is not None else ""
