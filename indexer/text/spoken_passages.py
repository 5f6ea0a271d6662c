"""Passages of speech: its sentences, but for those that subtitles have already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from indexer.text.cue_passages import build_cue_passages
from indexer.text.passage import Passage
from indexer.text.sentences import split_words
from indexer.types import TextLine

_MIN_WORDS = 4
"""Chosen: a shorter sentence ("Yes.") joins the next one; a passage of one sentence locates an answer to the second."""
_MAX_GAP_S = 0.5
"""Chosen: after a longer pause a short sentence stands alone; else the next one would be found before it begins."""
_MIN_AGREEMENT = 0.6
"""Chosen: share of a sentence's words that subtitles have; a model mishears fewer, a translation shares fewer."""
_MAX_DELAY_S = 3.0
"""Chosen: subtitles are shown before what is said, or stay longer, by up to this."""


def build_spoken_passages(sentences: Sequence[TextLine], subtitles: Sequence[Passage]) -> list[Passage]:
    """Build passages of spoken sentences; one whose words stand in the subtitles of its time is left out."""
    return build_cue_passages(
        [line for line in sentences if not _stands_in(subtitles, line)], max_gap_s=_MAX_GAP_S, min_words=_MIN_WORDS
    )


def _stands_in(subtitles: Sequence[Passage], line: TextLine) -> bool:
    start_s, end_s = (line.start_s or 0.0) - _MAX_DELAY_S, (line.end_s or 0.0) + _MAX_DELAY_S
    near = (cue.text for cue in subtitles if (cue.start_s or 0.0) < end_s and (cue.end_s or 0.0) > start_s)
    written, spoken = Counter(word for text in near for word in _words(text)), Counter(_words(line.text))
    return (spoken & written).total() >= _MIN_AGREEMENT * spoken.total() if written else False


def _words(text: str) -> list[str]:
    return [text[start:end].casefold() for start, end in split_words(text)]
