"""Blocking and asynchronous HTTP clients of the API, over httpx2."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import TypedDict, TypeVar

import httpx2

from api.client.operations import Operations
from api.client.protocol import (
    CLIENT_ERROR,
    Flow,
    ParamValue,
    Pause,
    ProblemError,
    Reply,
    Request,
    ServerUnavailable,
    Subscription,
    parse_events,
)
from services.egress.server_sent_events import EventStreamParser, ServerSentEventFields

T = TypeVar("T")
_RETRY_DELAY_S = 0.5
"""Chosen: soon enough to follow a job without a visible gap, without pressing a server that restarts."""
_CONNECT_TIMEOUT_S = 10.0
"""Chosen: several retransmissions of a lost SYN; a host that is off is reported sooner than by `timeout_s`."""


class _RequestArguments(TypedDict):
    method: str
    url: str
    params: dict[str, ParamValue]
    json: object
    content: bytes | None
    headers: dict[str, str]


class Client(Operations):
    """Blocking client of the server at `url`.

    A request fails after `timeout_s` seconds without a byte; a resumable stream `resume_timeout_s` seconds after its
    last event.
    """

    def __init__(
        self, url: str, key: str | None = None, timeout_s: float = 120.0, resume_timeout_s: float = 60.0
    ) -> None:
        self._http = httpx2.Client(base_url=url, headers=_auth_headers(key), timeout=_timeout(timeout_s))
        self._resume_timeout_s = resume_timeout_s

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def run(self, flow: Flow[T]) -> T:
        """Run a flow and return its result."""
        try:
            step = next(flow)
            while True:
                try:
                    reply = self._perform(step)
                except ServerUnavailable as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    def listen(self, subscription: Subscription[T]) -> Iterator[T]:
        """Yield the items of a stream as they arrive."""
        parser, last_s = EventStreamParser(), time.monotonic()
        while True:
            try:
                for event in self._events(subscription.request_after(parser.last_event_id), parser):
                    last_s = time.monotonic()
                    yield subscription.parse(event.event, event.data)
                    if event.event == subscription.final_event:
                        return
                raise ServerUnavailable("the stream broke off")
            except (ProblemError, ServerUnavailable) as error:
                if not subscription.should_resume(error) or time.monotonic() - last_s > self._resume_timeout_s:
                    raise
                parser = EventStreamParser(parser.last_event_id)
                time.sleep(_RETRY_DELAY_S)

    def _events(self, request: Request, parser: EventStreamParser) -> Iterator[ServerSentEventFields]:
        """Yield the events of a stream. Errors: ProblemError, ServerUnavailable."""
        with _translate_errors(), self._http.stream(**_to_arguments(request)) as response:
            if response.status_code >= CLIENT_ERROR:
                _to_reply(response, response.read()).raise_for_problem()
            for data in response.iter_bytes():
                yield from parse_events(parser, data)

    def _perform(self, step: Request | Pause) -> Reply:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return _EMPTY_REPLY
        with _translate_errors():
            response = self._http.request(**_to_arguments(step))
        return _to_reply(response, response.content)


class AsyncClient(Operations):
    """Asynchronous client with the methods of `Client`: results are awaited, streams read with `async for`."""

    def __init__(
        self, url: str, key: str | None = None, timeout_s: float = 120.0, resume_timeout_s: float = 60.0
    ) -> None:
        self._http = httpx2.AsyncClient(base_url=url, headers=_auth_headers(key), timeout=_timeout(timeout_s))
        self._resume_timeout_s = resume_timeout_s

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow and return its result."""
        try:
            step = next(flow)
            while True:
                try:
                    reply = await self._perform(step)
                except ServerUnavailable as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    async def listen(self, subscription: Subscription[T]) -> AsyncIterator[T]:
        """Yield the items of a stream as they arrive."""
        parser, last_s = EventStreamParser(), time.monotonic()
        while True:
            try:
                async with self._events(subscription.request_after(parser.last_event_id), parser) as events:
                    async for event in events:
                        last_s = time.monotonic()
                        yield subscription.parse(event.event, event.data)
                        if event.event == subscription.final_event:
                            return
                raise ServerUnavailable("the stream broke off")
            except (ProblemError, ServerUnavailable) as error:
                if not subscription.should_resume(error) or time.monotonic() - last_s > self._resume_timeout_s:
                    raise
                parser = EventStreamParser(parser.last_event_id)
                await asyncio.sleep(_RETRY_DELAY_S)

    @asynccontextmanager
    async def _events(
        self, request: Request, parser: EventStreamParser
    ) -> AsyncIterator[AsyncIterator[ServerSentEventFields]]:
        """Open a stream; yield its events. Errors: ProblemError, ServerUnavailable."""
        with _translate_errors():
            async with self._http.stream(**_to_arguments(request)) as response:
                if response.status_code >= CLIENT_ERROR:
                    _to_reply(response, await response.aread()).raise_for_problem()
                yield _iterate_events(response, parser)

    async def _perform(self, step: Request | Pause) -> Reply:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return _EMPTY_REPLY
        with _translate_errors():
            response = await self._http.request(**_to_arguments(step))
        return _to_reply(response, response.content)


_EMPTY_REPLY = Reply(204, {}, b"")


async def _iterate_events(response: httpx2.Response, parser: EventStreamParser) -> AsyncIterator[ServerSentEventFields]:
    async for data in response.aiter_bytes():
        for event in parse_events(parser, data):
            yield event


def _auth_headers(key: str | None) -> dict[str, str]:
    return {} if key is None else {"authorization": f"Bearer {key}"}


def _timeout(seconds: float) -> httpx2.Timeout:
    return httpx2.Timeout(seconds, connect=_CONNECT_TIMEOUT_S)


def _to_arguments(request: Request) -> _RequestArguments:
    return {
        "method": request.method,
        "url": request.path,
        "params": dict(request.params),
        "json": request.json,
        "content": request.content,
        "headers": dict(request.headers),
    }


def _to_reply(response: httpx2.Response, body: bytes) -> Reply:
    return Reply(response.status_code, dict(response.headers), body)


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise ServerUnavailable for what httpx2 raises of a connection."""
    try:
        yield
    except httpx2.TransportError as error:
        raise ServerUnavailable(f"the server cannot be reached, or broke off: {error}") from error
