"""Event streams are parsed by the rules of the WHATWG, however their bytes are split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.egress.server_sent_events import EventStreamParser, EventTooLarge, ServerSentEventFields

FIELD_LINES = st.sampled_from(
    (
        *("data: a", "data:b", "data", "data:  two spaces", "data: ä\u2028ö\x85😀", "data : c", " data: d"),
        *("event: ping", "event", "id: 7", "id", "id: n\0l", "retry: 30", "retry: +1", "retry: 9x"),
        *(": comment", ":", "unknown: x", "", "", ""),
    )
)
STREAMS = st.lists(st.tuples(FIELD_LINES, st.sampled_from(["\n", "\r", "\r\n"])), max_size=20).map(
    lambda lines: "".join(line + end for line, end in lines).encode()
)
CUTS = st.lists(st.integers(0, 300), max_size=12)


def parse(*pieces: bytes) -> list[ServerSentEventFields]:
    """Return the events of a stream that comes in these pieces."""
    parser = EventStreamParser()
    return [event for piece in pieces for event in parser.feed(piece)]


def split_at(stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Return the stream in pieces, cut at these places."""
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(places)]


def parse_as_specified(stream: bytes) -> list[ServerSentEventFields]:
    """Return the events of a whole stream by the algorithm of the specification, written down word by word."""
    events: list[ServerSentEventFields] = []
    data = event_type = last_event_id = ""
    retry_ms: int | None = None
    *lines, _ = re.split("\r\n|\r|\n", stream.decode("utf-8-sig", "replace"))
    for line in lines:
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if line == "":
            if data:
                events.append(ServerSentEventFields(event_type or "message", data[:-1], last_event_id, retry_ms))
            data = event_type = ""
        elif field == "event":
            event_type = value
        elif field == "data":
            data += value + "\n"
        elif field == "id" and "\0" not in value:
            last_event_id = value
        elif field == "retry" and re.fullmatch("[0-9]+", value):
            retry_ms = int(value)
    return events


@given(STREAMS, st.booleans(), CUTS)
def test_any_split_of_the_bytes_gives_the_events_of_the_specification(
    stream: bytes, marked: bool, cuts: list[int]
) -> None:
    stream = b"\xef\xbb\xbf" + stream if marked else stream
    assert parse(*split_at(stream, cuts)) == parse_as_specified(stream)


@given(st.binary(max_size=80), CUTS)
def test_arbitrary_bytes_parse_as_the_specification_says(stream: bytes, cuts: list[int]) -> None:
    assert parse(*split_at(stream, cuts)) == parse_as_specified(stream)


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
            ["first event", "second event"],
        ),
        (b"data\n\ndata\ndata\n\ndata:", ["", "\n"]),
        (b"data:test\n\ndata: test\n\n", ["test", "test"]),
        (b"event: ping\n\n", []),
    ],
)
def test_the_examples_of_the_specification(stream: bytes, data: list[str]) -> None:
    assert [event.data for event in parse(stream)] == data


def test_an_event_is_dispatched_at_a_carriage_return_without_waiting_for_a_line_feed() -> None:
    parser = EventStreamParser()
    assert [event.data for event in parser.feed(b"data: a\r\r")] == ["a"]
    assert list(parser.feed(b"\ndata: b\r\n")) == []
    assert [event.data for event in parser.feed(b"\r\n")] == ["b"]


def test_the_last_event_id_is_that_of_the_last_complete_event_and_outlives_a_reconnect() -> None:
    parser = EventStreamParser("6")
    events = parser.feed(b"data: a\n\nid: 7\n\nid: 8\ndata: b\n\nid: 9\ndata: c\n")
    assert next(events).id == parser.last_event_id == "6"
    assert next(events).id == parser.last_event_id == "8"
    assert list(events) == [] and parser.last_event_id == "8"


def test_a_reconnection_time_holds_for_the_stream_until_another_comes() -> None:
    parser = EventStreamParser()
    times = [event.retry_ms for event in parser.feed(b"data: a\n\nretry: 30\n\ndata: b\n\nretry: -1\ndata: c\n\n")]
    assert times == [None, 30, 30]
    assert [event.retry_ms for event in parser.feed(b"retry: " + b"9" * 5000 + b"\ndata: d\n\n")] == [30]


@pytest.mark.parametrize("stream", [b"data: " + b"x" * 50, b"data: xxxxxxxxxx\n" * 3, b":" * 50 + b"\n"])
def test_an_event_that_does_not_end_is_refused(stream: bytes) -> None:
    parser = EventStreamParser(max_event_bytes=40)
    assert len(list(parser.feed(b"data: xxxxxxxxxx\n\n" * 9))) == 9
    with pytest.raises(EventTooLarge, match="larger than 40 bytes"):
        for place in range(len(stream)):
            list(parser.feed(stream[place : place + 1]))


def test_a_line_of_an_unknown_field_is_reported() -> None:
    unknown: list[str] = []
    parser = EventStreamParser(on_unknown_field=unknown.append)
    list(parser.feed(b"<html>\ndata: a\n:\nid: 1\nretry: x\nevent\nfoo: bar\n\n"))
    assert unknown == ["<html>", "foo: bar"]
