"""HTTP client of an OpenAI-compatible server: streamed chat completions, first-token probabilities, list of models."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager

import httpx2
import msgspec

from services.cancellation import raise_if_cancelled
from services.egress.server_sent_events import EventStreamParser, EventTooLarge, ServerSentEventFields
from services.generators.errors import GeneratorUnavailable, RequestRejected
from services.generators.openai_compatible.responses import (
    MalformedResponse,
    extract_error_message,
    extract_first_line,
    parse_chunk,
    parse_first_model,
    parse_first_token_probabilities,
)
from services.generators.openai_compatible.silence_watch import SilenceWatch
from services.tracing import current_traceparent

_CONNECT_BACKOFF_S = (0.2, 0.6)
"""Chosen: waits before the second and the third try of a connection; a server that restarts longer than that is an
error the user should see rather than wait for."""
_CONNECT_TIMEOUT_S = 10.0
"""Chosen: a model server is near, so that a longer wait means a wrong address; the answer itself may take longer."""
_MAX_CHARS_PER_TOKEN = 64
"""Chosen: far above any token's length, so that only a server that ignores `max_tokens` reaches it."""
_MAX_BODY_CHARS = 1 << 20
"""Chosen: bounds the memory of one response; lists of models and answers of one token are far smaller."""
_REJECTIONS = frozenset({400, 404, 413, 422})
"""Form: status codes of a server that would take another request."""
_STOPPING = "it fell silent and takes no connections any more: it is stopping, or was stopped"
"""Form: reason where the watch ended a request."""
_MAX_EVENT_BYTES = 1 << 20
"""Chosen: bounds the memory of one event of a stream; a chunk holds one token or a few."""


