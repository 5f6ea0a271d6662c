"""Forms with a file, read as they come: the file goes to disk, whatever its size, and nothing else may be long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import BinaryIO

from anyio import to_thread
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from indexer.errors import LimitExceeded, QueryError, StorageFull

_LONGEST_FIELD, _MOST_FIELDS = 4000, 16
_AT_ONCE = 1 << 20


@dataclass(slots=True)
class Form:
    """The fields of a form by name; the name of its file, None as long as there is none, and how long it is."""

    fields: dict[str, str] = field(default_factory=dict)
    file_name: str | None = None
    file_bytes: int = 0


async def read_form(content_type: str, body: AsyncIterator[bytes], to: BinaryIO, most_bytes: int) -> Form:
    """The form of a request, its one file written to `to`. Errors: QueryError, LimitExceeded, StorageFull."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise QueryError("send a form with a file: Content-Type: multipart/form-data")
    reader = _Reader(options[b"boundary"])
    try:
        async for piece in body:
            reader.take(piece)
            if reader.held >= _AT_ONCE:
                await to_thread.run_sync(reader.write, to)
            if reader.form.file_bytes > most_bytes:
                raise LimitExceeded("the upload", f"is longer than {most_bytes} bytes")
        await to_thread.run_sync(reader.write, to)
        reader.finish()
    except MultipartParseError as error:
        raise QueryError(f"the form cannot be read: {error}") from error
    return reader.form


class _Reader:
    """Takes a form apart. What has come of the file is held until it is written."""

    def __init__(self, boundary: bytes) -> None:
        self.form, self.held, self._parts = Form(), 0, 0
        self._pieces: list[bytes] = []
        self._header, self._value = b"", b""
        self._name, self._text = "", b""
        self._in_file, self._ended = False, False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_header,
                "on_header_value": self._on_value,
                "on_header_end": self._header_ended,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._all_ended,
            },
        )

    def take(self, piece: bytes) -> None:
        """Some more bytes of the form."""
        if piece:
            self._parser.write(piece)

    def write(self, to: BinaryIO) -> None:
        """Write what is held. Errors: StorageFull."""
        try:
            to.writelines(self._pieces)
            to.flush()
        except OSError as error:
            raise StorageFull(f"the upload cannot be written ({error.strerror})") from error
        self._pieces, self.held = [], 0

    def finish(self) -> None:
        """Errors: QueryError where it broke off, or brought no file."""
        if not self._ended:
            raise QueryError("the form breaks off")
        if self.form.file_name is None:
            raise QueryError("the form has no file")

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_FIELDS:
            raise QueryError("the form says more than a form of an upload does")
        self._name, self._text, self._in_file = "", b"", False

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        if len(self._header) > _LONGEST_FIELD:
            raise QueryError("a header of the form is too long")

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        if len(self._value) > _LONGEST_FIELD:
            raise QueryError("a header of the form is too long")

    def _header_ended(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
            if b"filename" in options:
                if self.form.file_name is not None:
                    raise QueryError("the form has more than one file")
                self.form.file_name, self._in_file = options[b"filename"].decode("utf-8", "replace"), True
        self._header, self._value = b"", b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._pieces.append(data[start:end])
            self.held += end - start
            self.form.file_bytes += end - start
            return
        self._text += data[start:end]
        if len(self._text) > _LONGEST_FIELD:
            raise QueryError("the form says more than a form of an upload does")

    def _end(self) -> None:
        if not self._in_file:
            self.form.fields[self._name] = self._text.decode("utf-8", "replace")

    def _all_ended(self) -> None:
        self._ended = True
