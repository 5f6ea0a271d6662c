"""Fake of vLLM's chat completions server: checks requests against the documented forms, fails as a test tells it."""

from __future__ import annotations

import base64
import io
import json
import math
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from PIL import Image

_MEDIA_TYPES = {"image_url", "video_url", "image_embeds"}
_STREAM_REQUEST_FIELDS = {"model", "messages", "stream", "temperature", "max_tokens"}
_LOGPROBS_REQUEST_FIELDS = _STREAM_REQUEST_FIELDS | {"logprobs", "top_logprobs"}


@dataclass
class FakeVllm:
    """Settings and records of the server.

    `fault` names how it fails, `dropped_connections` how many connections it drops first. `first_token_probabilities`
    are given where a request asks for them, None: not given; `first_token` is the token that is generated then.
    Requests above `max_images`, `max_videos`, `max_request_bytes` or `context_chars` (of text) are refused in vLLM's
    words, or in those of a proxy before it.
    Events: `asked`, a request has come; `streaming`, the chunks of an answer are sent; `client_gone`, a client went
    away in the middle of an answer; `stopping`, the server is about to end. `violations` are requests without the
    documented form. `close_port` ends new connections and leaves those that are open, as a server that stops does.
    """

    chunks: list[str] = field(default_factory=lambda: ["A dog runs ", "[F1]. A cat sle", "eps [I1]."])
    json_chunks: list[str] = field(default_factory=lambda: ['{"animals": ["do', 'g", "cat"]}'])
    fault: str = ""
    status: int = 200
    body: str = ""
    models_body: str = '{"object": "list", "data": [{"id": "first-model"}, {"id": "second"}]}'
    first_token_probabilities: dict[str, float] | None = field(
        default_factory=lambda: {"Yes": 0.6, " yes": 0.2, "No": 0.1, "I": 0.1}
    )
    first_token: str = "Yes"
    dropped_connections: int = 0
    api_key: str = ""
    authorization: str = ""
    max_images: int = 16
    max_videos: int = 64
    max_request_bytes: int = 1 << 30
    context_chars: int = 1 << 30
    hidden_size: int = 8
    url: str = ""
    attempts: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    traceparents: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    streaming: threading.Event = field(default_factory=threading.Event)
    client_gone: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    close_port: Callable[[], None] = lambda: None

    @property
    def generator_settings(self) -> dict[str, str]:
        """Settings of a container that asks this server.

        None of its limits ends an answer of fault `slow`: a million tokens may be 64 million characters, and the
        server sends 200 a second.
        """
        return {
            "generator__kind": "openai_compatible",
            "generator__url": self.url,
            "generator__quote_text": "false",
            "generator__max_output_tokens": "1000000",
        }

    @property
    def last_user_parts(self) -> list[dict[str, Any]]:
        """Return the parts of the last request's user message."""
        return list(self.requests[-1]["messages"][1]["content"])

    @property
    def last_user_texts(self) -> list[str]:
        """Return the texts of the last request's user message."""
        return [part["text"] for part in self.last_user_parts if part["type"] == "text"]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (as the library has it)
        """Pass over clients that go away, which is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def run_fake_vllm(**settings: Any) -> Iterator[FakeVllm]:  # noqa: ANN401 (fields of FakeVllm)
    """Run the server; requests without the documented form fail the test at the end."""
    fake = FakeVllm(**settings)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": fake}))
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"

    def close_port() -> None:
        server.shutdown()
        server.socket.close()

    fake.close_port = close_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield fake
    finally:
        fake.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()
    assert fake.violations == []


def decode_jpegs(part: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
    """Decode the pictures of a media part."""
    head, _, data = part[part["type"]]["url"].partition(";base64,")
    assert head == {"image_url": "data:image/jpeg", "video_url": "data:video/jpeg"}[part["type"]]
    pictures = []
    for encoded in data.split(","):
        with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as picture:
            assert picture.format == "JPEG"
            pictures.append(np.asarray(picture.convert("RGB")))
    return pictures


def load_tensor(part: dict[str, Any]) -> torch.Tensor:
    """Load the visual tokens of a part."""
    data = base64.b64decode(part["image_embeds"], validate=True)
    loaded = torch.load(io.BytesIO(data), weights_only=True)
    assert isinstance(loaded, torch.Tensor)
    return loaded


def _check_request(request: dict[str, Any], fake: FakeVllm) -> None:
    if "logprobs" in request:
        assert (
            set(request) == _LOGPROBS_REQUEST_FIELDS
            and request["logprobs"] is True
            and 1 <= request["top_logprobs"] <= 20
        )
        assert request["stream"] is False and request["max_tokens"] == 1
    else:
        assert set(request) - {"response_format"} == _STREAM_REQUEST_FIELDS and request["stream"] is True
    assert request["temperature"] == 0
    system, user = request["messages"]
    assert (system["role"], user["role"]) == ("system", "user") and isinstance(system["content"], str)
    parts = user["content"]
    kinds = [part["type"] for part in parts]
    assert set(kinds) <= _MEDIA_TYPES | {"text"} and kinds[0] == kinds[-1] == "text"
    assert not {"image_url", "image_embeds"} <= set(kinds), "Mixing raw image and embedding inputs is not allowed"
    for before, part in pairwise(parts):
        _check_part(part, before, fake)


def _check_part(part: dict[str, Any], before: dict[str, Any], fake: FakeVllm) -> None:
    if part["type"] == "text":
        assert set(part) == {"type", "text"} and part["text"] and "<image>" not in part["text"]
        return
    assert set(part) == {"type", part["type"], "uuid"} and len(part["uuid"]) == 64
    assert before["type"] == "text" and before["text"].endswith("]"), "media stands after its header"
    if part["type"] == "image_embeds":
        assert load_tensor(part).ndim == 2 and load_tensor(part).shape[1] == fake.hidden_size
    else:
        np.stack(decode_jpegs(part))


def _find_refusal(request: dict[str, Any], size: int, fake: FakeVllm) -> tuple[int, str] | None:
    """Return status and words in which a request that is too large is refused."""
    parts = request["messages"][1]["content"]
    kinds = [part["type"] for part in parts]
    chars = sum(len(part["text"]) for part in parts if part["type"] == "text")
    if size > fake.max_request_bytes:
        return 413, "client intended to send too large body"
    if kinds.count("image_url") + kinds.count("image_embeds") > fake.max_images:
        return 400, f"At most {fake.max_images} image(s) may be provided in one prompt."
    if kinds.count("video_url") > fake.max_videos:
        return 400, f"At most {fake.max_videos} video(s) may be provided in one prompt."
    if chars > fake.context_chars:
        return 400, "This model's maximum context length is 8192 tokens. However, you requested 512 output tokens"
    return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeVllm

    def log_message(self, format: str, *args: object) -> None:
        """Write no log."""

    def do_GET(self) -> None:
        assert self.path == "/v1/models"
        self.fake.traceparents.append(self.headers["traceparent"] or "")
        self._send_body(200, self.fake.models_body)

    def do_POST(self) -> None:
        self.fake.attempts += 1
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.fake.attempts <= self.fake.dropped_connections:
            self._reset_connection()
            return
        request = json.loads(body)
        self.fake.requests.append(request)
        self.fake.asked.set()
        expected = self.fake.authorization or (self.fake.api_key and f"Bearer {self.fake.api_key}")
        if expected and self.headers["authorization"] != expected:
            self._send_problem(401, f"Unauthorized {self.headers['authorization']}")
            return
        try:
            assert self.path == "/v1/chat/completions" and self.headers["content-type"] == "application/json"
            _check_request(request, self.fake)
        except Exception as error:  # noqa: BLE001 (whatever is wrong with it)
            self.fake.violations.append(repr(error))
        if refusal := _find_refusal(request, len(body), self.fake):
            self._send_problem(*refusal)
        else:
            self._send_answer()

    def _send_answer(self) -> None:
        fake = self.fake
        if fake.fault == "silence":
            fake.stopping.wait()
        elif fake.status != 200:
            self._send_body(fake.status, fake.body) if fake.body else self._send_problem(fake.status, "it went\nwrong")
        elif fake.fault in ("page", "json"):
            self._send_body(200, "<html>hello</html>", {"page": "text/html", "json": "application/json"}[fake.fault])
        elif not fake.requests[-1]["stream"]:
            self._send_logprobs()
        else:
            self._send_stream()

    def _send_logprobs(self) -> None:
        choice: dict[str, Any] = {
            "message": {"role": "assistant", "content": self.fake.first_token},
            "finish_reason": "length",
        }
        if (probabilities := self.fake.first_token_probabilities) is not None:
            top = [{"token": token, "logprob": math.log(share)} for token, share in probabilities.items()]
            choice["logprobs"] = {"content": [{"token": self.fake.first_token, "logprob": -0.1, "top_logprobs": top}]}
        self._send_body(200, json.dumps({"choices": [choice]}), "application/json")

    def _send_stream(self) -> None:
        try:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream; charset=utf-8")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self._send_event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
            wants_json = "response_format" in self.fake.requests[-1]
            for chunk in self.fake.json_chunks if wants_json else self.fake.chunks:
                self._send_event({"choices": [{"index": 0, "delta": {"content": chunk}, "finish_reason": None}]})
            self.fake.streaming.set()
            self._finish_stream()
        except OSError:
            self.fake.client_gone.set()
            self.close_connection = True

    def _finish_stream(self) -> None:
        match self.fake.fault:
            case "stall":
                self.fake.stopping.wait()
            case "drip":
                while not self.fake.stopping.wait(0.02):
                    self._send_chunk(b":\n")
            case "slow":
                while not self.fake.stopping.wait(0.02):
                    self._send_event({"choices": [{"index": 0, "delta": {"content": "and "}}]})
            case "endless":
                while not self.fake.stopping.wait(0.001):
                    self._send_event({"choices": [{"index": 0, "delta": {"content": "and so on " * 30}}]})
            case "death":
                self._reset_connection()
            case "early end":
                self._send_chunk(b"")
            case "complaint":
                self._send_event({"error": {"message": "CUDA out of memory\nTraceback", "code": 500}})
            case "no choices":
                self._send_event({"id": "x"})
            case "garbage":
                self._send_chunk(b"\x00\xff hello\n")
            case "no json":
                self._send_chunk(b"data: {hello\n\n")
            case "long line":
                self._send_chunk(b"data: " + b"x" * (3 << 20))
            case _:
                self._send_event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
                self._send_event({"choices": [], "usage": {"prompt_tokens": 7}})
                self._send_chunk(b"data: [DONE]\n\n")
                self._send_chunk(b"")

    def _send_event(self, value: object) -> None:
        self._send_chunk(f"data: {json.dumps(value)}\n\n".encode())

    def _send_chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _send_problem(self, status: int, message: str) -> None:
        self._send_body(status, json.dumps({"error": {"message": message, "type": "X", "param": None, "code": status}}))

    def _send_body(self, status: int, body: str, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def _reset_connection(self) -> None:
        """Drop the connection as a killed server does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()
        self.close_connection = True
