"""Streaming parser of multipart/form-data with one file, which goes to disk while it arrives; all else is bounded.

Source: RFC 7578; decision 0077 compares parsers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import BinaryIO

from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from indexer.errors import InvalidInput, LimitExceeded, StorageFull

_MAX_FIELD_BYTES = 4000
"""Chosen: bytes of a field or header; the longest, a webhook's URL, has 2,000 characters."""
_MAX_PARTS = 16
"""Chosen: four times the parts of an upload form; what a hostile form costs is bounded by it."""
_FLUSH_BYTES = 1 << 20
"""Form: bytes of the file that are gathered before they are written."""


@dataclass(slots=True)
class UploadForm:
    """Fields of a form by name, and the name and size of its file (None and 0 before it has begun)."""

    fields: dict[str, str] = field(default_factory=dict)
    file_name: str | None = None
    file_bytes: int = 0


async def read_form(content_type: str, body: AsyncIterator[bytes], file: BinaryIO, max_bytes: int) -> UploadForm:
    """Read the form of a request and write its one file to `file`. Errors: InvalidInput, LimitExceeded, StorageFull."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise InvalidInput("send a form with a file: Content-Type: multipart/form-data")
    try:
        reader = _FormParser(options[b"boundary"])
        async for piece in body:
            reader.feed(piece)
            if reader.buffered_bytes >= _FLUSH_BYTES:
                await to_thread.run_sync(reader.flush_file, file)
            if reader.form.file_bytes > max_bytes:
                raise LimitExceeded("the upload", f"is longer than {max_bytes} bytes")
        await to_thread.run_sync(reader.flush_file, file)
        reader.finish()
    except FormParserError as error:
        raise InvalidInput(f"the form cannot be read: {error}") from error
    return reader.form


class _FormParser:
    """Push parser of a form; buffers what has arrived of the file until `flush_file`."""

    def __init__(self, boundary: bytes) -> None:
        self.form, self.buffered_bytes, self._parts = UploadForm(), 0, 0
        self._file_chunks: list[bytes] = []
        self._header, self._value = b"", b""
        self._name, self._text = "", b""
        self._in_file, self._complete = False, False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def feed(self, piece: bytes) -> None:
        """Parse the next bytes. Errors: FormParserError, InvalidInput."""
        if piece:
            self._parser.write(piece)

    def flush_file(self, file: BinaryIO) -> None:
        """Write the buffered bytes of the file. Errors: StorageFull."""
        try:
            file.writelines(self._file_chunks)
            file.flush()
        except OSError as error:
            raise StorageFull(f"the upload cannot be written ({error.strerror})") from error
        self._file_chunks, self.buffered_bytes = [], 0

    def finish(self) -> None:
        """Raise InvalidInput if the form is incomplete or has no file."""
        if not self._complete:
            raise InvalidInput("the form is incomplete")
        if self.form.file_name is None:
            raise InvalidInput("the form has no file")

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise InvalidInput(f"the form has more than {_MAX_PARTS} parts")
        self._name, self._text, self._in_file = "", b"", False

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        if len(self._header) > _MAX_FIELD_BYTES:
            raise InvalidInput("a header of the form is too long")

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        if len(self._value) > _MAX_FIELD_BYTES:
            raise InvalidInput("a header of the form is too long")

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
            if b"filename" in options:
                if self.form.file_name is not None:
                    raise InvalidInput("the form has more than one file")
                self.form.file_name, self._in_file = options[b"filename"].decode("utf-8", "replace"), True
        self._header, self._value = b"", b""

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._file_chunks.append(data[start:end])
            self.buffered_bytes += end - start
            self.form.file_bytes += end - start
            return
        self._text += data[start:end]
        if len(self._text) > _MAX_FIELD_BYTES:
            raise InvalidInput("a field of the form is too long")

    def _on_part_end(self) -> None:
        if not self._in_file:
            self.form.fields[self._name] = self._text.decode("utf-8", "replace")

    def _on_end(self) -> None:
        self._complete = True
