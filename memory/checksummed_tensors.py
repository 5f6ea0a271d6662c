"""Serialization of named arrays as safetensors blobs with metadata and, where no manifest has one, a checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from indexer.errors import ArtifactError
from memory.errors import MemoryMismatch
from memory.quantization import Tensors
from memory.video_memory import VideoMemory

SCHEMA_VERSION = 1
"""Form: version of the stored format."""


def encode(tensors: Tensors, memory: VideoMemory) -> bytes:
    """Return a blob without a checksum of its own, for one that a manifest lists."""
    return save_tensors(tensors, metadata_of(memory))


def metadata_of(memory: VideoMemory) -> dict[str, str]:
    """Return the metadata of a memory's blobs: format version, model, shape of the tokens."""
    shape = {"positions": str(memory.positions), "width": str(memory.width)}
    return {"schema": str(SCHEMA_VERSION), "model": memory.model, **shape}


def verify_metadata(metadata: Mapping[str, str], memory: VideoMemory, key: str) -> None:
    """Raise MemoryMismatch for a blob of another model, ArtifactError for one of another shape or version."""
    if metadata.get("model") != memory.model:
        raise MemoryMismatch(f"{key}: the memory was made by {metadata.get('model')}, not by {memory.model}")
    if dict(metadata) != metadata_of(memory):
        raise ArtifactError(f"{key}: is of another shape or version; index its source again")


def decode(data: bytes, key: str) -> Tensors:
    """Return the arrays of a blob. Errors: ArtifactError."""
    try:
        return dict(load_tensors(data))
    except (SafetensorError, ValueError) as error:
        raise ArtifactError(f"{key}: is damaged; index its source again") from error


def encode_checksummed(tensors: Tensors, memory: VideoMemory, **extra_metadata: str) -> bytes:
    """Return a blob with a checksum in its metadata, for one that no manifest lists yet."""
    metadata = metadata_of(memory) | extra_metadata
    return save_tensors(tensors, metadata | {"sha": _digest(tensors, metadata)})


def decode_checksummed(data: bytes, key: str) -> tuple[dict[str, str], Tensors]:
    """Return metadata and arrays of a blob with a checksum. Errors: ArtifactError."""
    metadata, tensors = _read_metadata(data, key), decode(data, key)
    if metadata.pop("sha", None) != _digest(tensors, metadata):
        raise ArtifactError(f"{key}: does not match its checksum; index its source again")
    return metadata, tensors


def _digest(tensors: Tensors, metadata: Mapping[str, str]) -> str:
    """Return the checksum over metadata, names, types, shapes and bytes of the arrays."""
    digest = hashlib.sha256(repr(sorted(metadata.items())).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(tensor.ravel().view(np.uint8).data)
    return digest.hexdigest()


def _read_metadata(data: bytes, key: str) -> dict[str, str]:
    """Return the metadata of a blob's header, which safetensors' loader drops: eight bytes of length, then JSON."""
    try:
        length = int.from_bytes(data[:8], "little")
        return msgspec.convert(msgspec.json.decode(data[8 : 8 + length])["__metadata__"], dict[str, str])
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{key}: is damaged; index its source again") from error


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 checksum of a blob, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
