"""Server-sent events from blocking iterators: made in a thread, in turn, and given up when nobody listens any more."""

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
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from api.http.concurrency import ConcurrencyLimit
from api.http.problems import Problem, request_id, to_problem
from services.cancellation import cancel_when

T = TypeVar("T")
E = TypeVar("E", bound="EncodableEvent")
_PING_INTERVAL_S, _POLL_INTERVAL_S = 15.0, 0.25


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One server-sent event: its name, what it carries, and, in streams that can be taken up again, its id."""

    name: str
    data: BaseModel
    id: str = ""

    def encode(self) -> bytes:
        """As it goes over the wire. JSON has no line breaks, so that one `data` line holds it."""
        head = f"id: {self.id}\n" if self.id else ""
        return f"{head}event: {self.name}\ndata: {self.data.model_dump_json()}\n\n".encode()


class EncodableEvent(Protocol):
    """Something of a stream."""

    def encode(self) -> bytes: ...


@runtime_checkable
class _Closeable(Protocol):
    def close(self) -> None: ...


class EventProducer(Generic[T]):
    """Where the items of a stream come from: `run` fills `items` until their end, or until `stop`; `error` says why,
    where that was not their end; `client_gone`, whether nobody is left to read them.

    Whatever comes is held until it is fetched: a reader who is slow does not hold up what is shared, such as a model.
    """

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._sender: MemoryObjectSendStream[T]
        self.items: MemoryObjectReceiveStream[T]
        self._sender, self.items = anyio.create_memory_object_stream[T](math.inf)
        self.error: Exception | None = None
        self.client_disconnected = False

    async def run(self) -> None:
        """Fill `items`."""
        with self._sender:
            try:
                await self._produce()
            except Exception as error:  # noqa: BLE001 - told by whoever reads the items
                self.error = error

    def stop(self) -> None:
        """Nobody wants more."""
        self._stopped.set()

    async def _produce(self) -> None:
        raise NotImplementedError


class ThreadedProducer(EventProducer[T]):
    """What a blocking iterator gives, in a thread of a turn; `stop` ends it at its next word."""

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
    """What is there at one look after the other, until a look says that it was the last; no thread waits in between."""

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
    """A response that sends `first` at once, then events as they come, and a comment where none came for a while. An
    error on the way is the last event, `error`, with the problem that it would have been as a response."""

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
                await _send(send, b": \n\n" if item is None else item.encode())
            if self._producer.error is not None:
                await _send(send, self.encode_error(to_problem(self._producer.error, self._request_id)), more=False)
            else:
                await _send(send, self.encode_end(), more=False)

    def encode_error(self, problem: Problem) -> bytes:
        """What tells of an error on the way."""
        return ServerSentEvent("error", problem).encode()

    def encode_end(self) -> bytes:
        """What follows the last event."""
        return b""


async def collect(request: Request, limit: ConcurrencyLimit, make_items: Callable[[], Iterator[T]]) -> list[T]:
    """All that the iterator gives. Errors: ClientDisconnect where the client goes away, Overloaded, the iterator's."""
    items: list[T] = []
    producer = ThreadedProducer(limit, make_items)
    async with _produce_until_disconnect(request.receive, producer):
        async for item in producer.items:
            items.append(item)  # noqa: PERF401 - what came until the client went away is not lost to a comprehension
    if producer.client_disconnected:
        raise ClientDisconnect
    if producer.error is not None:
        raise producer.error
    return items


@asynccontextmanager
async def _produce_until_disconnect(receive: Receive, producer: EventProducer[T]) -> AsyncIterator[None]:
    """The source runs until the block ends; where the client goes away, the block is left at once."""

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
    """The items; None where there was none for a while."""
    while True:
        with anyio.move_on_after(_PING_INTERVAL_S) as timeout:
            try:
                item = await items.receive()
            except anyio.EndOfStream:
                return
        yield None if timeout.cancelled_caught else item


async def _send(send: Send, data: bytes, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})
