"""`Server`: one question to an OpenAI-compatible server, its answer piece by piece, and every way that can fail."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager

import httpx2
import msgspec

from services.generators.errors import GeneratorUnavailable
from services.generators.openai_compatible.sse import (
    MalformedResponse,
    SseDecoder,
    extract_error_message,
    extract_first_line,
    parse_chunk,
    parse_first_model,
    parse_first_token_probabilities,
)

_CONNECT_BACKOFF_S = (0.2, 0.6)
"""Before each further try, where no connection came about."""
_CONNECT_TIMEOUT_S = 10.0
_MAX_CHARS_PER_TOKEN = 64
_MAX_BODY_CHARS = 1 << 20


class ChatClient:
    """The server at `url` (that which `/chat/completions` is under), given up after `timeout_s` without a word.

    Every error is a GeneratorUnavailable of one line that names the URL and what happened, never the key. Nothing but
    this URL is spoken to: no proxy of the environment, no redirects.
    """

    def __init__(self, url: str, api_key: str, timeout_s: float) -> None:
        self._url, self._api_key, self._timeout_s = url, api_key, timeout_s

    def fetch_first_model(self) -> str:
        """The name of the server's only model, or of its first."""
        with self._request("GET", "/models") as response:
            return parse_first_model(self._read_body(response))

    def stream(self, request: Mapping[str, object], max_tokens: int) -> Generator[str, None, None]:
        """The pieces of the answer as they come. Closing the iterator closes the connection."""
        with self._request("POST", "/chat/completions", msgspec.json.encode(request)) as response:
            kind = response.headers.get("content-type", "nothing")
            if not kind.startswith("text/event-stream"):
                raise MalformedResponse(f"it answered with {kind}, not with a stream of events")
            yield from self._read_stream(response, max_tokens * _MAX_CHARS_PER_TOKEN)

    def first_token_probabilities(self, request: Mapping[str, object]) -> dict[str, float]:
        """With which words the answer may begin, and how likely each is."""
        with self._request("POST", "/chat/completions", msgspec.json.encode(request)) as response:
            return parse_first_token_probabilities(self._read_body(response))

    def _read_stream(self, response: httpx2.Response, max_chars: int) -> Iterator[str]:
        """Errors: Garbage, also for a stream that ends without being finished, or does not end, or drips."""
        events, finished, last_text_at = SseDecoder(), False, time.monotonic()
        for received in response.iter_text():
            for data in events.feed(received):
                if data == "[DONE]":
                    return
                text, last = parse_chunk(data)
                finished = finished or last
                max_chars -= len(text)
                if max_chars < 0:
                    raise MalformedResponse("its answer does not end")
                if text:
                    yield text
                    last_text_at = time.monotonic()
            self._raise_if_stalled(last_text_at)
        if not finished:
            raise MalformedResponse("it broke off in the middle of the answer")

    @contextmanager
    def _request(self, method: str, path: str, body: bytes | None = None) -> Iterator[httpx2.Response]:
        timeout = httpx2.Timeout(self._timeout_s, connect=min(self._timeout_s, _CONNECT_TIMEOUT_S))
        try:
            with httpx2.Client(headers=self._headers(), timeout=timeout, trust_env=False) as client:
                response = _send_with_retry(client, client.build_request(method, self._url + path, content=body))
                try:
                    if response.status_code != httpx2.codes.OK:
                        raise MalformedResponse(self._describe_refusal(response))
                    yield response
                finally:
                    response.close()
        except (MalformedResponse, httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise GeneratorUnavailable(self._redact_key(f"{self._url}: {self._describe_error(error)}")) from None

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        return headers | ({"authorization": f"Bearer {self._api_key}"} if self._api_key else {})

    def _describe_refusal(self, response: httpx2.Response) -> str:
        reason = extract_error_message(self._read_body(response)) or response.reason_phrase
        match response.status_code:
            case 401 | 403:
                return f"it refuses the key ({reason}); set AFTERIMAGE_GENERATOR__API_KEY"
            case 404:
                return (
                    f"it does not know the model or the address ({reason}); see AFTERIMAGE_GENERATOR__MODEL and __URL"
                )
            case status:
                return f"it answered {status} ({reason})"

    def _read_body(self, response: httpx2.Response) -> str:
        started_at, body = time.monotonic(), ""
        for received in response.iter_text():
            body += received
            self._raise_if_stalled(started_at)
            if len(body) > _MAX_BODY_CHARS:
                raise MalformedResponse("it sends a body without end")
        return body

    def _raise_if_stalled(self, last_received_at: float) -> None:
        if time.monotonic() - last_received_at > self._timeout_s:
            raise MalformedResponse(self._stall_message())

    def _stall_message(self) -> str:
        return f"it said nothing for {self._timeout_s:g} s (AFTERIMAGE_GENERATOR__TIMEOUT_S)"

    def _describe_error(self, error: Exception) -> str:
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

    def _redact_key(self, line: str) -> str:
        return line.replace(self._api_key, "…") if self._api_key else line


def _send_with_retry(client: httpx2.Client, request: httpx2.Request) -> httpx2.Response:
    """The beginning of the response; tried again where the connection failed before there was one, never after a
    timeout."""
    for wait_s in _CONNECT_BACKOFF_S:
        try:
            return client.send(request, stream=True)
        except (httpx2.NetworkError, httpx2.RemoteProtocolError):
            time.sleep(wait_s)
    return client.send(request, stream=True)
