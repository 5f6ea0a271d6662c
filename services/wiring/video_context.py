"""Build the memory and key frames that a generator is shown beside what was retrieved."""

from __future__ import annotations

from collections.abc import Callable

from memory.frame_selection import FRAME_SELECTORS
from services.answering.video_context import VideoContext
from services.catalog.catalog import Catalog
from services.catalog.video_memory import VideoMemoryReader
from services.settings import AnswerSettings


def make_video_context(
    settings: AnswerSettings,
    memory: VideoMemoryReader,
    catalog: Catalog,
    accepts_tokens_of: Callable[[str], bool] | None,
) -> VideoContext | None:
    """Make the context; None for a generator that sees no videos."""
    if accepts_tokens_of is None:
        return None
    selector = FRAME_SELECTORS[settings.frame_selection]
    return VideoContext(memory, catalog, settings.max_extra_frames, selector, accepts_tokens_of)
