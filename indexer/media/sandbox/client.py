"""Sandboxed media decoding: hostile files are parsed in a child process with few privileges; a crash costs one file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, NoReturn, TypeAlias, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

import indexer
from indexer import errors, malloc_tuning
from indexer.media.sandbox import protocol
from indexer.media.sandbox.limits import MediaLimits
from indexer.media.video import SamplingPlan, VideoReport
from indexer.types import AudioSpan, Box, DocumentPage, Frame, MediaInfo, Pixels, TextLine

__all__ = ["FrameStream", "MediaLimits", "SandboxedDecoder"]

_F_SETPIPE_SZ = 1031  # Source: Linux, fcntl(2)
_PIPE_BYTES = 1 << 20  # Form: size of a pipe buffer (the limit of Linux without privileges); speed alone
_ENVIRONMENT_ALLOWLIST = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT", "HOME")
_ERRORS_BY_NAME = {
    kind.__name__: kind
    for kind in (
        errors.SourceNotFound,
        errors.UnsupportedMedia,
        errors.DamagedMedia,
        errors.ProtectedMedia,
        errors.LimitExceeded,
    )
}

_PARTIAL_REPLIES = (
    protocol.FrameReply,
    protocol.TileReply,
    protocol.PageReply,
    protocol.ClipChunkReply,
    protocol.HeartbeatReply,
)
"""Replies after which more follow."""

R = TypeVar("R", bound=protocol.Reply)
ReplyStream: TypeAlias = Generator[tuple[protocol.Reply, NDArray[np.uint8]], None, None]
ToPixels: TypeAlias = Callable[[NDArray[np.uint8], int, int], Pixels]


class SandboxedDecoder:
    """Client of one sandboxed media process, which serves one request at a time.

    The process is started with the first request, and again after it died. Not thread-safe. Errors of all methods:
    SourceNotFound, UnsupportedMedia, DamagedMedia (also where the decoder crashed), ProtectedMedia, LimitExceeded
    (memory, size, or no reply for `decode_timeout_s`); each names the path.
    """

    def __init__(self, limits: MediaLimits | None = None) -> None:
        self.limits = limits or MediaLimits()
        self._child: subprocess.Popen[bytes] | None = None
        self._request_number = 0
        self._busy = False

    def __enter__(self) -> SandboxedDecoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        return None if self._child is None else self._child.pid

    def probe(self, path: Path) -> MediaInfo:
        """Return kind, size and duration of a media file."""
        return self._fetch_reply(path, protocol.ProbeRequest(os.fsencode(path)), protocol.InfoReply)[0].info

    def read_frames(self, path: Path, plan: SamplingPlan) -> FrameStream:
        """Return a stream of the sampled frames, by time; closing it early ends the child."""
        replies = self._stream_replies(path, protocol.FramesRequest(os.fsencode(path), plan))
        return FrameStream(replies, partial(self._to_pixels, path))

    def read_audio(self, path: Path, start_s: float, end_s: float, sample_rate: int = 16_000) -> AudioSpan:
        """Return the mono audio of `[start_s, end_s)`, shorter where it ends before."""
        request = protocol.AudioRequest(os.fsencode(path), start_s, end_s, sample_rate)
        reply, payload = self._fetch_reply(path, request, protocol.AudioReply)
        return AudioSpan(reply.start_s, reply.sample_rate, payload[: len(payload) // 4 * 4].view(np.float32))

    def read_image(self, path: Path, max_px: int) -> Pixels:
        """Return the upright pixels of an image, the longer side at most `max_px`."""
        reply, payload = self._fetch_reply(path, protocol.ImageRequest(os.fsencode(path), max_px), protocol.ImageReply)
        return self._to_pixels(path, payload, reply.height, reply.width)

    def read_tiles(self, path: Path, boxes: Sequence[Box], size: tuple[int, int]) -> Iterator[Pixels]:
        """Yield parts of an image, upright, in the order of `boxes`; the whole is reduced to `size` (width, height)."""
        request = protocol.TilesRequest(os.fsencode(path), list(boxes), *size)
        for reply, payload in self._stream_replies(path, request):
            if isinstance(reply, protocol.TileReply):
                yield self._to_pixels(path, payload, reply.height, reply.width)

    def read_pages(self, path: Path, first_page: int, max_px: int) -> Iterator[DocumentPage]:
        """Yield the pages of a PDF from number `first_page` (from 1) on."""
        for reply, payload in self._stream_replies(path, protocol.PagesRequest(os.fsencode(path), first_page, max_px)):
            if isinstance(reply, protocol.PageReply):
                rgb = self._to_pixels(path, payload, reply.height, reply.width)
                yield reply.to_page(rgb)

    def read_subtitles(self, path: Path, include_sidecars: bool = True) -> tuple[list[TextLine], tuple[str, ...]]:
        """Return embedded cues, then those of sidecar files, and a warning for each source that cannot be read."""
        request = protocol.SubtitlesRequest(os.fsencode(path), include_sidecars)
        reply = self._fetch_reply(path, request, protocol.SubtitlesReply)[0]
        return reply.lines, tuple(reply.warnings)

    def cut_clip(self, path: Path, start_s: float, end_s: float, max_px: int) -> Iterator[bytes]:
        """Yield a clip of `[start_s, end_s)` as pieces of a fragmented MP4 file, upright, longer side at most `max_px`.

        Errors: LimitExceeded where the span has neither pictures nor sound.
        """
        request = protocol.ClipRequest(os.fsencode(path), start_s, end_s, max_px)
        for reply, payload in self._stream_replies(path, request):
            if isinstance(reply, protocol.ClipChunkReply):
                yield payload.tobytes()

    def close(self) -> None:
        """Kill the child process; a later request starts another."""
        child, self._child = self._child, None
        self._busy = False
        if child is not None:
            _kill_child(child)

    def _fetch_reply(self, path: Path, request: protocol.Request, kind: type[R]) -> tuple[R, NDArray[np.uint8]]:
        """Return the first reply of type `kind` and its payload."""
        for reply, payload in (replies := self._stream_replies(path, request)):
            if isinstance(reply, kind):
                replies.close()
                return reply, payload
        raise AssertionError("a request ends with its reply or an error")

    def _stream_replies(self, path: Path, request: protocol.Request) -> ReplyStream:
        """Yield the replies up to the one that ends the request; the child is killed where reading stops earlier."""
        child = self._ensure_child()
        self._request_number += 1
        number, self._busy = self._request_number, True
        last = False
        try:
            protocol.send(_fileno(child.stdin), request)
            while not last:
                if number != self._request_number or child is not self._child:
                    raise RuntimeError("another request was made before this one was read to its end")
                reply, payload = protocol.receive_reply(_fileno(child.stdout), self.limits.decode_timeout_s)
                if isinstance(reply, protocol.ErrorReply):
                    last = not reply.must_restart
                    raise _ERRORS_BY_NAME.get(reply.error_class, errors.DamagedMedia)(str(path), reply.reason)
                last = not isinstance(reply, _PARTIAL_REPLIES)
                if last:
                    self._busy = False
                if not isinstance(reply, protocol.HeartbeatReply):
                    yield reply, payload
        except protocol.SandboxTimeout as error:
            missing = "picture" if isinstance(request, protocol.FramesRequest) else "answer"
            raise errors.LimitExceeded(
                str(path), f"gave no {missing} for {self.limits.decode_timeout_s:g} s"
            ) from error
        except (protocol.SandboxProtocolError, BrokenPipeError) as error:
            self._raise_crash(path, child, error)
        finally:
            if number == self._request_number:
                self._busy = False
                if not last:
                    self.close()

    def _ensure_child(self) -> subprocess.Popen[bytes]:
        """Return a live, idle child process; start one where there is none."""
        if self._busy or (self._child is not None and self._child.poll() is not None):
            self.close()
        if self._child is None:
            self._child = _start_child(self.limits)
            weakref.finalize(self, _kill_child, self._child)
        return self._child

    def _to_pixels(self, path: Path, payload: NDArray[np.uint8], height: int, width: int) -> Pixels:
        """Return a payload as pixels. Errors: DamagedMedia where its size is wrong."""
        try:
            return protocol.unpack_pixels(payload, height, width)
        except protocol.SandboxProtocolError as error:
            self.close()
            raise errors.DamagedMedia(str(path), f"the decoder sent invalid data for it ({error})") from error

    def _raise_crash(self, path: Path, child: subprocess.Popen[bytes], error: Exception) -> NoReturn:
        """Raise LimitExceeded or DamagedMedia with the reason why the child is gone."""
        with suppress(subprocess.TimeoutExpired):
            child.wait(1.0)
        status = child.returncode
        if status == -signal.SIGKILL:
            raise errors.LimitExceeded(
                str(path), "its decoder was killed, most likely for its use of memory"
            ) from error
        if status is not None and status < 0:
            reason = f"crashed the decoder ({signal.Signals(-status).name})"
            raise errors.DamagedMedia(str(path), reason) from error
        raise errors.DamagedMedia(str(path), f"its decoder stopped unexpectedly ({error})") from error


class FrameStream(Iterator[Frame]):
    """Iterator over the sampled frames of a video, with a report after the last one."""

    def __init__(self, replies: ReplyStream, to_pixels: ToPixels) -> None:
        self._replies = replies
        self._to_pixels = to_pixels
        self._report: VideoReport | None = None

    @property
    def report(self) -> VideoReport:
        """Decoding statistics of the video. Errors: RuntimeError before the last frame has been read."""
        if self._report is None:
            raise RuntimeError("the report comes after the last frame")
        return self._report

    def __next__(self) -> Frame:
        """Return the next frame by time."""
        for reply, payload in self._replies:
            if isinstance(reply, protocol.FrameReply):
                rgb = self._to_pixels(payload, reply.height, reply.width)
                return Frame(reply.pts, Fraction(*reply.time_base), reply.time_s, rgb)
            if isinstance(reply, protocol.ReportReply):
                self._report = reply.report
        raise StopIteration

    def close(self) -> None:
        """Stop decoding; the child process ends."""
        self._replies.close()


def _start_child(limits: MediaLimits) -> subprocess.Popen[bytes]:
    """Start the media process with a minimal environment in a session of its own."""
    package_root = str(Path(indexer.__file__).parent.parent)
    environment = {name: os.environ[name] for name in _ENVIRONMENT_ALLOWLIST if name in os.environ}
    environment |= {"PYTHONPATH": package_root, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment |= malloc_tuning.MALLOC_ENVIRONMENT
    child = subprocess.Popen(
        [sys.executable, "-P", "-B", "-m", "indexer.media.sandbox.worker", msgspec.json.encode(limits).decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=environment,
        start_new_session=True,
    )
    with suppress(OSError, ImportError):
        import fcntl

        fcntl.fcntl(_fileno(child.stdout), _F_SETPIPE_SZ, _PIPE_BYTES)
    return child


def _kill_child(child: subprocess.Popen[bytes]) -> None:
    """Kill the child and wait for it, so that no zombie remains."""
    child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    child.wait()


def _fileno(pipe: IO[bytes] | None) -> int:
    """Return the file descriptor of a pipe of the child."""
    if pipe is None:
        raise AssertionError("the child has pipes at both ends")
    return pipe.fileno()
