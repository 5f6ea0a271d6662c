"""Passages of cues: subtitles and speech, grouped to the units that are searched, quoted and cited."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from indexer.text.passage import Passage, separator_between, split_text, to_spanned_text
from indexer.text.sentences import split_words
from indexer.types import TextLine

_MIN_CUE_PASSAGE_WORDS = 25
"""Chosen: a passage of cues of this many words ends with its sentence; longer ones locate an answer less exactly."""
_DUPLICATE_CUE_S = 1.0
"""Chosen: equal passages of two tracks that begin within this time are one; a longer time would drop repetitions."""
_ENDS_SENTENCE = re.compile(r"[.!?…。！？｡؟।][\"'”’»)\]」』）]*$")


def build_cue_passages(
    lines: Sequence[TextLine],
    max_gap_s: float = 1.5,
    max_words: int = 60,
    max_span_s: float = 30.0,
    min_words: int = _MIN_CUE_PASSAGE_WORDS,
) -> list[Passage]:
    """Build passages from cues of subtitles or speech, in order of time, each from its first cue to its last.

    A passage ends with its sentence once it has `min_words`, at a pause above `max_gap_s`, and before it would exceed
    `max_words` or `max_span_s`; a single cue above `max_words` is cut, its time divided by characters. Tracks (runs of
    cues of one origin and block that do not go back in time) are not mixed; duplicates between tracks are dropped.
    """
    passages_by_text: dict[str, list[Passage]] = {}
    for track in _split_tracks(lines):
        for cues in _group_cues(track, max_gap_s, max_words, max_span_s, min_words):
            start_s, end_s = cues[0].start_s or 0.0, max(cue.end_s or 0.0 for cue in cues)
            passage = Passage(_join_cues(cues), cues[0].origin, start_s, end_s)
            equal = passages_by_text.setdefault(passage.text, [])
            if all(abs((other.start_s or 0.0) - start_s) > _DUPLICATE_CUE_S for other in equal):
                equal.append(passage)
    return sorted(
        (p for equal in passages_by_text.values() for p in equal), key=lambda p: (p.start_s or 0.0, p.end_s or 0.0)
    )


def _join_cues(cues: Sequence[TextLine]) -> str:
    """Join cues to one text; a hyphen at the end of a cue is a pause in speech and stays."""
    texts = [to_spanned_text(cue).text for cue in cues]
    return "".join(separator_between(texts[i - 1], text) + text if i else text for i, text in enumerate(texts))


def _split_tracks(lines: Iterable[TextLine]) -> Iterator[list[TextLine]]:
    """Yield runs of cues of one origin and block that do not go back in time; empty cues are dropped."""
    track: list[TextLine] = []
    for line in lines:
        if not line.text.strip():
            continue
        if track and not _is_same_track(track[-1], line):
            yield track
            track = []
        track.append(line)
    if track:
        yield track


def _is_same_track(before: TextLine, line: TextLine) -> bool:
    """Return True if a cue continues the track of the one before."""
    has_same_source = (line.origin, line.block) == (before.origin, before.block)
    return has_same_source and (line.start_s or 0.0) >= (before.start_s or 0.0)


def _group_cues(
    track: Iterable[TextLine], max_gap_s: float, max_words: int, max_span_s: float, min_words: int
) -> Iterator[list[TextLine]]:
    """Yield the cues of each passage of a track."""
    group: list[TextLine] = []
    word_count = 0
    for cue in (part for line in track for part in _split_cue(line, max_words)):
        count, start_s, end_s = len(split_words(cue.text)), cue.start_s or 0.0, cue.end_s or 0.0
        if group:
            paused = start_s - max(other.end_s or 0.0 for other in group) > max_gap_s
            full = word_count + count > max_words or end_s - (group[0].start_s or 0.0) > max_span_s
            if paused or full or (word_count >= min_words and _ENDS_SENTENCE.search(group[-1].text.rstrip())):
                yield group
                group, word_count = [], 0
        group.append(cue)
        word_count += count
    if group:
        yield group


def _split_cue(cue: TextLine, max_words: int) -> list[TextLine]:
    """Return a cue, or its pieces if it is too long, each with the share of time of its characters."""
    spanned = to_spanned_text(cue)
    if spanned.count_words() <= max_words:
        return [cue]
    start_s, end_s = cue.start_s or 0.0, cue.end_s or 0.0
    per_character, at = (end_s - start_s) / len(spanned.text), 0
    pieces = []
    for piece in split_text(spanned, max_words, max_words):
        begin = spanned.text.index(piece.text, at)
        at = begin + len(piece.text)
        pieces.append(
            replace(cue, text=piece.text, start_s=start_s + begin * per_character, end_s=start_s + at * per_character)
        )
    return pieces
