"""Benchmark of speech: word errors, sentences found at the right second, words invented, and time over real time.

Word errors are those of three readings of known texts. Times are those of a dialogue whose pauses are known, and of
sentences in six languages that espeak-ng says between music and noise; each is looked for by its text in its
recording. espeak-ng's voices are hard for a model that learnt from people: its word errors are reported alone.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Figure, make_parser, print_table, report
from benchmarks.speech_recordings import (
    DEFAULT_CACHE,
    RATE_HZ,
    Recording,
    fetch_readings,
    load_texts,
    make_spoken,
    make_wordless_minutes,
    write_wav,
)
from indexer.ports import SpeechRecognizer
from indexer.speech.packaged_model import MODEL_NAME
from indexer.speech.whisper import WhisperRecognizer
from indexer.types import AudioSpan, SegmentFilter
from services.container import Container
from services.search.types import Query
from services.settings import load_settings

_RIGHT_SECOND_S = 1.0
"""Chosen: a player that begins there plays the sentence's first word at once."""
_TIMED_ROUNDS = 3
_THREADS = 2
_WORD = re.compile(r"[\w']+")


@dataclass(frozen=True, slots=True)
class FoundSentence:
    """A sentence that was looked for: where it is said, and where the best hit is."""

    recording: str
    text: str
    start_s: float
    hit: str
    hit_start_s: float | None

    @property
    def is_right(self) -> bool:
        """Return True if the hit begins at the right second of the right recording."""
        near = self.hit_start_s is not None and abs(self.hit_start_s - self.start_s) <= _RIGHT_SECOND_S
        return near and self.hit == f"{self.recording}.wav"


def count_word_errors(expected: Sequence[str], heard: Sequence[str]) -> int:
    """Return the least number of words replaced, left out and added (Levenshtein distance)."""
    before = list(range(len(heard) + 1))
    for row, word in enumerate(expected, start=1):
        current = [row]
        for column, other in enumerate(heard, start=1):
            current.append(min(before[column] + 1, current[-1] + 1, before[column - 1] + (word != other)))
        before = current
    return before[-1]


def split_words(text: str) -> list[str]:
    """Return the words in lower case, without punctuation."""
    return _WORD.findall(text.casefold())


def run(cache: Path) -> list[Figure]:
    """Measure everything; prints the sentences that were not found as a table."""
    texts, recognizer = load_texts(), WhisperRecognizer(MODEL_NAME, device="cpu", threads=_THREADS)
    cache.mkdir(parents=True, exist_ok=True)
    readings, spoken = fetch_readings(texts, cache), [make_spoken(language) for language in texts.languages]
    figures = [
        Figure("readings: word errors", _measure_word_errors(recognizer, readings), "", 0.08, at_least=False),
        *(Figure(f"{item.name}: word errors", _measure_word_errors(recognizer, [item])) for item in spoken),
        *_measure_found([item for item in (*readings, *spoken) if item.spans]),
    ]
    invented = [
        (name, line.text)
        for name, samples in make_wordless_minutes()
        for line in recognizer.transcribe(AudioSpan(0.0, RATE_HZ, samples))
    ]
    print_table("Invented", ["sound", "text"], invented)
    words = sum(len(split_words(text)) for _, text in invented)
    figures.append(Figure("ten minutes of music, noise and silence: words", words, "", 0, at_least=False))
    return figures + _measure_speed(recognizer, readings)


def _measure_word_errors(recognizer: SpeechRecognizer, recordings: Sequence[Recording]) -> float:
    errors = total = 0
    for recording in recordings:
        heard = " ".join(line.text for line in recognizer.transcribe(AudioSpan(0.0, RATE_HZ, recording.samples)))
        expected = split_words(" ".join(recording.texts))
        errors, total = errors + count_word_errors(expected, split_words(heard)), total + len(expected)
    return errors / total


def _measure_found(recordings: Sequence[Recording]) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        found = _find_sentences(recordings, Path(folder))
    rows = [
        [item.recording, f"{item.start_s:.1f}", item.text[:50], item.hit, f"{item.hit_start_s or -1:.1f}"]
        for item in found
        if not item.is_right
    ]
    print_table("Not found at the right second", ["recording", "at", "sentence", "hit", "at"], rows)
    names = [recording.name for recording in recordings]
    shares = {name: _share([item for item in found if item.recording == name]) for name in names}
    return [
        Figure("sentences found at the right second", _share(found), "", 0.95),
        *(Figure(f"{name}: found at the right second", share) for name, share in shares.items()),
    ]


def _share(found: Sequence[FoundSentence]) -> float:
    return sum(item.is_right for item in found) / len(found)


def _find_sentences(recordings: Sequence[Recording], folder: Path) -> list[FoundSentence]:
    """Index the recordings and look for each sentence that is said once."""
    archive = folder / "archive"
    archive.mkdir()
    for recording in recordings:
        write_wav(recording, archive / f"{recording.name}.wav")
    os.environ |= {"AFTERIMAGE_HOME": str(folder / "home"), "AFTERIMAGE_TEXT__MODEL": "multilingual-e5-small"}
    with closing(Container(load_settings("local"))) as container:
        failed = [line for line in container.indexing.index_paths([archive], "default") if line.outcome == "failed"]
        if failed:
            raise SystemExit(f"{failed[0].name}: {failed[0].reason}")
        container.calibration.prepare()
        return [
            _find(container, recording.name, text, span[0])
            for recording in recordings
            for text, span in zip(recording.texts, recording.spans, strict=True)
            if [split_words(other) for other in recording.texts].count(split_words(text)) == 1
        ]


def _find(container: Container, name: str, text: str, start_s: float) -> FoundSentence:
    assets = frozenset(asset.asset_id for asset in container.catalog.assets() if asset.name == f"{name}.wav")
    moments = container.retrieval.search(Query(text), SegmentFilter(assets=assets), 1)
    if not moments:
        return FoundSentence(name, text, start_s, "nothing", None)
    return FoundSentence(name, text, start_s, moments[0].asset.name, moments[0].best_segment.start_s)


def _measure_speed(recognizer: SpeechRecognizer, readings: Sequence[Recording]) -> list[Figure]:
    audio = [AudioSpan(0.0, RATE_HZ, reading.samples) for reading in readings]
    duration_s = sum(reading.duration_s for reading in readings)

    def listen() -> None:
        for span in audio:
            recognizer.transcribe(span)

    wall = min(_measure_s(time.perf_counter, listen) for _ in range(_TIMED_ROUNDS))
    processor = min(_measure_s(time.process_time, listen) for _ in range(_TIMED_ROUNDS))
    noise = AudioSpan(0.0, RATE_HZ, dict(make_wordless_minutes())["wind"])
    wordless = min(_measure_s(time.process_time, lambda: recognizer.transcribe(noise)) for _ in range(_TIMED_ROUNDS))
    return [
        Figure("sound without speech: processor time over real time", wordless / 60, "×", 0.01, at_least=False),
        Figure(f"readings: time over real time, {_THREADS} threads", wall / duration_s, "×", 1 / 3, at_least=False),
        Figure("readings: processor time over real time", processor / duration_s, "×"),
    ]


def _measure_s(clock: Callable[[], float], task: Callable[[], object]) -> float:
    started = clock()
    task()
    return clock() - started


def main() -> int:
    """Run the command line."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the wheel with the readings")
    options = parser.parse_args()
    return report("speech (whisper-base)", run(options.cache.expanduser()), options.check, options.json)


if __name__ == "__main__":
    sys.exit(main())
