"""What an OpenAI-compatible server says: lines of an event stream, pieces of an answer, complaints, models."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

_MAX_LINE_CHARS = 1 << 20
_IGNORED_FIELDS = (":", "event:", "id:", "retry:")


class MalformedResponse(Exception):
    """An answer that is none; the message says why, and becomes that of a GeneratorUnavailable."""


class _Delta(msgspec.Struct):
    content: str | None = None


class _TopLogprob(msgspec.Struct):
    token: str
    logprob: float


class _TokenLogprobs(msgspec.Struct):
    top_logprobs: list[_TopLogprob] = []


class _Logprobs(msgspec.Struct):
    content: list[_TokenLogprobs] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    message: _Delta = msgspec.field(default_factory=_Delta)
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None


class _ErrorBody(msgspec.Struct):
    message: str = ""


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    error: _ErrorBody | str | None = None
    message: str | None = None


class _Model(msgspec.Struct):
    id: str


class _ModelList(msgspec.Struct):
    data: list[_Model]


class SseDecoder:
    """Cuts a stream of server-sent events into the values of its `data:` lines; these servers send one an event."""

    def __init__(self) -> None:
        self._buffer = ""

    def feed(self, text: str) -> Iterator[str]:
        """The values that are complete with this text. Garbage where it is no such stream."""
        *lines, self._buffer = (self._buffer + text).split("\n")
        if len(self._buffer) > _MAX_LINE_CHARS:
            raise MalformedResponse("it sends a line without end")
        for line in lines:
            if line.startswith("data:"):
                yield line.removeprefix("data:").strip()
            elif line.strip() and not line.startswith(_IGNORED_FIELDS):
                raise MalformedResponse(f"it sends what is no stream of events: {extract_first_line(line)!r}")


def parse_chunk(data: str) -> tuple[str, bool]:
    """The words of one event, and whether they are the last. Garbage where it holds none, or the server's complaint."""
    try:
        chunk = msgspec.json.decode(data, type=_Chunk)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise MalformedResponse(f"it sends what is no piece of an answer: {extract_first_line(data)!r}") from error
    if chunk.choices is None:
        raise MalformedResponse(
            f"it gave up: {extract_error_message(data)}" if chunk.error or chunk.message else "it sends no choices"
        )
    text = "".join(choice.delta.content or "" for choice in chunk.choices[:1])
    return text, any(choice.finish_reason is not None for choice in chunk.choices[:1])


def parse_first_token_probabilities(body: str) -> dict[str, float]:
    """The words with which an answer may begin, as the server weighs them: lower case, probabilities. Where it does not
    weigh, the one with which it begins. Garbage where it holds no answer."""
    try:
        choices = msgspec.json.decode(body, type=_Chunk).choices
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise MalformedResponse(f"it sends what is no answer: {extract_first_line(body)!r}") from error
    if not choices:
        raise MalformedResponse(f"it sends no answer: {extract_error_message(body)}")
    token_logprobs = choices[0].logprobs.content if choices[0].logprobs else None
    if not token_logprobs:
        return {_normalize_token(choices[0].message.content or ""): 1.0}
    words: dict[str, float] = {}
    for one in token_logprobs[0].top_logprobs:
        words[_normalize_token(one.token)] = words.get(_normalize_token(one.token), 0.0) + math.exp(
            min(one.logprob, 0.0)
        )
    return words


def _normalize_token(token: str) -> str:
    return token.strip(" \n.,!").casefold()


def extract_error_message(body: str) -> str:
    """The first line of what a server says went wrong, in one of the forms that there are; empty where it is a page."""
    try:
        said = msgspec.json.decode(body, type=_Chunk)
    except (msgspec.MsgspecError, UnicodeError):
        return "" if body.lstrip().startswith("<") else extract_first_line(body)
    problem = said.error.message if isinstance(said.error, _ErrorBody) else said.error
    return extract_first_line(problem or said.message or "")


def parse_first_model(body: str) -> str:
    """The name of the first model in a list of them. Garbage where there is none."""
    try:
        models = msgspec.json.decode(body, type=_ModelList).data
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise MalformedResponse(f"its list of models cannot be read: {extract_first_line(body)!r}") from error
    if not models:
        raise MalformedResponse("it has no model")
    return models[0].id


def extract_first_line(text: str, max_chars: int = 200) -> str:
    """The first line that says something, cut to a length that can be shown."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return next((line[:max_chars] for line in lines if line), "")
