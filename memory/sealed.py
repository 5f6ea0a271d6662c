"""Named arrays as blobs that say what they are of, and know when they are damaged."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from indexer.errors import ArtifactError, MemoryMismatch
from memory.precision import Tensors
from memory.video import VideoMemory

SCHEMA = 1


def stored(tensors: Tensors, memory: VideoMemory) -> bytes:
    """A blob whose checksum is kept elsewhere."""
    return save_tensors(tensors, about_of(memory))


def about_of(memory: VideoMemory) -> dict[str, str]:
    """What a memory's blobs say they are of."""
    shape = {"positions": str(memory.positions), "width": str(memory.width)}
    return {"schema": str(SCHEMA), "model": memory.model, **shape}


def require(about: Mapping[str, str], memory: VideoMemory, key: str) -> None:
    """Errors: MemoryMismatch where another model made it, ArtifactError where it is of another shape or version."""
    if about.get("model") != memory.model:
        raise MemoryMismatch(f"{key}: the memory was made by {about.get('model')}, not by {memory.model}")
    if dict(about) != about_of(memory):
        raise ArtifactError(f"{key}: is of another shape or version; index its source again")


def loaded(data: bytes, key: str) -> Tensors:
    """What a blob holds. Errors: ArtifactError."""
    try:
        return dict(load_tensors(data))
    except (SafetensorError, ValueError) as error:
        raise ArtifactError(f"{key}: is damaged; index its source again") from error


def sealed(tensors: Tensors, memory: VideoMemory, **more: str) -> bytes:
    """A blob that knows its own checksum, as no manifest holds it yet."""
    about = about_of(memory) | more
    return save_tensors(tensors, about | {"sha": _digest(tensors, about)})


def opened(data: bytes, key: str) -> tuple[dict[str, str], Tensors]:
    """What a sealed blob says of itself, and holds. Errors: ArtifactError."""
    about, tensors = _about_in(data, key), loaded(data, key)
    if about.pop("sha", None) != _digest(tensors, about):
        raise ArtifactError(f"{key}: does not match its checksum; index its source again")
    return about, tensors


def _digest(tensors: Tensors, about: Mapping[str, str]) -> str:
    parts = hashlib.sha256(repr(sorted(about.items())).encode())
    for name, tensor in sorted(tensors.items()):
        parts.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        parts.update(tensor.ravel().view(np.uint8).data)
    return parts.hexdigest()


def _about_in(data: bytes, key: str) -> dict[str, str]:
    """The header's own words, which safetensors' loader drops: eight bytes of length, then JSON."""
    try:
        length = int.from_bytes(data[:8], "little")
        return msgspec.convert(msgspec.json.decode(data[8 : 8 + length])["__metadata__"], dict[str, str])
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{key}: is damaged; index its source again") from error


def sha_of(data: bytes) -> str:
    """The checksum of a blob."""
    return hashlib.sha256(data).hexdigest()
