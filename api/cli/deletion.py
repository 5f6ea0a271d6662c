"""Commands `afterimage delete` and `prune`: remove assets, collections, and what has no file left."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import EXIT_NOTHING_FOUND, STOPPED_RESUMABLE, err, escape_markup, open_container, out, print_json
from api.cli.messages import translate as _
from api.cli.messages import translate_count
from api.cli.options import CollectionsOption, DryRunOption, JsonOption, YesOption
from services.catalog.types import Asset
from services.container import Container
from services.ingest.missing_sources import MissingSource
from services.ingest.types import DeletionReport


def delete(
    asset: Annotated[
        str | None, typer.Argument(help="An asset: its id (or how it begins), name or path; none: a whole collection.")
    ] = None,
    collection: Annotated[
        str | None,
        typer.Option(
            "--collection", "-c", help="Only from this collection; default: from all. Alone: all that it has."
        ),
    ] = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Delete an asset, or a collection with all that it holds, from the archive. Source files are not touched.

    Once no collection holds an asset, everything computed for it is deleted too: index, artifacts, pictures. On a
    terminal you are asked first. A name that fits several assets is refused.
    """
    if asset is None and collection is None:
        raise typer.BadParameter("name an asset, or a collection with --collection")
    with open_container(when_stopped=STOPPED_RESUMABLE) as container:
        chosen = [container.catalog.find(asset)] if asset is not None else container.catalog.assets([collection or ""])
        _print_plan(chosen, quiet=not dry_run and (json or yes or not _is_somebody_there()), json=json)
        if dry_run or not _confirm(_make_question(chosen, asset is None, collection), yes or json):
            return
        if asset is not None:
            reports = [container.deletion.delete_asset(chosen[0].asset_id, collection)]
        else:
            reports = container.deletion.delete_collection(collection or "")
    if json:
        print_json({"deleted": [_to_json(report) for report in reports]} if asset is None else _to_json(reports[0]))
        return
    for report in reports:
        _print_deletion(report)
    if asset is None:
        name, assets = escape_markup(collection), _count_assets(len(reports))
        out.print(_("collection {collection} deleted, {assets}", collection=name, assets=assets))


def prune(
    paths: Annotated[list[Path] | None, typer.Argument(help="Only what was below these paths; default: all.")] = None,
    collections: CollectionsOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Remove from the archive what has no file left, after showing what that is.

    A file that is gone in one place and there in another, or in another collection, keeps its asset. Exit code 3:
    nothing is gone.
    """
    with open_container(when_stopped=STOPPED_RESUMABLE) as container:
        if collections:
            container.catalog.assets(collections)
        found = prune_missing(container, collections or None, paths or [], yes=yes, dry_run=dry_run, quiet=json)
    if json:
        print_json({"gone": [_missing_to_json(entry) for entry in found], "removed": not dry_run})
    if not found:
        err.print(_("nothing is gone"), soft_wrap=True)
        raise typer.Exit(EXIT_NOTHING_FOUND)


def prune_missing(
    container: Container,
    collections: Sequence[str] | None,
    paths: Sequence[Path],
    *,
    yes: bool = False,
    dry_run: bool = False,
    quiet: bool = False,
) -> list[MissingSource]:
    """Show the sources whose files are gone, ask, and remove them; return what was found.

    Where every file of a path or collection is gone, a disk may be missing: then `yes` alone removes nothing.
    """
    missing = container.missing_sources.find(collections, paths)
    names = [f"{entry.source.name}  {entry.source.uri}" for entry in missing]
    _print_names([escape_markup(name) for name in names], quiet)
    doubtful = container.missing_sources.all_missing(collections, paths) if missing else []
    if doubtful:
        places = escape_markup(", ".join(doubtful))
        doubt = _("every file of {places} is gone: is its disk connected?", places=places)
        err.print(f"[yellow]{doubt}[/]", soft_wrap=True)
        if yes and not dry_run:
            err.print(_("nothing was removed; run it without --yes, or delete the collection"), soft_wrap=True)
            raise typer.Exit(1)
    question = _("Remove {files} from the archive?", files=_count_files(len(missing)))
    if not missing or dry_run or not _confirm(question, yes):
        return missing
    removed = list(container.missing_sources.prune(missing))
    assets = {entry.asset.asset_id for entry in removed} - container.catalog.get(
        {entry.asset.asset_id for entry in removed}
    ).keys()
    if not quiet:
        files = _count_files(len(removed))
        out.print(_("{files} forgotten, {assets} removed", files=files, assets=_count_assets(len(assets))))
    return missing


def _print_plan(assets: Sequence[Asset], quiet: bool, json: bool) -> None:
    """Show the assets that would be deleted."""
    if quiet:
        return
    if json:
        print_json({"would_delete": [{"asset": asset.asset_id, "name": asset.name} for asset in assets]})
    else:
        _print_names([_describe(asset) for asset in assets], quiet=False)


def _make_question(assets: Sequence[Asset], is_collection: bool, collection: str | None) -> str:
    if is_collection:
        number = _count_assets(len(assets))
        return _("Delete collection {collection} with its {assets}?", collection=collection, assets=number)
    if collection is None:
        return _("Delete {asset} from every collection?", asset=assets[0].name)
    return _("Delete {asset} from collection {collection}?", asset=assets[0].name, collection=collection)


def _confirm(question: str, yes: bool) -> bool:
    """Ask on a terminal; True at once with `yes` or where nobody can answer."""
    if yes or not _is_somebody_there():
        return True
    return typer.confirm(question)


def _is_somebody_there() -> bool:
    return sys.stdin.isatty()


def _print_names(names: Sequence[str], quiet: bool) -> None:
    if not quiet:
        for name in names:
            out.print(f"  {name}", soft_wrap=True)


def _describe(asset: Asset) -> str:
    return f"{asset.asset_id[:12]}  {escape_markup(asset.name)}"


def _count_assets(number: int) -> str:
    return translate_count("{number} asset", "{number} assets", number)


def _count_files(number: int) -> str:
    return translate_count("{number} file", "{number} files", number)


def _print_deletion(deletion: DeletionReport) -> None:
    asset, places = escape_markup(deletion.asset.name), escape_markup(", ".join(deletion.collections))
    message = _("{asset}: removed from {places}; {segments} segments and {files} stored files deleted")
    out.print(message.format(asset=asset, places=places, segments=deletion.segments, files=deletion.files))


def _to_json(deletion: DeletionReport) -> dict[str, object]:
    return {
        "asset": deletion.asset.asset_id,
        "name": deletion.asset.name,
        "collections": list(deletion.collections),
        "segments": deletion.segments,
        "files": deletion.files,
    }


def _missing_to_json(entry: MissingSource) -> dict[str, object]:
    return {
        "asset": entry.asset.asset_id,
        "name": entry.source.name,
        "collection": entry.source.collection,
        "uri": entry.source.uri,
        "last": entry.is_last,
    }
