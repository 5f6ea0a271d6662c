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

from api.problems import Problem
from indexer.errors import AfterimageError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from api.client.clients import AsyncClient, Client

Param: TypeAlias = str | int | float | Sequence[str]
P = ParamSpec("P")
T = TypeVar("T")
_EVENTS = "text/event-stream"
_PASSING, _FAULT = (429, 503), 500
"""Statuses of a server that will be itself again."""
_UNSAID = {"type": "about:blank", "title": "", "detail": "the server refuses", "request": ""}


class ProblemError(AfterimageError, RuntimeError):
    """The server answered with a problem; `problem` is all that it said."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.detail} ({problem.status})")
        self.problem = problem


class ServerUnavailable(AfterimageError, ConnectionError):
    """The server cannot be reached, or breaks off."""


@dataclass(frozen=True, slots=True)
class Send:
    """A request: an address below the server's, what it says as JSON, or bytes."""

    method: str
    path: str
    params: Mapping[str, Param] = field(default_factory=dict)
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

    def checked(self) -> Reply:
        """Itself. Errors: ProblemError where it is one."""
        if self.status < 400:
            return self
        if not self.body and self.status < _FAULT:  # an answer to HEAD
            raise ProblemError(Problem.model_validate({**_UNSAID, "status": self.status}))
        try:
            raise ProblemError(Problem.model_validate_json(self.body))
        except ValidationError:
            said = self.body[:200].decode("utf-8", "replace")
            raise ServerUnavailable(f"an answer that is none of Afterimage's ({self.status}): {said}") from None


Flow: TypeAlias = Generator[Send | Pause, Reply, T]


@dataclass(frozen=True, slots=True)
class Listen(Generic[T]):
    """A request for a stream of events: `read` makes an item of an event's name and data, `last` is the name of the one
    that ends it. One that `resumes` goes on behind the last event that came, where the line breaks."""

    send: Send
    read: Callable[[str, str], T]
    last: str
    resumes: bool = False

    def after(self, event_id: str) -> Send:
        """The request, behind an event."""
        headers = {**self.send.headers, "accept": _EVENTS} | ({"last-event-id": event_id} if event_id else {})
        return Send(self.send.method, self.send.path, self.send.params, self.send.json, None, headers)

    def goes_on(self, error: ProblemError | ServerUnavailable) -> bool:
        """Whether asking again, behind what came, may lead further: the line broke, or the server is not itself now."""
        return self.resumes and passing(error)


def passing(error: ProblemError | ServerUnavailable) -> bool:
    """Whether the same may be possible soon."""
    return isinstance(error, ServerUnavailable) or error.problem.status in _PASSING


class EventLines:
    """Takes a stream of events apart. `id` is that of the last event that came whole, or was `after`."""

    def __init__(self, after: str = "") -> None:
        self.id, self._id, self._name, self._data, self._rest = after, after, "", "", b""

    def feed(self, data: bytes) -> Iterator[tuple[str, str]]:
        """The names and the data of the events that these bytes complete. Lines end where the protocol ends them, and
        not at whatever ends a line in some text (U+2028). Errors: ProblemError for the event `error`.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if (event := self._line(line.removesuffix(b"\r").decode("utf-8", "replace"))) is not None:
                yield event

    def _line(self, line: str) -> tuple[str, str] | None:
        label, _, value = line.partition(": ")
        match label:
            case "id":
                self._id = value
            case "event":
                self._name = value
            case "data":
                self._data = value
            case "" if not line and self._name:
                name, data, self.id = self._name, self._data, self._id
                self._name = self._data = ""
                if name == "error":
                    raise ProblemError(Problem.model_validate_json(data))
                return name, data
        return None


class Endpoint(Generic[P, T]):
    """A method that is written once, as a flow: it gives its result, or, of an AsyncClient, is awaited for it."""

    def __init__(self, flow: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        self._flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, client: Client, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 (as the overloads say)
            return client.run(self._flow(client, *args, **kwargs))

        call.__doc__ = self.__doc__
        return call


class Stream(Generic[P, T]):
    """A method that is written once and gives items as they come, to be iterated over in the client's own way."""

    def __init__(self, listen: Callable[Concatenate[Any, P], Listen[T]]) -> None:
        self._listen = listen
        self.__doc__ = listen.__doc__

    @overload
    def __get__(self, client: Client, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 (as the overloads say)
            return client.listen(self._listen(client, *args, **kwargs))

        call.__doc__ = self.__doc__
        return call
