"""Decoders of an OpenAI-compatible server's responses: chunks of an answer, log probabilities, models, errors."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from services.generators.entailment import weigh_yes

_TOKEN_EDGE = " \t\n.,!:;*'\"“”‘’«»▁Ġ"
"""Form: what may stand around a word in one token; the last two are spaces in SentencePiece and byte-level BPE."""


class MalformedResponse(Exception):
    """The server's response cannot be used; the message says why, and becomes that of a GeneratorUnavailable."""


class _Delta(msgspec.Struct):
    """Text of a chunk or of a whole message."""

    content: str | None = None


class _TopLogprob(msgspec.Struct):
    """Log probability of one candidate token."""

    token: str
    logprob: float


class _TokenLogprobs(msgspec.Struct):
    """Candidates for one position of the answer."""

    top_logprobs: list[_TopLogprob] = []


class _Logprobs(msgspec.Struct):
    """Log probabilities of an answer, position by position."""

    content: list[_TokenLogprobs] | None = None


class _Choice(msgspec.Struct):
    """One of the answers of a response; `delta` in a stream, `message` outside of one."""

    delta: _Delta = msgspec.field(default_factory=_Delta)
    message: _Delta = msgspec.field(default_factory=_Delta)
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None


class _ErrorBody(msgspec.Struct):
    """Error object of the OpenAI form."""

    message: str = ""


class _Chunk(msgspec.Struct):
    """Chat completion or chunk of one, or an error in any of three forms (object, string, top-level message)."""

    choices: list[_Choice] | None = None
    error: _ErrorBody | str | None = None
    message: str | None = None


class _Model(msgspec.Struct):
    """Entry of a list of models."""

    id: str


class _ModelList(msgspec.Struct):
    """Body of `GET /models`."""

    data: list[_Model]


def parse_chunk(data: str) -> tuple[str, bool]:
    """Return the text of one chunk of a streamed answer, and True if it is the last chunk.

    Errors: MalformedResponse for data that is no chunk, or that is an error of the server.
    """
    try:
        chunk = msgspec.json.decode(data, type=_Chunk)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise MalformedResponse(f"it sends an invalid piece of an answer: {extract_first_line(data)!r}") from error
    if chunk.choices is None:
        raise MalformedResponse(
            f"it gave up: {extract_error_message(data)}" if chunk.error or chunk.message else "it sends no choices"
        )
    text = "".join(choice.delta.content or "" for choice in chunk.choices[:1])
    return text, any(choice.finish_reason is not None for choice in chunk.choices[:1])


def weigh_first_tokens(probabilities: Mapping[str, float]) -> float | None:
    """Return the probability of yes against no by the candidates for the first token, as words in lower case.

    A tokenizer may split the words, so that `n` stands for no as well. None where yes and no together are unlikely: the
    model does not answer the question.
    """
    yes, no = (
        sum(share for token, share in probabilities.items() if token and word.startswith(token))
        for word in ("yes", "no")
    )
    return weigh_yes(yes, no)


def parse_first_token_probabilities(body: str) -> dict[str, float]:
    """Return the probability of each candidate for the first token of an answer, by the token in lower case.

    A server that gives no log probabilities gives its answer alone, which then has the probability 1.
    Errors: MalformedResponse for a body without an answer.
    """
    try:
        choices = msgspec.json.decode(body, type=_Chunk).choices
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise MalformedResponse(f"it sends an invalid answer: {extract_first_line(body)!r}") from error
    if not choices:
        raise MalformedResponse(f"it sends no answer: {extract_error_message(body)}")
    token_logprobs = choices[0].logprobs.content if choices[0].logprobs else None
    if not token_logprobs:
        return {_normalize_token(choices[0].message.content or ""): 1.0}
    probabilities: dict[str, float] = {}
    for candidate in token_logprobs[0].top_logprobs:
        token = _normalize_token(candidate.token)
        probabilities[token] = probabilities.get(token, 0.0) + math.exp(min(candidate.logprob, 0.0))
    return probabilities


def _normalize_token(token: str) -> str:
    """Return the token without spaces, marks for spaces, quotes and punctuation around it, in lower case."""
    return token.strip(_TOKEN_EDGE).casefold()


def extract_error_message(body: str) -> str:
    """Return the first line of a server's error message, in any of its known forms; empty for an HTML page."""
    try:
        chunk = msgspec.json.decode(body, type=_Chunk)
    except (msgspec.MsgspecError, UnicodeError):
        return "" if body.lstrip().startswith("<") else extract_first_line(body)
    message = chunk.error.message if isinstance(chunk.error, _ErrorBody) else chunk.error
    return extract_first_line(message or chunk.message or "")


def parse_first_model(body: str) -> str:
    """Return the name of the first model in a list of models. Errors: MalformedResponse where there is none."""
    try:
        models = msgspec.json.decode(body, type=_ModelList).data
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise MalformedResponse(f"its list of models cannot be read: {extract_first_line(body)!r}") from error
    if not models:
        raise MalformedResponse("it has no model")
    return models[0].id


def extract_first_line(text: str, max_chars: int = 200) -> str:
    """Return the first line that is not blank, its spaces collapsed, cut to a length that fits an error message."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return next((line[:max_chars] for line in lines if line), "")
