"""Commands `afterimage list` and `afterimage show`."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api.cli.console import (
    EXIT_NOTHING_FOUND,
    err,
    escape_markup,
    mark_gone,
    open_container,
    out,
    print_gaps,
    print_json,
    print_table,
)
from api.cli.memory import explain_missing_memory, print_memory, save_memory
from api.cli.messages import explain, translate_count
from api.cli.messages import translate as _
from api.cli.options import CollectionsOption, JsonOption
from api.schemas.results import AssetShape, AssetWithMemory, MemoryShape, build_memory_shape
from memory.store import StoredMemory
from services.catalog.stated_metadata import StatedMetadata, read_stated_metadata
from services.catalog.types import Asset, Source
from services.catalog.video_memory import VideoMemoryReader
from services.generators.timestamps import format_short_timestamp


def list_assets(collections: CollectionsOption = None, json: JsonOption = False) -> None:
    """List assets, newest first."""
    with open_container() as container:
        assets = container.catalog.assets(collections)
        names = Counter(asset.name for asset in assets)
        shared = [asset for asset in assets if names[asset.name] > 1]
        gaps = container.coverage.gaps(collections)
        places = {asset.asset_id: container.catalog.sources(asset.asset_id, collections)[0] for asset in shared}
    if json:
        print_json([AssetShape.of(asset) for asset in assets])
        return
    columns = _("asset"), _("kind"), _("length"), _("segments"), _("name")
    table = Table(*columns, box=None, pad_edge=False, header_style="dim")
    for asset in assets:
        table.add_row(
            asset.asset_id[:12],
            asset.kind,
            _format_length(asset),
            str(asset.segments),
            f"{escape_markup(asset.name)}{mark_gone(asset)}{_tell_apart(places.get(asset.asset_id))}",
        )
    if assets:
        print_table(table)
        print_gaps(gaps)
    else:
        out.print(_("Nothing is indexed yet: `afterimage index PATH` does that."))


def show(
    asset: Annotated[str, typer.Argument(help="An asset: its id (or how it begins), name or path.")],
    memory_folder: Annotated[
        Path | None,
        typer.Option("--save-memory", metavar="DIR", help="Write the memory's key frames, a sheet per lane."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show an asset, and the memory of a video.

    Exit code 3: `--save-memory` was given, and the asset has no memory.
    """
    with open_container() as container:
        shown_asset = container.catalog.find(asset)
        stated = read_stated_metadata(container.artifacts, shown_asset)
        if not json:
            _print_asset(shown_asset, container.catalog.sources(shown_asset.asset_id), stated)
        memory = container.video_memory.memory(shown_asset)
        if json:
            memory_shape = _load_memory_shape(container.video_memory, shown_asset, memory)
            print_json(AssetWithMemory.with_memory(shown_asset, memory_shape, stated))
        elif memory is None:
            out.print("\n" + _("memory: {reason}", reason=explain_missing_memory(shown_asset)))
        else:
            print_memory(memory)
        if memory_folder is not None and memory is not None:
            save_memory(container.video_memory, container.artifacts, shown_asset, memory, memory_folder)
    if memory_folder is not None and memory is None:
        name, reason = escape_markup(shown_asset.name), explain_missing_memory(shown_asset)
        err.print(_("{asset}: no memory to save: {reason}", asset=name, reason=reason), soft_wrap=True)
        raise typer.Exit(EXIT_NOTHING_FOUND)


def _load_memory_shape(
    video_memory: VideoMemoryReader, asset: Asset, memory: StoredMemory | None
) -> MemoryShape | None:
    if memory is None:
        return None
    return build_memory_shape(memory, {lane: video_memory.merge_tree(asset, lane) for lane in memory.lanes})


def _print_asset(asset: Asset, sources: list[Source], stated: StatedMetadata) -> None:
    rows = {
        _("name"): escape_markup(asset.name),
        _("asset"): asset.asset_id,
        _("kind"): asset.kind.value,
        _("length"): _format_length(asset),
        _("size"): f"{asset.width} × {asset.height}" if asset.width else "",
        _("date"): _format_date(asset, stated),
        _("segments"): str(asset.segments),
        _("looked at"): _format_rate(asset.sampled_fps),
        _("sources"): "\n".join(map(_format_source, sources)),
        _("about"): "\n".join(escape_markup(line) for line in stated.lines),
        _("warnings"): "\n".join(escape_markup(explain(warning)) for warning in asset.warnings),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows.items():
        if value:
            table.add_row(f"[dim]{name}[/]", value)
    print_table(table)


def _tell_apart(place: Source | None) -> str:
    """Return where an asset of a name that others have too comes from; empty for other names."""
    return "" if place is None else f"  [dim]{escape_markup(place.collection)}: {escape_markup(place.uri)}[/]"


def _format_source(source: Source) -> str:
    since = source.missing_since
    date = "" if since is None else f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d}"
    gone = f" [yellow]{_('(gone since {date})', date=date)}[/]" if date else ""
    return f"{escape_markup(source.collection)}: {escape_markup(source.uri)}{gone}"


def _format_date(asset: Asset, stated: StatedMetadata) -> str:
    """Return the date of an asset and where it comes from: `2018-03-04 10:20 UTC (EXIF DateTimeOriginal)`."""
    if asset.file_time is None:
        return ""
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=asset.file_time)
    source = f" ({escape_markup(explain(stated.date_source))})" if stated.date_source else ""
    return f"{date:%Y-%m-%d %H:%M} UTC{source}"


def _format_rate(fps: float | None) -> str:
    return "" if fps is None else _("{rate} frames a second", rate=f"{fps:.2f}")


def _format_length(asset: Asset) -> str:
    if asset.duration_s is not None:
        return format_short_timestamp(asset.duration_s)
    if asset.pages is None:
        return ""
    return translate_count("{number} page", "{number} pages", asset.pages)
