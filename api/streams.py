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

from api.problems import problem_of, request_id
from api.turns import Turn
from services.stopping import until

T = TypeVar("T")
_PING_S = 15.0


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


@runtime_checkable
class _Closes(Protocol):
    def close(self) -> None: ...


class Production(Generic[T]):
    """Takes what a blocking iterator gives, in a thread; `stop` ends it at its next word.

    Whatever comes is held until it is fetched: a reader who is slow does not hold up what is shared, such as a model.
    `items` ends with the iterator; `error` says why, where that was not its end; `client_gone`, whether nobody is left
    to read them.
    """

    def __init__(self, turn: Turn, make: Callable[[], Iterator[T]]) -> None:
        self._turn, self._make = turn, make
        self._stopped = threading.Event()
        self._sender: MemoryObjectSendStream[T]
        self.items: MemoryObjectReceiveStream[T]
        self._sender, self.items = anyio.create_memory_object_stream[T](math.inf)
        self.error: Exception | None = None
        self.client_gone = False

    async def run(self) -> None:
        """Go through the iterator to its end, to an error, or to `stop`."""
        with self._sender:
            try:
                await self._turn.take(self._take_all)
            except Exception as error:  # noqa: BLE001 - told by whoever reads the items
                self.error = error

    def stop(self) -> None:
        """Nobody wants more."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether nobody wants more."""
        return self._stopped.is_set()

    def _take_all(self) -> None:
        items = self._make()
        try:
            with until(lambda: self.stopped):
                while not self.stopped and (item := next(items, None)) is not None:
                    from_thread.run_sync(self._sender.send_nowait, item)
        finally:
            if isinstance(items, _Closes):
                items.close()


class EventStream(Response):
    """A response that sends `first` at once, then events as they come, and a comment where none came for a while. An
    error on the way is the last event, `error`, with the problem that it would have been as a response."""

    media_type = "text/event-stream"

    def __init__(self, request: Request, turn: Turn, first: Event, make: Callable[[], Iterator[Event]]) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._request_id, self._turn, self._first, self._make = request_id(request), turn, first, make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _send(send, self._first.encoded())
        async with _producing(receive, self._turn, self._make) as production:
            async for event in _with_pings(production.items):
                await _send(send, b": \n\n" if event is None else event.encoded())
            if production.error is not None:
                await _send(send, Event("error", problem_of(production.error, self._request_id)).encoded())
            await _send(send, b"", more=False)


async def collected(request: Request, turn: Turn, make: Callable[[], Iterator[T]]) -> list[T]:
    """All that the iterator gives. Errors: ClientDisconnect where the client goes away, Overloaded, the iterator's."""
    items: list[T] = []
    async with _producing(request.receive, turn, make) as production:
        async for item in production.items:
            items.append(item)  # noqa: PERF401 - what came until the client went away is not lost to a comprehension
    if production.client_gone:
        raise ClientDisconnect
    if production.error is not None:
        raise production.error
    return items


@asynccontextmanager
async def _producing(receive: Receive, turn: Turn, make: Callable[[], Iterator[T]]) -> AsyncIterator[Production[T]]:
    """A production that runs until it is read to its end; where the client goes away, the block is left at once."""
    production = Production(turn, make)

    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        production.client_gone = True
        production.stop()
        group.cancel_scope.cancel()

    with production.items:
        async with anyio.create_task_group() as group:
            group.start_soon(until_gone)
            group.start_soon(production.run)
            try:
                yield production
            finally:
                production.stop()
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
