"""What an OpenAI-compatible server says: lines of an event stream, pieces of an answer, complaints, models."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

_LONGEST_LINE = 1 << 20
_OTHER_FIELDS = (":", "event:", "id:", "retry:")


class Garbage(Exception):
    """An answer that is none; the message says why, and becomes that of a GeneratorUnavailable."""


class _Delta(msgspec.Struct):
    content: str | None = None


class _Weight(msgspec.Struct):
    token: str
    logprob: float


class _Token(msgspec.Struct):
    top_logprobs: list[_Weight] = []


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    message: _Delta = msgspec.field(default_factory=_Delta)
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None


class _Problem(msgspec.Struct):
    message: str = ""


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    error: _Problem | str | None = None
    message: str | None = None


class _Model(msgspec.Struct):
    id: str


class _ModelList(msgspec.Struct):
    data: list[_Model]


class Events:
    """Cuts a stream of server-sent events into the values of its `data:` lines; these servers send one an event."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> Iterator[str]:
        """The values that are complete with this text. Garbage where it is no such stream."""
        *lines, self._held = (self._held + text).split("\n")
        if len(self._held) > _LONGEST_LINE:
            raise Garbage("it sends a line without end")
        for line in lines:
            if line.startswith("data:"):
                yield line.removeprefix("data:").strip()
            elif line.strip() and not line.startswith(_OTHER_FIELDS):
                raise Garbage(f"it sends what is no stream of events: {first_line(line)!r}")


def piece(data: str) -> tuple[str, bool]:
    """The words of one event, and whether they are the last. Garbage where it holds none, or the server's complaint."""
    try:
        chunk = msgspec.json.decode(data, type=_Chunk)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Garbage(f"it sends what is no piece of an answer: {first_line(data)!r}") from error
    if chunk.choices is None:
        raise Garbage(f"it gave up: {complaint(data)}" if chunk.error or chunk.message else "it sends no choices")
    text = "".join(choice.delta.content or "" for choice in chunk.choices[:1])
    return text, any(choice.finish_reason is not None for choice in chunk.choices[:1])


def first_words(body: str) -> dict[str, float]:
    """The words with which an answer may begin, as the server weighs them: lower case, probabilities. Where it does not
    weigh, the one with which it begins. Garbage where it holds no answer."""
    try:
        choices = msgspec.json.decode(body, type=_Chunk).choices
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Garbage(f"it sends what is no answer: {first_line(body)!r}") from error
    if not choices:
        raise Garbage(f"it sends no answer: {complaint(body)}")
    weighed = choices[0].logprobs.content if choices[0].logprobs else None
    if not weighed:
        return {_plain(choices[0].message.content or ""): 1.0}
    words: dict[str, float] = {}
    for one in weighed[0].top_logprobs:
        words[_plain(one.token)] = words.get(_plain(one.token), 0.0) + math.exp(min(one.logprob, 0.0))
    return words


def _plain(word: str) -> str:
    return word.strip(" \n.,!").casefold()


def complaint(body: str) -> str:
    """The first line of what a server says went wrong, in one of the forms that there are; empty where it is a page."""
    try:
        said = msgspec.json.decode(body, type=_Chunk)
    except (msgspec.MsgspecError, UnicodeError):
        return "" if body.lstrip().startswith("<") else first_line(body)
    problem = said.error.message if isinstance(said.error, _Problem) else said.error
    return first_line(problem or said.message or "")


def first_model(body: str) -> str:
    """The name of the first model in a list of them. Garbage where there is none."""
    try:
        models = msgspec.json.decode(body, type=_ModelList).data
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Garbage(f"its list of models cannot be read: {first_line(body)!r}") from error
    if not models:
        raise Garbage("it has no model")
    return models[0].id


def first_line(text: str, longest: int = 200) -> str:
    """The first line that says something, cut to a length that can be shown."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return next((line[:longest] for line in lines if line), "")
