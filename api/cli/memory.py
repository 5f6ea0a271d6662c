"""Display of a video's memory: its slots as a table, its medoid frames as contact sheets."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from api.cli.console import err, out, print_table
from api.cli.evidence import make_file_stem, write_picture
from api.cli.messages import translate as _
from indexer.media.jpeg import draw_contact_sheet
from indexer.storage.artifacts import ArtifactStore
from indexer.types import AssetKind
from memory.store import StoredMemory
from memory.types import Node
from memory.video_memory import RING_SIZE
from services.catalog.types import Asset
from services.catalog.video_memory import VideoMemoryReader
from services.generators.timestamps import format_short_timestamp

_COLUMNS = 4
"""Form: columns of the table; four fit 80 characters."""
_MAX_RAREST = 12
"""Form: times that the line about the novelty lane lists."""
_MIN_SPAN_S = 2
"""Form: a shorter span is shown as one time, since times are shown in whole seconds."""


def explain_missing_memory(asset: Asset) -> str:
    """Explain why an asset has no memory."""
    if asset.kind is not AssetKind.VIDEO:
        return _("only videos have one")
    return _("none; with the visual lane on and AFTERIMAGE_MEMORY__ENABLED, `afterimage reindex` builds it")


def print_memory(memory: StoredMemory) -> None:
    """Print the global lane as a table, and the size and rarest moments of the novelty lane."""
    nodes = {name: [slot.node for slot in slots] for name, slots in memory.lanes.items()}
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    cells = [_format_cell(node) for node in nodes["global"]]
    for first in range(0, len(cells), _COLUMNS):
        table.add_row(*cells[first : first + _COLUMNS])
    message = _("memory, what happens (global lane): {number} slots: span ×frames, key frame")
    out.print("\n" + message.format(number=len(nodes["global"])))
    print_table(table)
    message = _("memory, what is new (novelty lane): {number} slots", number=len(nodes["novelty"]))
    out.print(message + _format_rarest(nodes["novelty"]))


def save_memory(
    video_memory: VideoMemoryReader, artifacts: ArtifactStore, asset: Asset, memory: StoredMemory, folder: Path
) -> None:
    """Write a contact sheet for each lane: every slot's medoid frame and span. Errors: ArtifactError, StorageFull."""
    for name, slots in memory.lanes.items():
        nodes = [slot.node for slot in slots]
        if not nodes:
            err.print(f"[dim]{_('the {lane} lane is empty', lane=name)}[/]")
            continue
        pictures = [artifacts.read_picture(video_memory.key_frame_at(asset, node.medoid_s).picture) for node in nodes]
        sheet = draw_contact_sheet(pictures, [format_span(node) for node in nodes])
        write_picture(folder / f"{make_file_stem(asset.name)}-memory-{name}.jpg", sheet)


def format_span(node: Node) -> str:
    """Format the span of a node: `1:02–1:09`, or one time for a short one."""
    start, end = format_short_timestamp(node.start_s), format_short_timestamp(node.end_s)
    return start if node.end_s - node.start_s < _MIN_SPAN_S else f"{start}–{end}"


def _format_cell(node: Node) -> str:
    return f"{format_span(node)} [dim]×{node.weight} {format_short_timestamp(node.medoid_s)}[/]"


def _format_rarest(nodes: list[Node]) -> str:
    """Format the times of the slots with the fewest frames; the newest, not merged yet, are left out."""
    rare = sorted(sorted(nodes[:-RING_SIZE], key=lambda node: node.weight)[:_MAX_RAREST], key=lambda node: node.start_s)
    times = ", ".join(format_short_timestamp(node.medoid_s) for node in rare)
    return _("; rarest at {times}", times=times) if rare else ""
