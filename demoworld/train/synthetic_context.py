"""Synthetic evidence contexts: retrieved moments of a video and its memory slots, as the services gather them.

Moments are taken from stretches of footage placed anywhere in an imagined video of up to some hours; spans begin and
end roughly where the thing is visible, as search finds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from demoworld.train.footage import Footage, LabelledFrame

_MAX_ADJACENT_MOMENTS = 5
(
    _EMPTY_PROBABILITY,
    _ADJACENT_PROBABILITY,
    _NESTED_PROBABILITY,
    _NEIGHBOURS_PROBABILITY,
    _MERGED_PROBABILITY,
    _PHOTOS_PROBABILITY,
) = 0.12, 0.65, 0.1, 0.25, 0.4, 0.08
_MAX_MERGED_FRAMES = 4
_MAX_START_S = 4 * 3600.0
_GAP_RANGE_S = (4.0, 900.0)
_SEARCHED_FRAMES, _TWO_CONCEPTS_PROBABILITY, _WRONG_HIT_PROBABILITY, _SAMPLING_TRIES = 60, 0.35, 0.15, 8


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One item of evidence.

    `frames` are the pictures whose mean its tokens are, mostly one. A photo has no span.
    """

    id: str
    start_s: float
    end_s: float
    frames: tuple[LabelledFrame, ...]

    @property
    def first_frame(self) -> LabelledFrame:
        """The frame that stands for the item."""
        return self.frames[0]

    @property
    def is_merged(self) -> bool:
        """Return True if the tokens are the mean of several frames."""
        return len(self.frames) > 1


@dataclass(frozen=True, slots=True)
class SyntheticContext:
    """All evidence of one prompt: slots, then either moments of one video in order of time, or photos."""

    slots: tuple[EvidenceItem, ...]
    frames: tuple[EvidenceItem, ...]
    photos: tuple[EvidenceItem, ...] = ()


def sample_context(rng: np.random.Generator, footage: Footage, max_moments: int, max_slots: int) -> SyntheticContext:
    """Sample a context of at most so many moments and slots, or of a few photos."""
    if rng.random() < _PHOTOS_PROBABILITY and footage.photos:
        chosen = rng.permutation(len(footage.photos))[: 1 + int(rng.integers(3))]
        return SyntheticContext(
            (), (), tuple(EvidenceItem(f"I{n}", 0.0, 0.0, (footage.photos[i],)) for n, i in enumerate(chosen, 1))
        )
    moments = _sample_moments(rng, footage, max_moments)
    names = rng.permutation(len(moments)) + 1
    items = tuple(EvidenceItem(f"F{name}", *moment) for name, moment in zip(names, moments, strict=True))
    return SyntheticContext(_sample_slots(rng, footage, items, max_slots), items)


def sample_search_context(rng: np.random.Generator, footage: Footage, max_moments: int) -> SyntheticContext:
    """Sample up to `max_moments` search results for one or two concepts: all over a video, mostly right."""
    names = sorted(
        {name for video in footage.videos for frame in video[:_SEARCHED_FRAMES] for name in frame.concept_names}
    )
    wanted_names = [
        names[int(place)] for place in rng.permutation(len(names))[: 1 + int(rng.random() < _TWO_CONCEPTS_PROBABILITY)]
    ]
    count = 1 + int(rng.integers(max_moments))
    moments = [_sample_search_hit(rng, footage, wanted_names[number % len(wanted_names)]) for number in range(count)]
    at_s = float(rng.uniform(0, 600)) if rng.random() < 0.5 else float(rng.uniform(0, _MAX_START_S))
    items = []
    for number, (place, (lasts_s, frame)) in enumerate(
        zip(rng.permutation(count) + 1, [moments[index] for index in rng.permutation(count)], strict=True)
    ):
        at_s += float(np.exp(rng.uniform(*np.log(_GAP_RANGE_S)))) if number else 0.0
        items.append(EvidenceItem(f"F{place}", at_s, at_s + lasts_s, (frame,)))
        at_s += lasts_s
    return SyntheticContext((), tuple(items))


def sample_sequence_context(rng: np.random.Generator, footage: Footage, max_moments: int) -> SyntheticContext:
    """Sample up to `max_moments` consecutive pictures, seconds apart, as between two moments."""
    video = footage.videos[int(rng.integers(len(footage.videos)))]
    count, step = 2 + int(rng.integers(max_moments - 1)), int(rng.integers(1, 7))
    first = int(rng.integers(max(1, len(video) - count * step)))
    shift = float(rng.uniform(0, _MAX_START_S)) if rng.random() < 0.5 else 0.0
    items = []
    for number, place in zip(rng.permutation(count) + 1, range(first, len(video), step), strict=False):
        start_s = video[place].time_s + shift + float(rng.uniform(0, 0.4))
        items.append(
            EvidenceItem(f"F{number}", start_s, start_s + float(rng.uniform(0.5, step - 0.4)), (video[place],))
        )
    return SyntheticContext((), tuple(items))


def _sample_search_hit(rng: np.random.Generator, footage: Footage, name: str) -> tuple[float, LabelledFrame]:
    """Sample a search result's duration and frame; now and then a wrong one."""
    videos = footage.videos
    if rng.random() < _WRONG_HIT_PROBABILITY:
        name = ""
    for _ in range(_SAMPLING_TRIES):
        video = videos[int(rng.integers(len(videos)))]
        places = [place for place, frame in enumerate(video) if name in frame.content.counts or not name]
        if places:
            place = places[int(rng.integers(len(places)))]
            first, last = _find_visible_run(rng, video, place, name or None)
            return max(0.5, float(last - first) + float(rng.uniform(0, 1.5))), video[place]
    video = videos[int(rng.integers(len(videos)))]
    return 1.0, video[int(rng.integers(len(video)))]


