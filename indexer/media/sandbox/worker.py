"""The sandboxed media process: parses hostile files with few privileges and replies over a pipe.

`SandboxedDecoder` starts it as `python -P -B -m indexer.media.sandbox.worker LIMITS`; requests come on standard input,
replies go to standard output.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import threading
import time
from pathlib import Path
from typing import assert_never

import msgspec

from indexer import errors
from indexer.media.sandbox import protocol
from indexer.media.sandbox.limits import MediaLimits
from indexer.types import TextLine

_PR_SET_NO_NEW_PRIVS = 38  # Source: Linux, prctl(2), linux/prctl.h
_MAX_REASON_CHARS = 500  # Form: length of an error message


def main() -> None:
    """Serve requests until standard input ends.

    SIGTERM is ignored: a service manager sends it to all processes of a service, and only the parent may end this one,
    or a stop would look like a crash.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    limits = msgspec.json.decode(sys.argv[1], type=MediaLimits)
    _drop_privileges(limits)
    request_fd, reply_fd = os.dup(0), os.dup(1)
    null_fd = os.open(os.devnull, os.O_RDWR)
    os.dup2(null_fd, 0)
    os.dup2(null_fd, 1)
    threading.Thread(target=_exit_with_parent, args=(request_fd, os.getppid()), daemon=True).start()
    worker = SandboxWorker(reply_fd, limits)
    while True:
        try:
            request = protocol.receive_request(request_fd)
        except protocol.SandboxProtocolError:
            return
        worker.handle(request)


