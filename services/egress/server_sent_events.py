"""Incremental parser of server-sent events (`text/event-stream`).

Source: WHATWG HTML, section 9.2 "Server-sent events", parts 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an
event stream".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DEFAULT_EVENT = "message"
_MAX_RETRY_DIGITS = 15
"""Chosen: longer numbers are ignored as malformed; 15 digits of milliseconds are 30,000 years."""


class EventTooLarge(ValueError):
    """A line or an event of the stream is larger than the parser may hold in memory."""


@dataclass(frozen=True, slots=True)
class ServerSentEventFields:
    """One dispatched event of an event stream.

    `event` is its type ("message" where the stream names none), `data` its data lines joined by line feeds, `id` the
    last event id of the stream, and `retry_ms` the reconnection time that the stream has set last, None if it set none.
    """

    event: str
    data: str
    id: str = ""
    retry_ms: int | None = None


def ignore_line(_: str) -> None:
    """Do nothing with a line of an unknown field, as the specification demands."""


class EventStreamParser:
    """Parses the bytes of one event stream into events, however the bytes are split.

    `last_event_id` is the id that the stream continues from after a reconnect. `max_event_bytes` bounds what is held of
    an event that is not complete, None for no bound. `on_unknown_field` is called with each line whose field name the
    specification does not define; an error that it raises passes through `feed`. Not thread-safe.
    """

    def __init__(
        self,
        last_event_id: str = "",
        *,
        max_event_bytes: int | None = None,
        on_unknown_field: Callable[[str], None] = ignore_line,
    ) -> None:
        self._max_event_bytes, self._on_unknown_field = max_event_bytes, on_unknown_field
        self._last_event_id, self._pending_id = last_event_id, last_event_id
        self._event, self._data, self._data_bytes = "", list[str](), 0
        self._retry_ms: int | None = None
        self._line, self._at_start, self._after_cr = bytearray(), True, False

    @property
    def last_event_id(self) -> str:
        """Id to send as `Last-Event-ID` on a reconnect: that of the last event block that is complete."""
        return self._last_event_id

    def feed(self, data: bytes) -> Iterator[ServerSentEventFields]:
        """Yield the events that these bytes complete; exhaust the iterator before feeding more bytes.

        An event that has no data is not dispatched, and one that the end of the stream cuts off is never yielded.
        Errors: EventTooLarge.
        """
        for line in self._complete_lines(data):
            if (event := self._interpret(line)) is not None:
                yield event

    def _complete_lines(self, data: bytes) -> Iterator[str]:
        """Yield the lines that end in these bytes, at CR, LF or CRLF, without their ends. Errors: EventTooLarge."""
        if not data:
            return
        rest = data.removeprefix(b"\n") if self._after_cr else data
        self._after_cr = data.endswith(b"\r")
        for part in rest.splitlines(keepends=True):
            self._line += part
            self._check_size()
            if part.endswith((b"\r", b"\n")):
                line = bytes(self._line).rstrip(b"\r\n")
                self._line.clear()
                yield self._strip_byte_order_mark(line).decode("utf-8", "replace")

    def _strip_byte_order_mark(self, line: bytes) -> bytes:
        """Return the line without a byte order mark where it is the first of the stream."""
        at_start, self._at_start = self._at_start, False
        return line.removeprefix(_BYTE_ORDER_MARK) if at_start else line

    def _check_size(self) -> None:
        """Raise EventTooLarge if the event that is not complete is larger than allowed."""
        size = self._data_bytes + len(self._line)
        if self._max_event_bytes is not None and size > self._max_event_bytes:
            raise EventTooLarge(f"an event is larger than {self._max_event_bytes} bytes")

    def _interpret(self, line: str) -> ServerSentEventFields | None:
        """Process one line; return the event that an empty line dispatches, else None."""
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
                self._data_bytes += len(line.encode("utf-8", "replace"))
            case "event":
                self._event = value
            case "id":
                self._pending_id = self._pending_id if "\0" in value else value
            case "retry":
                if value.isascii() and value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
                    self._retry_ms = int(value)
            case "":
                """A comment."""
            case _:
                self._on_unknown_field(line)
        return None

    def _dispatch(self) -> ServerSentEventFields | None:
        """Return the event whose lines have been read, None if it has no data; begin the next one."""
        self._last_event_id = self._pending_id
        event, data = self._event or _DEFAULT_EVENT, self._data
        self._event, self._data, self._data_bytes = "", [], 0
        return ServerSentEventFields(event, "\n".join(data), self._last_event_id, self._retry_ms) if data else None
