from __future__ import annotations

from indexer.text.passage import Passage
from indexer.text.spoken_passages import build_spoken_passages
from indexer.types import Origin, TextLine


def _sentence(start_s: float, end_s: float, text: str) -> TextLine:
    return TextLine(text, Origin.SPEECH, start_s, end_s, confidence=0.9)


def _cue(start_s: float, end_s: float, text: str) -> Passage:
    return Passage(text, Origin.SUBTITLE, start_s, end_s)


BRIDGE = _sentence(4.8, 10.1, "The swing bridge stays closed until Thursday, because a bolt broke in the storm.")
SEALS = _sentence(11.3, 13.8, "Please do not feed the seals on the north beach.")


def test_each_sentence_is_a_passage_with_its_own_time() -> None:
    passages = build_spoken_passages([BRIDGE, SEALS], [])
    assert [(passage.text, passage.start_s, passage.end_s) for passage in passages] == [
        (line.text, line.start_s, line.end_s) for line in (BRIDGE, SEALS)
    ]


def test_a_short_sentence_joins_the_next_one() -> None:
    (passage,) = build_spoken_passages([_sentence(10.8, 11.1, "Yes."), SEALS], [])
    assert (passage.text, passage.start_s, passage.end_s) == (f"Yes. {SEALS.text}", 10.8, 13.8)


def test_subtitles_that_say_the_same_stand_for_what_was_heard() -> None:
    misheard = _sentence(4.8, 10.1, "The swing bridge stays closed until Thursday, because I'm old broke in the storm.")
    (passage,) = build_spoken_passages([misheard, SEALS], [_cue(4.0, 10.0, BRIDGE.text)])
    assert passage.text == SEALS.text


def test_subtitles_in_another_language_or_of_another_time_replace_nothing() -> None:
    cues = [_cue(4.0, 10.0, "Die Drehbrücke bleibt bis Donnerstag zu."), _cue(60.0, 66.0, BRIDGE.text)]
    assert [passage.text for passage in build_spoken_passages([BRIDGE], cues)] == [BRIDGE.text]