class SandboxWorker:
    """Request handler of the media process; replies go to one pipe, one request after another."""

    def __init__(self, reply_fd: int, limits: MediaLimits) -> None:
        self._reply_fd = reply_fd
        self._limits = limits
        self._heartbeat_interval_s = min(1.0, limits.decode_timeout_s / 4)
        self._last_sent_s = 0.0

    def handle(self, request: protocol.Request) -> None:
        """Send the replies to a request, or one error; after running out of memory the parent restarts this process."""
        self._last_sent_s = time.monotonic()
        try:
            self._dispatch(request)
        except errors.SourceError as error:
            self._send(protocol.ErrorReply(type(error).__name__, _one_line(error.reason)))
        except MemoryError:
            reason = f"needs more than {self._limits.memory_mb} MB of memory"
            self._send(protocol.ErrorReply("LimitExceeded", reason, must_restart=True))
        except BrokenPipeError:
            sys.exit(0)
        except Exception as error:  # noqa: BLE001 - whatever a parser raises, the file is at fault; later requests are served
            reason = f"cannot be read ({type(error).__name__}: {error})"
            self._send(protocol.ErrorReply("DamagedMedia", _one_line(reason)))

    def send_heartbeat(self) -> None:
        """Send a heartbeat, at most about once a second."""
        if time.monotonic() - self._last_sent_s > self._heartbeat_interval_s:
            self._send(protocol.HeartbeatReply())

    def _send(self, reply: protocol.Reply, payload: protocol.Payload = b"") -> None:
        protocol.send(self._reply_fd, reply, payload)
        self._last_sent_s = time.monotonic()

    def _dispatch(self, request: protocol.Request) -> None:
        path = Path(os.fsdecode(request.path))
        match request:
            case protocol.ProbeRequest():
                from indexer.media.probe import probe

                self._send(protocol.InfoReply(probe(path, self._limits)))
            case protocol.FramesRequest():
                self._send_frames(path, request)
            case protocol.AudioRequest():
                self._send_audio(path, request)
            case protocol.ImageRequest():
                from indexer.media.image import read_image

                rgb = read_image(path, request.max_px, self._limits.max_image_pixels)
                self._send(protocol.ImageReply(rgb.shape[0], rgb.shape[1]), rgb)
            case protocol.TilesRequest():
                self._send_tiles(path, request)
            case protocol.PagesRequest():
                self._send_pages(path, request)
            case protocol.SubtitlesRequest():
                self._send_subtitles(path, request)
            case protocol.ClipRequest():
                self._send_clip(path, request)
            case _:
                assert_never(request)

    def _send_frames(self, path: Path, request: protocol.FramesRequest) -> None:
        from indexer.media.video.reader import VideoReader

        reader = VideoReader(path, request.plan, self.send_heartbeat)
        for frame in reader:
            height, width, _ = frame.rgb.shape
            base = (frame.time_base.numerator, frame.time_base.denominator)
            self._send(protocol.FrameReply(frame.pts, base, frame.time_s, height, width), frame.rgb)
        self._send(protocol.ReportReply(reader.report))

    def _send_audio(self, path: Path, request: protocol.AudioRequest) -> None:
        from indexer.media.video.audio import read_audio

        span = read_audio(path, request.start_s, request.end_s, request.sample_rate, self.send_heartbeat)
        self._send(protocol.AudioReply(span.start_s, span.sample_rate), span.samples)

    def _send_tiles(self, path: Path, request: protocol.TilesRequest) -> None:
        from indexer.media.image import read_tiles

        for rgb in read_tiles(path, request.boxes, (request.width, request.height)):
            self._send(protocol.TileReply(rgb.shape[0], rgb.shape[1]), rgb)
        self._send(protocol.DoneReply())

    def _send_pages(self, path: Path, request: protocol.PagesRequest) -> None:
        from indexer.media.pdf.reader import read_pages

        for page in read_pages(path, request.first_page, request.max_px):
            self._send(protocol.PageReply.of(page), page.rgb)
        self._send(protocol.DoneReply())

    def _send_subtitles(self, path: Path, request: protocol.SubtitlesRequest) -> None:
        from indexer.media.subtitles.embedded import read_embedded
        from indexer.media.subtitles.sidecar_names import describe_sidecar, find_sidecars
        from indexer.media.subtitles.sidecars import read_sidecar

        lines: list[TextLine] = []
        warnings: list[str] = []
        try:
            lines += read_embedded(path, self.send_heartbeat)
        except errors.SourceError as error:
            warnings.append(_one_line(f"subtitles of its {path.suffix}: {error.reason}"))
        for sidecar in find_sidecars(path) if request.include_sidecars else []:
            self.send_heartbeat()
            try:
                found = read_sidecar(sidecar, path, self.send_heartbeat)
                lines += found.lines
                reasons = found.warnings
            except errors.SourceError as error:
                reasons = (error.reason,)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a parser raises costs this file, not the recording
                reasons = (f"cannot be read ({type(error).__name__}: {error})",)
            name = describe_sidecar(sidecar, path)  # without the stem: the same files may have another name elsewhere
            warnings += [_one_line(f"subtitles of its {name}: {reason}") for reason in reasons]
        self._send(protocol.SubtitlesReply(lines, warnings))

    def _send_clip(self, path: Path, request: protocol.ClipRequest) -> None:
        from indexer.media.video.clip import cut_clip

        def write(data: bytes) -> None:
            self._send(protocol.ClipChunkReply(), data)

        cut_clip(path, request.start_s, request.end_s, request.max_px, write, self.send_heartbeat)
        self._send(protocol.DoneReply())


def _one_line(text: str) -> str:
    """Collapse whitespace and cut an error message to its maximum length."""
    return " ".join(text.encode("utf-8", "replace").decode().split())[:_MAX_REASON_CHARS]


def _drop_privileges(limits: MediaLimits) -> None:
    """Limit this process: bounded memory, no core dump, no writing of files, no new privileges."""
    memory = limits.memory_mb << 20
    for limit, bound in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(limit, (bound, bound))
    try:
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    except (OSError, AttributeError):
        return


def _exit_with_parent(request_fd: int, parent_pid: int) -> None:
    """Exit when the parent process ends, whatever the main thread is doing.

    PR_SET_PDEATHSIG would follow the thread that started this process, which may end before its process does.
    """
    poll = select.poll()
    poll.register(request_fd, 0)
    while not poll.poll(1000) and os.getppid() == parent_pid:
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
