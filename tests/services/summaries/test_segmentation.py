"""Sections of a video: what changes is cut, what stays is one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.types import Node, Slot
from services.summaries.segmentation import max_sections, segment_by_content, segment_evenly

_RNG = np.random.default_rng(0)
SCENES = _RNG.standard_normal((6, 4, 16)).astype(np.float32)


def make_slots(scenes: list[int], noise: float = 0.05, seconds: float = 10.0) -> list[Slot]:
    """Ten seconds of each scene, ten frames each."""
    rng = np.random.default_rng(1)
    return [
        Slot(
            Node(n, n * seconds, (n + 1) * seconds, 10, n * seconds + 1),
            SCENES[scene] + noise * rng.standard_normal((4, 16)).astype(np.float32),
        )
        for n, scene in enumerate(scenes)
    ]


def test_a_section_ends_where_the_content_changes() -> None:
    found = segment_by_content(make_slots([0, 0, 0, 1, 1, 2, 2, 2, 2, 0]), 6)
    assert [(one.start_s, one.end_s) for one in found] == [(0, 30), (30, 50), (50, 90), (90, 100)]
    assert found[0].picture_times_s == (1.0, 11.0, 21.0)


def test_a_video_that_never_changes_is_one_section() -> None:
    assert len(segment_by_content(make_slots([3] * 40), 12)) == 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(1, 12))
def test_sections_cover_the_video_without_a_gap(scenes: list[int], max_count: int) -> None:
    found = segment_by_content(make_slots(scenes), max_count)
    assert 1 <= len(found) <= max_count
    assert (found[0].start_s, found[-1].end_s) == (0.0, 10.0 * len(scenes))
    assert all(before.end_s == after.start_s for before, after in pairwise(found))
    assert all(one.start_s <= time_s < one.end_s for one in found for time_s in one.picture_times_s)


@pytest.mark.parametrize(("minutes", "max_count"), [(0.2, 1), (10, 6), (60, 15), (600, 24)])
def test_longer_videos_have_more_sections_up_to_a_limit(minutes: float, max_count: int) -> None:
    assert max_sections(minutes * 60) == max_count


def test_where_nothing_is_remembered_sections_are_even() -> None:
    assert [(one.start_s, one.end_s) for one in segment_evenly(30.0, 3)] == [(0, 10), (10, 20), (20, 30)]
