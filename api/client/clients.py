"""`Client` and `AsyncClient`: the two ways to drive the flows (httpx2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import TypedDict, TypeVar

import httpx2

from api.client.calls import Calls
from api.client.flows import EventLines, Flow, Listen, Param, Pause, ProblemError, Reply, Send, ServerUnavailable

T = TypeVar("T")
_WAIT_S, _CONNECT_S = 0.5, 10.0


class _Arguments(TypedDict):
    method: str
    url: str
    params: dict[str, Param]
    json: object
    content: bytes | None
    headers: dict[str, str]


class Client(Calls):
    """A blocking client of the server at `url`; `timeout_s` without a byte end a request, and a stream that can be gone
    on with is given up `patience_s` after its last event."""

    def __init__(self, url: str, key: str | None = None, timeout_s: float = 120.0, patience_s: float = 60.0) -> None:
        self._http = httpx2.Client(base_url=url, headers=_headers(key), timeout=_timeout(timeout_s))
        self._patience_s = patience_s

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def run(self, flow: Flow[T]) -> T:
        """Drive a flow to its result."""
        try:
            step = next(flow)
            while True:
                try:
                    reply = self._done(step)
                except ServerUnavailable as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    def listen(self, listen: Listen[T]) -> Iterator[T]:
        """The items of a stream as they come."""
        lines, last_s = EventLines(), time.monotonic()
        while True:
            try:
                for event in self._events(listen.after(lines.id), lines):
                    last_s = time.monotonic()
                    yield listen.read(*event)
                    if event[0] == listen.last:
                        return
                raise ServerUnavailable("the stream broke off")
            except (ProblemError, ServerUnavailable) as error:
                if not listen.goes_on(error) or time.monotonic() - last_s > self._patience_s:
                    raise
                lines = EventLines(lines.id)
                time.sleep(_WAIT_S)

    def _events(self, send: Send, lines: EventLines) -> Iterator[tuple[str, str]]:
        with _translated(), self._http.stream(**_request(send)) as response:
            if response.status_code >= 400:
                _reply(response, response.read()).checked()
            for data in response.iter_bytes():
                yield from lines.feed(data)

    def _done(self, step: Send | Pause) -> Reply:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return _NOTHING
        with _translated():
            response = self._http.request(**_request(step))
        return _reply(response, response.content)


class AsyncClient(Calls):
    """The same for asyncio: what gives a result is awaited, what gives items is iterated over with `async for`."""

    def __init__(self, url: str, key: str | None = None, timeout_s: float = 120.0, patience_s: float = 60.0) -> None:
        self._http = httpx2.AsyncClient(base_url=url, headers=_headers(key), timeout=_timeout(timeout_s))
        self._patience_s = patience_s

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def run(self, flow: Flow[T]) -> T:
        """Drive a flow to its result."""
        try:
            step = next(flow)
            while True:
                try:
                    reply = await self._done(step)
                except ServerUnavailable as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    async def listen(self, listen: Listen[T]) -> AsyncIterator[T]:
        """The items of a stream as they come."""
        lines, last_s = EventLines(), time.monotonic()
        while True:
            try:
                async with self._events(listen.after(lines.id), lines) as events:
                    async for event in events:
                        last_s = time.monotonic()
                        yield listen.read(*event)
                        if event[0] == listen.last:
                            return
                raise ServerUnavailable("the stream broke off")
            except (ProblemError, ServerUnavailable) as error:
                if not listen.goes_on(error) or time.monotonic() - last_s > self._patience_s:
                    raise
                lines = EventLines(lines.id)
                await asyncio.sleep(_WAIT_S)

    @asynccontextmanager
    async def _events(self, send: Send, lines: EventLines) -> AsyncIterator[AsyncIterator[tuple[str, str]]]:
        with _translated():
            async with self._http.stream(**_request(send)) as response:
                if response.status_code >= 400:
                    _reply(response, await response.aread()).checked()
                yield _read(response, lines)

    async def _done(self, step: Send | Pause) -> Reply:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return _NOTHING
        with _translated():
            response = await self._http.request(**_request(step))
        return _reply(response, response.content)


_NOTHING = Reply(204, {}, b"")


async def _read(response: httpx2.Response, lines: EventLines) -> AsyncIterator[tuple[str, str]]:
    async for data in response.aiter_bytes():
        for event in lines.feed(data):
            yield event


def _headers(key: str | None) -> dict[str, str]:
    return {} if key is None else {"authorization": f"Bearer {key}"}


def _timeout(seconds: float) -> httpx2.Timeout:
    return httpx2.Timeout(seconds, connect=_CONNECT_S)


def _request(send: Send) -> _Arguments:
    return {
        "method": send.method,
        "url": send.path,
        "params": dict(send.params),
        "json": send.json,
        "content": send.content,
        "headers": dict(send.headers),
    }


def _reply(response: httpx2.Response, body: bytes) -> Reply:
    return Reply(response.status_code, dict(response.headers), body)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except httpx2.TransportError as error:
        raise ServerUnavailable(f"the server cannot be reached, or broke off: {error}") from error
