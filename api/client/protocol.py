"""What the client does, without doing it: flows that say what is to be sent, and get what came back.

A flow is a generator. It yields a `Send` (and is given the reply) or a `Pause`, and returns its result; where a server
cannot be reached, ServerUnavailable is raised at its `yield`. So one description drives a blocking client and an
asynchronous one; `Endpoint` and `Stream` give each of them a method of its kind.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, overload

from pydantic import ValidationError

from api.http.problems import Problem
from indexer.errors import AfterimageError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from api.client.clients import AsyncClient, Client

ParamValue: TypeAlias = str | int | float | Sequence[str]
P = ParamSpec("P")
T = TypeVar("T")
_EVENT_STREAM = "text/event-stream"
_RETRYABLE_STATUSES, _SERVER_ERROR = (429, 503), 500
"""Statuses of a server that will be itself again."""
_EMPTY_PROBLEM = {"type": "about:blank", "title": "", "detail": "the server refuses", "request": ""}


class ProblemError(AfterimageError, RuntimeError):
    """The server answered with a problem; `problem` is all that it said."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.detail} ({problem.status})")
        self.problem = problem


class ServerUnavailable(AfterimageError, ConnectionError):
    """The server cannot be reached, or breaks off."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request: an address below the server's, what it says as JSON, or bytes."""

    method: str
    path: str
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    json: object = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def raise_for_problem(self) -> Reply:
        """Itself. Errors: ProblemError where it is one."""
        if self.status < 400:
            return self
        if not self.body and self.status < _SERVER_ERROR:  # an answer to HEAD
            raise ProblemError(Problem.model_validate({**_EMPTY_PROBLEM, "status": self.status}))
        try:
            raise ProblemError(Problem.model_validate_json(self.body))
        except ValidationError:
            said = self.body[:200].decode("utf-8", "replace")
            raise ServerUnavailable(f"an answer that is none of Afterimage's ({self.status}): {said}") from None


Flow: TypeAlias = Generator[Request | Pause, Reply, T]


@dataclass(frozen=True, slots=True)
class Subscription(Generic[T]):
    """A request for a stream of events: `read` makes an item of an event's name and data, `last` is the name of the one
    that ends it. One that `resumes` goes on behind the last event that came, where the line breaks."""

    request: Request
    parse: Callable[[str, str], T]
    final_event: str
    resumable: bool = False

    def request_after(self, event_id: str) -> Request:
        """The request, behind an event."""
        headers = {**self.request.headers, "accept": _EVENT_STREAM} | ({"last-event-id": event_id} if event_id else {})
        return Request(self.request.method, self.request.path, self.request.params, self.request.json, None, headers)

    def should_resume(self, error: ProblemError | ServerUnavailable) -> bool:
        """Whether asking again, behind what came, may lead further: the line broke, or the server is not itself now."""
        return self.resumable and is_retryable(error)


def is_retryable(error: ProblemError | ServerUnavailable) -> bool:
    """Whether the same may be possible soon."""
    return isinstance(error, ServerUnavailable) or error.problem.status in _RETRYABLE_STATUSES


class SseParser:
    """Takes a stream of events apart. `id` is that of the last event that came whole, or was `after`."""

    def __init__(self, last_event_id: str = "") -> None:
        self.last_event_id, self._id, self._name, self._data, self._buffer = last_event_id, last_event_id, "", "", b""

    def feed(self, data: bytes) -> Iterator[tuple[str, str]]:
        """The names and the data of the events that these bytes complete. Lines end where the protocol ends them, and
        not at whatever ends a line in some text (U+2028). Errors: ProblemError for the event `error`.
        """
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if (event := self._parse_line(line.removesuffix(b"\r").decode("utf-8", "replace"))) is not None:
                yield event

    def _parse_line(self, line: str) -> tuple[str, str] | None:
        label, _, value = line.partition(": ")
        match label:
            case "id":
                self._id = value
            case "event":
                self._name = value
            case "data":
                self._data = value
            case "" if not line and self._name:
                name, data, self.last_event_id = self._name, self._data, self._id
                self._name = self._data = ""
                if name == "error":
                    raise ProblemError(Problem.model_validate_json(data))
                return name, data
        return None


class Endpoint(Generic[P, T]):
    """A method that is written once, as a flow: it gives its result, or, of an AsyncClient, is awaited for it."""

    def __init__(self, make_flow: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        self._make_flow = make_flow
        self.__doc__ = make_flow.__doc__

    @overload
    def __get__(self, client: Client, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 (as the overloads say)
            return client.run(self._make_flow(client, *args, **kwargs))

        call.__doc__ = self.__doc__
        return call


class StreamEndpoint(Generic[P, T]):
    """A method that is written once and gives items as they come, to be iterated over in the client's own way."""

    def __init__(self, make_subscription: Callable[Concatenate[Any, P], Subscription[T]]) -> None:
        self._make_subscription = make_subscription
        self.__doc__ = make_subscription.__doc__

    @overload
    def __get__(self, client: Client, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 (as the overloads say)
            return client.listen(self._make_subscription(client, *args, **kwargs))

        call.__doc__ = self.__doc__
        return call
