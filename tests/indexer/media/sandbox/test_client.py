"""The media process: what it passes on, what it survives, and what it refuses."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from indexer.errors import DamagedMedia, LimitExceeded, SourceNotFound, UnsupportedMedia
from indexer.media.sandbox import protocol
from indexer.media.sandbox.client import MediaLimits, SandboxedDecoder
from indexer.media.video import SamplingPlan
from indexer.media.video.reader import VideoReader
from tests.support.video_fixtures import make_sound, make_video, read_number
from tests.support.waiting import wait_until

FAST = {"preset": "ultrafast", "g": "50"}


@pytest.fixture
def video(tmp_path: Path) -> Path:
    make_video(tmp_path / "a.mp4", count=200, options=FAST, sound_s=1.0)
    return tmp_path / "a.mp4"


def wait_until_gone(pid: int) -> None:
    wait_until(lambda: not psutil.pid_exists(pid), f"process {pid} is gone")


def test_frames_pass_as_they_were_decoded(video: Path) -> None:
    plan = SamplingPlan(5, 5)
    reader = VideoReader(video, plan)
    expected = list(reader)
    with SandboxedDecoder() as media:
        stream = media.read_frames(video, plan)
        frames = list(stream)
    assert stream.report == reader.report
    assert len(frames) == len(expected) == 40
    for a, b in zip(frames, expected, strict=True):
        assert (a.pts, a.time_base, a.time_s) == (b.pts, b.time_base, b.time_s)
        assert a.rgb.flags.c_contiguous and np.array_equal(a.rgb, b.rgb)


def test_one_child_serves_many_requests(video: Path, tmp_path: Path) -> None:
    make_sound(tmp_path / "b.wav")
    with SandboxedDecoder() as media:
        info = media.probe(video)
        pid = media.pid
        assert info.has_video and info.has_audio
        assert media.read_audio(tmp_path / "b.wav", 0.0, 1.0).samples.shape == (16_000,)
        with pytest.raises(SourceNotFound, match=r"absent\.mp4"):
            media.probe(tmp_path / "absent.mp4")
        assert len(list(media.read_frames(video, SamplingPlan(1, 1)))) == 8
        assert media.pid == pid
    assert pid is not None
    wait_until_gone(pid)


def test_a_stream_left_early_does_not_disturb_the_next_request(video: Path) -> None:
    with SandboxedDecoder() as media:
        stream = media.read_frames(video, SamplingPlan(25, 25))
        assert read_number(next(stream).rgb) == 0
        stream.close()
        abandoned = media.read_frames(video, SamplingPlan(25, 25))
        next(abandoned)
        assert media.probe(video).width == 320
        with pytest.raises(RuntimeError, match="another request"):
            next(abandoned)
        with pytest.raises(RuntimeError, match="last frame"):
            _ = abandoned.report
        assert len(list(media.read_frames(video, SamplingPlan(1, 1)))) == 8


def test_a_child_that_is_killed_costs_one_request(video: Path) -> None:
    with SandboxedDecoder() as media:
        stream = media.read_frames(video, SamplingPlan(25, 25))
        next(stream)
        pid = media.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(LimitExceeded, match=r"a\.mp4: its decoder was killed"):
            list(stream)
        wait_until_gone(pid)
        assert len(list(media.read_frames(video, SamplingPlan(1, 1)))) == 8


def test_a_service_that_is_told_to_stop_damages_no_file(video: Path) -> None:
    """Whoever stops it may tell all of its processes."""
    with SandboxedDecoder() as media:
        stream = media.read_frames(video, SamplingPlan(25, 25))
        next(stream)
        assert media.pid is not None
        os.kill(media.pid, signal.SIGTERM)
        assert len(list(stream)) == 8 * 25 - 1


def test_a_decoder_that_crashes_is_told_from_one_that_was_killed(video: Path) -> None:
    with SandboxedDecoder() as media:
        stream = media.read_frames(video, SamplingPlan(25, 25))
        next(stream)
        assert media.pid is not None
        os.kill(media.pid, signal.SIGSEGV)
        with pytest.raises(DamagedMedia, match=r"a\.mp4: crashed the decoder \(SIGSEGV\)"):
            list(stream)


def test_silence_is_given_up_on_and_named(video: Path) -> None:
    with SandboxedDecoder() as media:
        stream = media.read_frames(video, SamplingPlan(25, 25, max_px=320))
        next(stream)
        pid = media.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        media.limits = MediaLimits(decode_timeout_s=0.1)  # only now: a loaded machine takes longer to start the child
        with pytest.raises(LimitExceeded, match=r"a\.mp4: gave no picture for 0\.1 s"):
            list(stream)
        wait_until_gone(pid)


def test_memory_has_a_limit_and_the_next_file_goes_on(tmp_path: Path) -> None:
    make_video(tmp_path / "big.mp4", count=6, size=(7680, 4320), options={"preset": "ultrafast"})
    make_video(tmp_path / "small.mp4", count=12, options={"preset": "ultrafast"})
    with SandboxedDecoder(MediaLimits(memory_mb=500)) as media:
        with pytest.raises((LimitExceeded, DamagedMedia), match=r"big\.mp4"):
            list(media.read_frames(tmp_path / "big.mp4", SamplingPlan(25, 25, max_px=7680)))
        assert media.probe(tmp_path / "small.mp4").width == 320


def test_the_child_has_little_power(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_SECRET", "key")
    with SandboxedDecoder(MediaLimits(memory_mb=3000)) as media:
        media.probe(video)
        assert media.pid is not None
        limits = Path(f"/proc/{media.pid}/limits").read_text()
        status = Path(f"/proc/{media.pid}/status").read_text()
        environment = Path(f"/proc/{media.pid}/environ").read_bytes()
    rows = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()}
    assert rows["Max address space"] == str(3000 << 20)
    assert rows["Max core file size"] == rows["Max file size"] == "0"
    assert "NoNewPrivs:\t1" in status and b"SECRET" not in environment


def test_the_child_dies_with_its_parent(video: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from indexer.media.sandbox.client import *;"
        "from indexer.media.video import SamplingPlan; m = SandboxedDecoder();"
        "s = m.read_frames(Path(sys.argv[1]), SamplingPlan(25, 25)); next(s);"
        "print(m.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(video)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.kill()
    wait_until_gone(pid)


def test_an_interrupt_is_passed_on_and_leaves_no_process(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SandboxedDecoder() as media:
        stream = media.read_frames(video, SamplingPlan(25, 25, max_px=320))
        next(stream)
        pid = media.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        monkeypatch.setattr(protocol, "select", SimpleNamespace(poll=_InterruptedPoll, POLLIN=select.POLLIN))
        with pytest.raises(KeyboardInterrupt):
            list(stream)
        wait_until_gone(pid)


class _InterruptedPoll:
    """Waiting for the child, interrupted."""

    def register(self, descriptor: int, events: int) -> None: ...

    def poll(self, timeout_ms: float | None) -> list[tuple[int, int]]:
        raise KeyboardInterrupt


def test_odd_names_and_kinds_of_file_are_handled(video: Path, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\nb.mp4"))
    odd.write_bytes(video.read_bytes())
    os.mkfifo(tmp_path / "pipe.mp4")
    with SandboxedDecoder() as media:
        assert media.probe(odd).width == 320
        with pytest.raises(UnsupportedMedia, match="not a regular file"):
            media.probe(tmp_path / "pipe.mp4")


@pytest.mark.parametrize(
    "frame_bytes",
    [
        b"\xff\xff\xff\xff\0\0\0\0",
        b"\x04\0\0\0\xff\xff\xff\xff",
        b"\x04\0\0\0\0\0\0\0\x80\x04K.",
        b"\x10\0\0\0\0\0\0\0short",
    ],
    ids=["huge body", "huge payload", "a pickle", "cut short"],
)
def test_what_breaks_the_protocol_is_refused(frame_bytes: bytes) -> None:
    reading, writing = os.pipe()
    os.write(writing, frame_bytes)
    os.close(writing)
    try:
        with pytest.raises(protocol.SandboxProtocolError):
            protocol.receive_reply(reading, 1.0)
    finally:
        os.close(reading)
    with pytest.raises(protocol.SandboxProtocolError):
        protocol.unpack_pixels(np.zeros(5, np.uint8), 1, 2)