def sample_single_moment(rng: np.random.Generator, footage: Footage) -> SyntheticContext:
    """Sample one moment or photo alone, for sentences to verify."""
    if rng.random() < 0.15 and footage.photos:
        return SyntheticContext(
            (), (), (EvidenceItem("I1", 0.0, 0.0, (footage.photos[int(rng.integers(len(footage.photos)))],)),)
        )
    ((start_s, end_s, looks),) = _sample_moments(rng, footage, 1)
    return SyntheticContext((), (EvidenceItem(f"F{1 + int(rng.integers(12))}", start_s, end_s, looks),))


_Moment = tuple[float, float, tuple[LabelledFrame, ...]]


def _sample_moments(rng: np.random.Generator, footage: Footage, count: int) -> list[_Moment]:
    """Sample stretches one after the other, each with a few moments close together."""
    moments: list[_Moment] = []
    at_s = float(rng.uniform(0, _MAX_START_S)) if rng.random() < 0.5 else float(rng.uniform(0, 600))
    while len(moments) < count:
        video = footage.videos[int(rng.integers(len(footage.videos)))]
        moment_count = min(count - len(moments), 1 + int(rng.integers(_MAX_ADJACENT_MOMENTS)))
        stretch = list(_sample_adjacent_moments(rng, video, moment_count))
        shift = at_s - stretch[0][0]
        moments += [(start + shift, end + shift, looks) for start, end, looks in stretch][: count - len(moments)]
        at_s = max(end for _, end, _ in moments[-2:]) + float(np.exp(rng.uniform(*np.log(_GAP_RANGE_S))))
    return moments


def _sample_adjacent_moments(rng: np.random.Generator, video: Sequence[LabelledFrame], count: int) -> Iterator[_Moment]:
    """Yield consecutive moments of one video, adjacent or a little apart.

    Some are followed by single frames, as neighbours of search results are added.
    """
    place = int(rng.integers(max(1, len(video) - 60 * count)))
    end_s = -1.0
    for _ in range(count):
        place = _skip_empty_frames(rng, video, place)
        if place >= len(video):
            break
        first, last = _find_visible_run(rng, video, place)
        frame = video[int(rng.integers(first, last + 1))]
        start_s = max(end_s, video[first].time_s + float(rng.uniform(-0.5, 0.5)), 0.0)
        end_s = max(start_s + 0.5, video[last].time_s + float(rng.uniform(0.3, 1.3)))
        yield start_s, end_s, (frame,)
        if rng.random() < _NESTED_PROBABILITY and last - first > 2:
            inside = int(rng.integers(first + 1, last))
            from_s = min(max(start_s, video[inside].time_s - 0.5), end_s - 0.3)
            yield from_s, max(from_s + 0.3, min(end_s, video[inside].time_s + 1)), (video[inside],)
        if rng.random() < _NEIGHBOURS_PROBABILITY:
            for near in range(last + 2, min(last + 12, len(video)), 2 + int(rng.integers(2))):
                yield video[near].time_s, video[near].time_s + float(rng.uniform(0.3, 1.5)), (video[near],)
                last, end_s = near, video[near].time_s + 1.5
        place = last + 1 if rng.random() < _ADJACENT_PROBABILITY else last + int(rng.integers(5, 60))
    if end_s < 0:
        yield video[0].time_s, video[0].time_s + 1, (video[0],)


def _skip_empty_frames(rng: np.random.Generator, video: Sequence[LabelledFrame], place: int) -> int:
    """Return the next frame in which something is visible; now and then any frame."""
    if rng.random() >= _EMPTY_PROBABILITY:
        while place < len(video) and not video[place].content.counts:
            place += 1
    return place


def _find_visible_run(
    rng: np.random.Generator, video: Sequence[LabelledFrame], place: int, wanted_name: str | None = None
) -> tuple[int, int]:
    """Return the frames around a place in which a concept stays visible, as first and last index.

    The concept is `wanted_name`, or one of the frame's; around an empty frame, the run of empty frames.
    """
    names = video[place].concept_names
    chosen = wanted_name or (names[int(rng.integers(len(names)))] if names else None)
    first = last = place
    while first > 0 and _shows(video[first - 1], chosen) and place - first < 12:
        first -= 1
    while last + 1 < len(video) and _shows(video[last + 1], chosen) and last - place < 12:
        last += 1
    return first, last


def _shows(frame: LabelledFrame, name: str | None) -> bool:
    return not frame.content.counts and not frame.content.unclear if name is None else name in frame.content.counts


def _sample_slots(
    rng: np.random.Generator, footage: Footage, moments: Sequence[EvidenceItem], count: int
) -> tuple[EvidenceItem, ...]:
    """Sample slots that cover the video from its beginning; some show a moment of the context too."""
    if count == 0:
        return ()
    until_s = moments[-1].end_s + float(rng.uniform(0, 60))
    edges = np.concatenate([[0.0], np.sort(rng.uniform(0, until_s, count - 1)), [until_s]])
    slots = []
    for number, (start_s, end_s) in enumerate(pairwise(edges.tolist()), 1):
        inside = [moment.first_frame for moment in moments if moment.start_s < end_s and moment.end_s > start_s]
        video = footage.videos[int(rng.integers(len(footage.videos)))]
        place = int(rng.integers(len(video)))
        own_frame = inside[0] if inside and rng.random() < 0.5 else video[place]
        near = 1 + int(rng.integers(_MAX_MERGED_FRAMES - 1)) if rng.random() < _MERGED_PROBABILITY else 0
        merged_frames = video[place + 1 : place + 1 + near]
        slots.append(EvidenceItem(f"M{number}", start_s, end_s, (own_frame, *merged_frames)))
    return tuple(slots)
