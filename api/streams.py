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

from api.problems import Problem, problem_of, request_id
from api.turns import Turn
from services.stopping import until

T = TypeVar("T")
E = TypeVar("E", bound="Encoded")
_PING_S, _LOOK_S = 15.0, 0.25


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event: its name, what it carries, and, in streams that can be taken up again, its id."""

    name: str
    data: BaseModel
    id: str = ""

    def encoded(self) -> bytes:
        """As it goes over the wire. JSON has no line breaks, so that one `data` line holds it."""
        head = f"id: {self.id}\n" if self.id else ""
        return f"{head}event: {self.name}\ndata: {self.data.model_dump_json()}\n\n".encode()


class Encoded(Protocol):
    """Something of a stream."""

    def encoded(self) -> bytes: ...


@runtime_checkable
class _Closes(Protocol):
    def close(self) -> None: ...


class Source(Generic[T]):
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
        self.client_gone = False

    async def run(self) -> None:
        """Fill `items`."""
        with self._sender:
            try:
                await self._fill()
            except Exception as error:  # noqa: BLE001 - told by whoever reads the items
                self.error = error

    def stop(self) -> None:
        """Nobody wants more."""
        self._stopped.set()

    async def _fill(self) -> None:
        raise NotImplementedError


class Production(Source[T]):
    """What a blocking iterator gives, in a thread of a turn; `stop` ends it at its next word."""

    def __init__(self, turn: Turn, make: Callable[[], Iterator[T]]) -> None:
        super().__init__()
        self._turn, self._make = turn, make

    async def _fill(self) -> None:
        await self._turn.take(self._take_all)

    def _take_all(self) -> None:
        items = self._make()
        stopped = self._stopped.is_set
        try:
            with until(stopped):
                while not stopped() and (item := next(items, None)) is not None:
                    from_thread.run_sync(self._sender.send_nowait, item)
        finally:
            if isinstance(items, _Closes):
                items.close()


class Watch(Source[T]):
    """What is there at one look after the other, until a look says that it was the last; no thread waits in between."""

    def __init__(self, turn: Turn, look: Callable[[], tuple[list[T], bool]]) -> None:
        super().__init__()
        self._turn, self._look = turn, look

    async def _fill(self) -> None:
        last = False
        while not last:
            found, last = await self._turn.take(self._look)
            for item in found:
                self._sender.send_nowait(item)
            if not last:
                await anyio.sleep(_LOOK_S)


class EventStream(Response, Generic[E]):
    """A response that sends `first` at once, then events as they come, and a comment where none came for a while. An
    error on the way is the last event, `error`, with the problem that it would have been as a response."""

    media_type = "text/event-stream"

    def __init__(self, request: Request, source: Source[E], *first: E) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._request_id, self._source, self._first = request_id(request), source, first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for event in self._first:
            await _send(send, event.encoded())
        async with _running(receive, self._source):
            async for came in _with_pings(self._source.items):
                await _send(send, b": \n\n" if came is None else came.encoded())
            if self._source.error is not None:
                await _send(send, self.failure(problem_of(self._source.error, self._request_id)), more=False)
            else:
                await _send(send, self.ending(), more=False)

    def failure(self, problem: Problem) -> bytes:
        """What tells of an error on the way."""
        return Event("error", problem).encoded()

    def ending(self) -> bytes:
        """What follows the last event."""
        return b""


async def collected(request: Request, turn: Turn, make: Callable[[], Iterator[T]]) -> list[T]:
    """All that the iterator gives. Errors: ClientDisconnect where the client goes away, Overloaded, the iterator's."""
    items: list[T] = []
    production = Production(turn, make)
    async with _running(request.receive, production):
        async for item in production.items:
            items.append(item)  # noqa: PERF401 - what came until the client went away is not lost to a comprehension
    if production.client_gone:
        raise ClientDisconnect
    if production.error is not None:
        raise production.error
    return items


@asynccontextmanager
async def _running(receive: Receive, source: Source[T]) -> AsyncIterator[None]:
    """The source runs until the block ends; where the client goes away, the block is left at once."""

    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        source.client_gone = True
        source.stop()
        group.cancel_scope.cancel()

    with source.items:
        async with anyio.create_task_group() as group:
            group.start_soon(until_gone)
            group.start_soon(source.run)
            try:
                yield
            finally:
                source.stop()
                group.cancel_scope.cancel()


async def _with_pings(items: MemoryObjectReceiveStream[T]) -> AsyncIterator[T | None]:
    """The items; None where there was none for a while."""
    while True:
        with anyio.move_on_after(_PING_S) as patience:
            try:
                item = await items.receive()
            except anyio.EndOfStream:
                return
        yield None if patience.cancelled_caught else item


async def _send(send: Send, data: bytes, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})
