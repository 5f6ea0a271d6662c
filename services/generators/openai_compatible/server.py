"""`Server`: one question to an OpenAI-compatible server, its answer piece by piece, and every way that can fail."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager

import httpx2
import msgspec

from indexer.errors import GeneratorUnavailable
from services.generators.openai_compatible.events import (
    Events,
    Garbage,
    complaint,
    first_line,
    first_model,
    first_words,
    piece,
)

_WAITS_S = (0.2, 0.6)
"""Before each further try, where no connection came about."""
_CONNECT_S = 10.0
_CHARS_PER_TOKEN = 64
_LONGEST_BODY = 1 << 20


class Server:
    """The server at `url` (that which `/chat/completions` is under), given up after `timeout_s` without a word.

    Every error is a GeneratorUnavailable of one line that names the URL and what happened, never the key. Nothing but
    this URL is spoken to: no proxy of the environment, no redirects.
    """

    def __init__(self, url: str, api_key: str, timeout_s: float) -> None:
        self._url, self._key, self._timeout_s = url, api_key, timeout_s

    def first_model(self) -> str:
        """The name of the server's only model, or of its first."""
        with self._answer("GET", "/models") as response:
            return first_model(self._whole(response))

    def said(self, request: Mapping[str, object], max_tokens: int) -> Generator[str, None, None]:
        """The pieces of the answer as they come. Closing the iterator closes the connection."""
        with self._answer("POST", "/chat/completions", msgspec.json.encode(request)) as response:
            kind = response.headers.get("content-type", "nothing")
            if not kind.startswith("text/event-stream"):
                raise Garbage(f"it answered with {kind}, not with a stream of events")
            yield from self._pieces(response, max_tokens * _CHARS_PER_TOKEN)

    def weighed(self, request: Mapping[str, object]) -> dict[str, float]:
        """With which words the answer may begin, and how likely each is."""
        with self._answer("POST", "/chat/completions", msgspec.json.encode(request)) as response:
            return first_words(self._whole(response))

    def _pieces(self, response: httpx2.Response, longest: int) -> Iterator[str]:
        """Errors: Garbage, also for a stream that ends without being finished, or does not end, or drips."""
        events, finished, heard = Events(), False, time.monotonic()
        for received in response.iter_text():
            for data in events.feed(received):
                if data == "[DONE]":
                    return
                text, last = piece(data)
                finished = finished or last
                longest -= len(text)
                if longest < 0:
                    raise Garbage("its answer does not end")
                if text:
                    yield text
                    heard = time.monotonic()
            self._not_stalled(heard)
        if not finished:
            raise Garbage("it broke off in the middle of the answer")

    @contextmanager
    def _answer(self, method: str, path: str, body: bytes | None = None) -> Iterator[httpx2.Response]:
        timeout = httpx2.Timeout(self._timeout_s, connect=min(self._timeout_s, _CONNECT_S))
        try:
            with httpx2.Client(headers=self._headers(), timeout=timeout, trust_env=False) as client:
                response = _sent(client, client.build_request(method, self._url + path, content=body))
                try:
                    if response.status_code != httpx2.codes.OK:
                        raise Garbage(self._refusal(response))
                    yield response
                finally:
                    response.close()
        except (Garbage, httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise GeneratorUnavailable(self._without_key(f"{self._url}: {self._reason(error)}")) from None

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        return headers | ({"authorization": f"Bearer {self._key}"} if self._key else {})

    def _refusal(self, response: httpx2.Response) -> str:
        said = complaint(self._whole(response)) or response.reason_phrase
        match response.status_code:
            case 401 | 403:
                return f"it refuses the key ({said}); set AFTERIMAGE_GENERATOR__API_KEY"
            case 404:
                return f"it does not know the model or the address ({said}); see AFTERIMAGE_GENERATOR__MODEL and __URL"
            case status:
                return f"it answered {status} ({said})"

    def _whole(self, response: httpx2.Response) -> str:
        begun, body = time.monotonic(), ""
        for received in response.iter_text():
            body += received
            self._not_stalled(begun)
            if len(body) > _LONGEST_BODY:
                raise Garbage("it sends a body without end")
        return body

    def _not_stalled(self, heard: float) -> None:
        if time.monotonic() - heard > self._timeout_s:
            raise Garbage(self._silence())

    def _silence(self) -> str:
        return f"it said nothing for {self._timeout_s:g} s (AFTERIMAGE_GENERATOR__TIMEOUT_S)"

    def _reason(self, error: Exception) -> str:
        match error:
            case httpx2.ConnectTimeout():
                return f"cannot be reached within {min(self._timeout_s, _CONNECT_S):g} s"
            case httpx2.ConnectError():
                return f"cannot be reached ({first_line(str(error))})"
            case httpx2.TimeoutException():
                return self._silence()
            case httpx2.HTTPError():
                return f"the connection broke off ({first_line(str(error)) or type(error).__name__})"
        return str(error)

    def _without_key(self, line: str) -> str:
        return line.replace(self._key, "…") if self._key else line


def _sent(client: httpx2.Client, request: httpx2.Request) -> httpx2.Response:
    """The beginning of the response; tried again where the connection failed before there was one, never after a
    timeout."""
    for wait_s in _WAITS_S:
        try:
            return client.send(request, stream=True)
        except (httpx2.NetworkError, httpx2.RemoteProtocolError):
            time.sleep(wait_s)
    return client.send(request, stream=True)
