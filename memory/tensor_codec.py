"""Encoding of memories as named arrays: nodes as rows of a table, tokens as float32 or quantized."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from memory.lane import LANE_CONFIGS, LEVELS, MemoryLaneState
from memory.quantization import Tensors, TokenPrecision, dequantize, quantize
from memory.types import BankState, Node, Slot
from memory.video_memory import MemoryState, VideoMemory

_NODE_COLUMNS = 7
"""Form: number, start, end, weight, medoid, two children."""


def encode_state_index(memory: VideoMemory) -> Tensors:
    """Return the state of a memory without the tokens of its levels."""
    index: Tensors = {"next_number": np.array([memory.next_number])}
    index["ring.nodes"] = encode_nodes([slot.node for slot in memory.ring])
    for number, slot in enumerate(memory.ring):
        index[f"ring.{number}"] = slot.tokens
    for name, lane in memory.lanes.items():
        index[f"{name}.due"] = np.array(lane.due_s)
    for lane_name, level, bank in memory.iter_banks():
        index[f"{lane_name}.{level}.nodes"] = encode_nodes(bank.nodes())
        index[f"{lane_name}.{level}.norms"] = bank.norms()
    return index


def decode_state(tensors: Tensors) -> MemoryState:
    """Return the state of an index completed by `<lane>.<level>.tokens`. Errors: KeyError for a missing array."""
    ring = tuple(
        Slot(node, tensors[f"ring.{number}"].astype(np.float32))
        for number, node in enumerate(decode_nodes(tensors["ring.nodes"]))
    )
    lanes = {}
    for name in LANE_CONFIGS:
        day, hour, bank = (_decode_bank_state(tensors, f"{name}.{level}") for level in LEVELS)
        bank_due_s, hour_due_s = tensors[f"{name}.due"].tolist()
        lanes[name] = MemoryLaneState(day, hour, bank, bank_due_s, hour_due_s)
    return MemoryState(ring, lanes, int(tensors["next_number"].tolist()[0]))


def _decode_bank_state(tensors: Tensors, prefix: str) -> BankState:
    """Return the state of the bank whose arrays have the prefix."""
    tokens, norms = (tensors[f"{prefix}.{part}"].astype(np.float32) for part in ("tokens", "norms"))
    return BankState(tuple(decode_nodes(tensors[f"{prefix}.nodes"])), tokens, norms)


def encode_nodes(nodes: Sequence[Node]) -> NDArray[np.float64]:
    """Return nodes as a table `[n, 7]`: number, span, weight, medoid, children (-1 for none)."""
    rows = [
        (node.number, node.start_s, node.end_s, node.weight, node.medoid_s, *(node.children or (-1, -1)))
        for node in nodes
    ]
    return np.array(rows, np.float64).reshape(len(rows), _NODE_COLUMNS)


def decode_nodes(table: NDArray[np.generic]) -> list[Node]:
    """Return the nodes of a table of `encode_nodes`."""
    return [
        Node(int(number), start_s, end_s, int(weight), medoid_s, None if a < 0 else (int(a), int(b)))
        for number, start_s, end_s, weight, medoid_s, a, b in table.tolist()
    ]


def encode_slots(lane: str, memory: VideoMemory, precision: TokenPrecision) -> Tensors:
    """Return the slots of one lane with quantized tokens `[n, P, D]`.

    Levels are quantized one after the other, since float32 copies of all would be as large as the memory.
    """
    levels = (bank.slots() for bank in memory.lanes[lane].levels.values())
    parts = [_quantize_slots(slots, memory, precision) for slots in chain(levels, [memory.ring])]
    return {f"{lane}.{name}": np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _quantize_slots(slots: Sequence[Slot], memory: VideoMemory, precision: TokenPrecision) -> Tensors:
    """Return quantized tokens and nodes of some slots."""
    tokens = np.empty((len(slots), memory.positions, memory.width), np.float32)
    for row, slot in zip(tokens, slots, strict=True):
        row[:] = slot.tokens
    return quantize(tokens, precision) | {"nodes": encode_nodes([slot.node for slot in slots])}


def decode_slots(tensors: Tensors, lane: str, precision: TokenPrecision) -> list[Slot]:
    """Return the slots of `encode_slots`, tokens as float32. Errors: KeyError for a missing array."""
    own = {key.removeprefix(f"{lane}."): tensor for key, tensor in tensors.items() if key.startswith(f"{lane}.")}
    return [Slot(*pair) for pair in zip(decode_nodes(own["nodes"]), dequantize(own, precision), strict=True)]
