"""Sentences of recognised words: what was said as lines of text, each from its first word to its last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from indexer.text.sentences import split_sentences
from indexer.types import Origin, TextLine

_MAX_PAUSE_S = 1.5
"""Chosen: words with more silence between them are no sentence, whatever the punctuation; as with cues."""
_STOP_PAUSE_S = 0.4
"""Chosen: such a silence behind a full stop ends a sentence, even if it could be that of an abbreviation."""
_FULL_STOP = "."


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A recognised word with the space before it, where its script has one; times in seconds of the video."""

    text: str
    start_s: float
    end_s: float
    probability: float


def build_sentences(words: Sequence[SpokenWord]) -> list[TextLine]:
    """Return the sentences of words in order of time; a long pause ends a sentence too."""
    return [_to_line(sentence) for run in _split_at_pauses(words) for sentence in _split_run(run)]


def _split_at_pauses(words: Sequence[SpokenWord]) -> Iterator[list[SpokenWord]]:
    run: list[SpokenWord] = []
    for word in words:
        longest_s = _STOP_PAUSE_S if run and run[-1].text.endswith(_FULL_STOP) else _MAX_PAUSE_S
        if run and word.start_s - run[-1].end_s > longest_s:
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _split_run(words: Sequence[SpokenWord]) -> Iterator[list[SpokenWord]]:
    """Yield the words of each sentence: those that begin before it ends."""
    ends = [end for _, end in split_sentences("".join(word.text for word in words))]
    sentence: list[SpokenWord] = []
    length = 0
    for word in words:
        if sentence and ends and length >= ends[0]:
            yield sentence
            sentence = []
            ends.pop(0)
        sentence.append(word)
        length += len(word.text)
    if sentence:
        yield sentence


def _to_line(words: Sequence[SpokenWord]) -> TextLine:
    text = " ".join("".join(word.text for word in words).split())
    confidence = sum(word.probability for word in words) / len(words)
    return TextLine(text, Origin.SPEECH, words[0].start_s, words[-1].end_s, confidence=min(max(confidence, 0.0), 1.0))
