"""Frame sink that builds a video's memory while the video is indexed."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.errors import ArtifactError
from indexer.ports import TokenEncoder
from indexer.types import KeyFrame
from memory.quantization import TokenPrecision
from memory.store import MemoryStore
from memory.video_memory import VideoMemory


class MemorySink:
    """`indexer.ports.FrameSink` into the memory of one video, which is saved after each checkpoint.

    Moments leave no gap: each begins where the last one ended. Errors: ArtifactError for a state that is missing or
    damaged, MemoryMismatch for one of another model.
    """

    def __init__(
        self, store: MemoryStore, encoder: TokenEncoder, precision: TokenPrecision = TokenPrecision.FLOAT16
    ) -> None:
        self._store, self._encoder, self._precision = store, encoder, precision
        self._memory: VideoMemory | None = None
        self._finished = False

    def resume(self, checkpoints: int) -> int:
        """Restore the newest intact state of at most `checkpoints` checkpoints; return its number, 0 for none."""
        if checkpoints and (self._restore(checkpoints - 1) or self._is_finished(checkpoints)):
            return checkpoints
        if checkpoints > 1 and self._restore(checkpoints - 2):
            return checkpoints - 1
        return 0

    def save_checkpoint(self, number: int, key_frames: Sequence[KeyFrame]) -> None:
        """Add the key frames of checkpoint `number` and store the state after it."""
        memory = self._memory = self._memory or self._new_memory()
        for frame in key_frames:
            memory.add(memory.end_s, frame.end_s, frame.frame_count, frame.tokens, frame.time_s)
        self._store.save_checkpoint(number, memory)

    def finish(self, checkpoints: int) -> None:
        """Store the finished memory, unless a run that was killed before its asset was complete has done so."""
        if not self._finished:
            self._store.finish(checkpoints, self._memory or self._new_memory(), self._precision)

    def _restore(self, number: int) -> bool:
        """Restore the state after checkpoint `number`; return False where it is missing or damaged."""
        memory = self._new_memory()
        try:
            self._store.resume(number, memory)
        except ArtifactError:
            return False
        self._memory = memory
        return True

    def _is_finished(self, checkpoints: int) -> bool:
        """Return True if a finished memory of so many checkpoints is stored already."""
        try:
            self._finished = self._store.read_manifest().checkpoints == checkpoints
        except ArtifactError:
            return False
        return self._finished

    def _new_memory(self) -> VideoMemory:
        return VideoMemory(self._encoder.positions, self._encoder.width, self._encoder.model_id)