class ChatClient:
    """Client of the server at `url` (the part before `/chat/completions`).

    A request fails after `timeout_s` without any text. `authorization` is the whole header of that name, in place of
    the API key. Every error is a GeneratorUnavailable of one line that names the URL and the reason, never the key; it
    is a RequestRejected where another request may be taken. No other address is contacted: no proxy of the environment,
    no redirects.
    """

    def __init__(self, url: str, api_key: str, timeout_s: float, authorization: str = "") -> None:
        self._url, self._timeout_s = url, timeout_s
        self._authorization = authorization or (f"Bearer {api_key}" if api_key else "")

    def fetch_first_model(self) -> str:
        """Return the name of the server's first model, which is mostly its only one."""
        with self._request("GET", "/models") as (response, _):
            return parse_first_model(self._read_body(response))

    def stream(self, request: Mapping[str, object], max_tokens: int) -> Generator[str, None, None]:
        """Yield the answer piece by piece as it arrives. Closing the iterator closes the connection."""
        with self._request("POST", "/chat/completions", msgspec.json.encode(request)) as (response, watch):
            kind = response.headers.get("content-type", "nothing")
            if not kind.startswith("text/event-stream"):
                raise MalformedResponse(f"it answered with {kind}, not with a stream of events")
            yield from self._read_stream(response, watch, max_tokens * _MAX_CHARS_PER_TOKEN)

    def first_token_probabilities(self, request: Mapping[str, object]) -> dict[str, float]:
        """Return the probability of each candidate for the first token of the answer, by the token in lower case."""
        with self._request("POST", "/chat/completions", msgspec.json.encode(request)) as (response, _):
            return parse_first_token_probabilities(self._read_body(response))

    def _read_stream(self, response: httpx2.Response, watch: SilenceWatch, max_chars: int) -> Iterator[str]:
        """Yield the texts of a streamed answer.

        Errors: Cancelled; MalformedResponse, also for a stream that ends before the answer is finished, does not end,
        or sends bytes but no text for `timeout_s`.
        """
        finished, last_text_at = False, time.monotonic()
        parser = EventStreamParser(max_event_bytes=_MAX_EVENT_BYTES, on_unknown_field=_reject_line)
        for received in response.iter_bytes():
            watch.heard()
            for event in _parse_events(parser, received):
                if event.data.strip() == "[DONE]":
                    return
                text, last = parse_chunk(event.data)
                finished = finished or last
                max_chars -= len(text)
                if max_chars < 0:
                    raise MalformedResponse("its answer does not end")
                if text:
                    yield text
                    last_text_at = time.monotonic()
            raise_if_cancelled()  # keep-alive comments are no text, at which the generator would look
            self._raise_if_stalled(last_text_at)
        if not finished:
            raise MalformedResponse("it broke off in the middle of the answer")

    @contextmanager
    def _request(
        self, method: str, path: str, body: bytes | None = None
    ) -> Iterator[tuple[httpx2.Response, SilenceWatch]]:
        """Yield the response to a request, its body not yet read, and its watch, which is told what arrives.

        Errors: GeneratorUnavailable for any failure.
        """
        timeout = httpx2.Timeout(self._timeout_s, connect=min(self._timeout_s, _CONNECT_TIMEOUT_S))
        watch = SilenceWatch(self._url)
        try:
            with watch, httpx2.Client(headers=self._headers(), timeout=timeout, trust_env=False) as client:
                extensions = {"trace": watch.trace}
                request = client.build_request(method, self._url + path, content=body, extensions=extensions)
                response = _send_with_retry(client, request)
                try:
                    if response.status_code in _REJECTIONS:
                        message = self._locate(self._describe_refusal(response))
                        raise RequestRejected(message, response.status_code)
                    if response.status_code != httpx2.codes.OK:
                        raise MalformedResponse(self._describe_refusal(response))
                    yield response, watch
                finally:
                    response.close()
        except (MalformedResponse, httpx2.HTTPError, httpx2.InvalidURL) as error:
            reason = _STOPPING if watch.found_closed else self._describe_error(error)
            raise GeneratorUnavailable(self._locate(reason)) from None

    def _headers(self) -> dict[str, str]:
        """Return the headers of every request."""
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if traceparent := current_traceparent():
            headers["traceparent"] = traceparent
        return headers | ({"authorization": self._authorization} if self._authorization else {})

    def _describe_refusal(self, response: httpx2.Response) -> str:
        """Return the reason of a response whose status is not 200, with the setting that may help."""
        reason = extract_error_message(self._read_body(response)) or response.reason_phrase
        match response.status_code:
            case 401 | 403:
                return f"it refuses the key ({reason}); set AFTERIMAGE_GENERATOR__API_KEY or __AUTHORIZATION"
            case 404:
                return (
                    f"it does not know the model or the address ({reason}); see AFTERIMAGE_GENERATOR__MODEL and __URL"
                )
            case 408 | 504:
                return f"a proxy before it waited no longer ({reason}); raise the proxy's read timeout"
            case 429:
                return f"it is asked too often ({reason})"
            case status:
                return f"it answered {status} ({reason})"

    def _read_body(self, response: httpx2.Response) -> str:
        """Return the whole body. Errors: MalformedResponse for one that takes too long or is too large."""
        started_at, body = time.monotonic(), ""
        for received in response.iter_text():
            body += received
            self._raise_if_stalled(started_at)
            if len(body) > _MAX_BODY_CHARS:
                raise MalformedResponse("it sends a body without end")
        return body

    def _raise_if_stalled(self, last_received_at: float) -> None:
        """Raise MalformedResponse if the last progress is more than `timeout_s` ago."""
        if time.monotonic() - last_received_at > self._timeout_s:
            raise MalformedResponse(self._stall_message())

    def _stall_message(self) -> str:
        """Return the error message for a server that is silent, or sends bytes but no text."""
        return f"it said nothing for {self._timeout_s:g} s (AFTERIMAGE_GENERATOR__TIMEOUT_S)"

    def _describe_error(self, error: Exception) -> str:
        """Return the reason of a failed request in words."""
        match error:
            case httpx2.ConnectTimeout():
                return f"cannot be reached within {min(self._timeout_s, _CONNECT_TIMEOUT_S):g} s"
            case httpx2.ConnectError():
                return f"cannot be reached ({extract_first_line(str(error))})"
            case httpx2.TimeoutException():
                return self._stall_message()
            case httpx2.HTTPError():
                return f"the connection broke off ({extract_first_line(str(error)) or type(error).__name__})"
        return str(error)

    def _locate(self, reason: str) -> str:
        """Return the error message of a reason, the key in it replaced, which servers like to quote."""
        key = self._authorization.rpartition(" ")[2]
        message = f"{self._url}: {reason}"
        return message.replace(key, "…") if key else message


def _parse_events(parser: EventStreamParser, received: bytes) -> Iterator[ServerSentEventFields]:
    """Yield the events that these bytes complete. Errors: MalformedResponse."""
    try:
        yield from parser.feed(received)
    except EventTooLarge as error:
        raise MalformedResponse("it sends a line without end") from error


def _reject_line(line: str) -> None:
    """Raise MalformedResponse for a line that is not of an event stream, such as a page of HTML in place of one."""
    if line.strip():
        raise MalformedResponse(f"it sends what is no stream of events: {extract_first_line(line)!r}")


def _send_with_retry(client: httpx2.Client, request: httpx2.Request) -> httpx2.Response:
    """Return the response with its body unread, after up to three tries.

    Only a connection that failed before the response began is tried again, never a timeout: the server may be at work.
    """
    for wait_s in _CONNECT_BACKOFF_S:
        try:
            return client.send(request, stream=True)
        except (httpx2.NetworkError, httpx2.RemoteProtocolError):
            time.sleep(wait_s)
    return client.send(request, stream=True)
