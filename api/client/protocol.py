"""The client's protocol without I/O: operations as generators that yield requests and receive replies.

A flow is a generator. It yields a `Request` (and is sent the reply) or a `Pause`, and returns its result; where the
server cannot be reached, ServerUnavailable is raised at its `yield`. So one description drives a blocking client and an
asynchronous one; `Endpoint` and `StreamEndpoint` give each of them a method of its kind.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeAlias, TypeVar, overload

from pydantic import ValidationError

from api.schemas.problem import Problem
from indexer.errors import AfterimageError
from services.egress.server_sent_events import EventStreamParser, ServerSentEventFields

ParamValue: TypeAlias = str | int | float | Sequence[str]
P = ParamSpec("P")
T = TypeVar("T")
_EVENT_STREAM, _ERROR_EVENT = "text/event-stream", "error"
_RETRYABLE_STATUSES = (429, 503)
"""Source: RFC 6585, section 4, and RFC 9110, section 15.6.4: statuses that pass."""
CLIENT_ERROR, _SERVER_ERROR = 400, 500
"""Source: RFC 9110, sections 15.5 and 15.6: the lowest status of either class."""
_MAX_QUOTED_BYTES = 200
"""Form: how much of a response that is none of ours an error message quotes."""
_EMPTY_PROBLEM = {"type": "about:blank", "title": "", "detail": "the server refuses", "request": ""}


class ProblemError(AfterimageError, RuntimeError):
    """Error response of the server; `problem` is its problem document."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.detail} ({problem.status})")
        self.problem = problem


class ServerUnavailable(AfterimageError, ConnectionError):
    """The server cannot be reached, or the connection broke."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request: a path below the server's address, and a body as JSON or bytes."""

    method: str
    path: str
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    json: object = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pause:
    """A step of a flow that waits."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def raise_for_problem(self) -> Reply:
        """Return the reply itself if it is no error. Errors: ProblemError, ServerUnavailable."""
        if self.status < CLIENT_ERROR:
            return self
        if not self.body and self.status < _SERVER_ERROR:  # a response to HEAD
            raise ProblemError(Problem.model_validate({**_EMPTY_PROBLEM, "status": self.status}))
        try:
            raise ProblemError(Problem.model_validate_json(self.body))
        except ValidationError:
            excerpt = self.body[:_MAX_QUOTED_BYTES].decode("utf-8", "replace")
            raise ServerUnavailable(f"an answer that is none of Afterimage's ({self.status}): {excerpt}") from None


Flow: TypeAlias = Generator[Request | Pause, Reply, T]


@dataclass(frozen=True, slots=True)
class Subscription(Generic[T]):
    """A request for a stream of server-sent events.

    `parse` makes an item of an event's name and data; the event named `final_event` ends the stream. One that is
    `resumable` is requested again after the last event that arrived, where the connection breaks.
    """

    request: Request
    parse: Callable[[str, str], T]
    final_event: str
    resumable: bool = False

    def request_after(self, event_id: str) -> Request:
        """Return the request that resumes the stream after an event; from its start for an empty id."""
        headers = {**self.request.headers, "accept": _EVENT_STREAM} | ({"last-event-id": event_id} if event_id else {})
        return Request(self.request.method, self.request.path, self.request.params, self.request.json, None, headers)

    def should_resume(self, error: ProblemError | ServerUnavailable) -> bool:
        """Return whether to request the stream again after an error."""
        return self.resumable and is_retryable(error)


def is_retryable(error: ProblemError | ServerUnavailable) -> bool:
    """Return whether a request that failed may succeed soon: the server is unavailable or overloaded."""
    return isinstance(error, ServerUnavailable) or error.problem.status in _RETRYABLE_STATUSES


def parse_events(parser: EventStreamParser, data: bytes) -> Iterator[ServerSentEventFields]:
    """Yield the events that some bytes of a stream complete. Errors: ProblemError for the event `error`."""
    for event in parser.feed(data):
        if event.event == _ERROR_EVENT:
            raise ProblemError(Problem.model_validate_json(event.data))
        yield event


class BlockingDriver(Protocol):
    """Port: a driver of flows and streams by blocking I/O."""

    def run(self, flow: Flow[T]) -> T:
        """Run a flow and return its result."""

    def listen(self, subscription: Subscription[T]) -> Iterator[T]:
        """Yield the items of a stream as they arrive."""


class AsyncDriver(Protocol):
    """Port: a driver of flows and streams by asynchronous I/O."""

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow and return its result."""

    def listen(self, subscription: Subscription[T]) -> AsyncIterator[T]:
        """Yield the items of a stream as they arrive."""


class Endpoint(Generic[P, T]):
    """Descriptor that makes a method of a flow: it returns the result, or, of an asynchronous client, an awaitable."""

    def __init__(self, make_flow: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        self._make_flow = make_flow
        self.__doc__ = make_flow.__doc__

    @overload
    def __get__(self, client: BlockingDriver, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncDriver, owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 (as the overloads say)
            return client.run(self._make_flow(client, *args, **kwargs))

        call.__doc__ = self.__doc__
        return call


class StreamEndpoint(Generic[P, T]):
    """Descriptor that makes a method of a subscription: it returns an iterator, or an asynchronous one."""

    def __init__(self, make_subscription: Callable[Concatenate[Any, P], Subscription[T]]) -> None:
        self._make_subscription = make_subscription
        self.__doc__ = make_subscription.__doc__

    @overload
    def __get__(self, client: BlockingDriver, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: AsyncDriver, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 (as the overloads say)
            return client.listen(self._make_subscription(client, *args, **kwargs))

        call.__doc__ = self.__doc__
        return call
