"""Server-sent events from blocking iterators, which run in a thread under a concurrency limit and are cancelled when
the client disconnects. Source: WHATWG HTML, section 9.2; decision 0075 says why FastAPI's own are not enough.
"""

from __future__ import annotations

import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import anyio
from anyio import from_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from fastapi import Request, Response
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from api.http.concurrency import ConcurrencyLimit
from api.http.problems import request_id, to_problem
from api.schemas.problem import Problem
from services.cancellation import cancel_when

T = TypeVar("T")
E = TypeVar("E", bound="EncodableEvent")
_PING_INTERVAL_S = 15.0
"""Source: WHATWG HTML, section 9.2.7: a comment every 15 seconds or so, since proxies drop silent connections."""
_POLL_INTERVAL_S = 0.25
"""Chosen: seconds between polls; updates seem immediate, at four small queries a second for each client."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One server-sent event: its name, its data, and its id in streams that can be resumed."""

    name: str
    data: BaseModel
    id: str = ""

    def encode(self) -> bytes:
        """Encode the event for the wire; its data is JSON."""
        return format_sse_event(data_str=self.data.model_dump_json(), event=self.name, id=self.id or None)


class EncodableEvent(Protocol):
    """Anything that can be sent in an event stream."""

    def encode(self) -> bytes:
        """Encode it for the wire."""


@runtime_checkable
class _Closeable(Protocol):
    def close(self) -> None: ...


class EventProducer(Generic[T]):
    """Producer of a stream: `run` puts into `items` until they end or `stop` is called; `error` is what it failed with.

    Items are buffered without a bound: a slow reader does not hold up what is shared, such as a model.
    """

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._sender: MemoryObjectSendStream[T]
        self.items: MemoryObjectReceiveStream[T]
        self._sender, self.items = anyio.create_memory_object_stream[T](math.inf)
        self.error: Exception | None = None
        self.client_disconnected = False

    async def run(self) -> None:
        """Produce all items; an error ends them and is kept in `error`."""
        with self._sender:
            try:
                await self._produce()
            except Exception as error:  # noqa: BLE001 - reported by the reader of the items
                self.error = error

    def stop(self) -> None:
        """Ask the producer to end: nobody reads any more."""
        self._stopped.set()

    async def _produce(self) -> None:
        raise NotImplementedError


class ThreadedProducer(EventProducer[T]):
    """Producer that runs a blocking iterator in a thread, under a limit; `stop` ends it at its next check."""

    def __init__(self, limit: ConcurrencyLimit, make_items: Callable[[], Iterator[T]]) -> None:
        super().__init__()
        self._limit, self._make_items = limit, make_items

    async def _produce(self) -> None:
        await self._limit.run(self._send_items)

    def _send_items(self) -> None:
        items = self._make_items()
        stopped = self._stopped.is_set
        try:
            with cancel_when(stopped):
                while not stopped() and (item := next(items, None)) is not None:
                    from_thread.run_sync(self._sender.send_nowait, item)
        finally:
            if isinstance(items, _Closeable):
                items.close()


class PollingProducer(EventProducer[T]):
    """Producer that polls until `poll` reports its last items; it holds no thread between polls."""

    def __init__(self, limit: ConcurrencyLimit, poll: Callable[[], tuple[list[T], bool]]) -> None:
        super().__init__()
        self._limit, self._poll = limit, poll

    async def _produce(self) -> None:
        last = False
        while not last:
            items, last = await self._limit.run(self._poll)
            for item in items:
                self._sender.send_nowait(item)
            if not last:
                await anyio.sleep(_POLL_INTERVAL_S)


class EventStream(Response, Generic[E]):
    """Response that sends `first_events` at once, then the producer's as they come, and comments in long pauses.

    An error of the producer is sent as the last event, `error`, with the problem that it would be as a response. A
    client that disconnects stops the producer.
    """

    media_type = "text/event-stream"

    def __init__(self, request: Request, producer: EventProducer[E], *first_events: E) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._request_id, self._producer, self._first_events = request_id(request), producer, first_events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for event in self._first_events:
            await _send(send, event.encode())
        async with _produce_until_disconnect(receive, self._producer):
            async for item in _with_pings(self._producer.items):
                await _send(send, KEEPALIVE_COMMENT if item is None else item.encode())
            error = self._producer.error
            last = self.encode_end() if error is None else self.encode_error(to_problem(error, self._request_id))
            await _send_last(send, last)

    def encode_error(self, problem: Problem) -> bytes:
        """Encode an error as the last event."""
        return ServerSentEvent("error", problem).encode()

    def encode_end(self) -> bytes:
        """Return what ends a stream without an error."""
        return b""


async def collect(request: Request, limit: ConcurrencyLimit, make_items: Callable[[], Iterator[T]]) -> list[T]:
    """Return all items of a blocking iterator. Errors: ClientDisconnect, Overloaded, and those of the iterator."""
    items: list[T] = []
    producer = ThreadedProducer(limit, make_items)
    async with _produce_until_disconnect(request.receive, producer):
        async for item in producer.items:
            items.append(item)  # noqa: PERF401 - a comprehension would lose what came before the client disconnected
    if producer.client_disconnected:
        raise ClientDisconnect
    if producer.error is not None:
        raise producer.error
    return items


@asynccontextmanager
async def _produce_until_disconnect(receive: Receive, producer: EventProducer[T]) -> AsyncIterator[None]:
    """Run a producer until the block ends; leave the block at once if the client disconnects."""

    async def wait_for_disconnect() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        producer.client_disconnected = True
        producer.stop()
        group.cancel_scope.cancel()

    with producer.items:
        async with anyio.create_task_group() as group:
            group.start_soon(wait_for_disconnect)
            group.start_soon(producer.run)
            try:
                yield
            finally:
                producer.stop()
                group.cancel_scope.cancel()


async def _with_pings(items: MemoryObjectReceiveStream[T]) -> AsyncIterator[T | None]:
    """Yield the items, and None whenever none has come for the ping interval."""
    while True:
        with anyio.move_on_after(_PING_INTERVAL_S) as timeout:
            try:
                item = await items.receive()
            except anyio.EndOfStream:
                return
        yield None if timeout.cancelled_caught else item


async def _send(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _send_last(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": False})
