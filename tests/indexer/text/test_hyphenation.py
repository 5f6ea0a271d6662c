"""Hyphens at the ends of lines: divided words are joined, compounds keep theirs."""

from __future__ import annotations

import pytest

from indexer.text.passages import build_page_passages
from indexer.types import Origin, TextLine


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["the com-", "mittee met"], "the committee met"),
        (["the state-of-the-", "art plant"], "the state-of-the-art plant"),
        (["the well-", "known singer"], "the well-known singer"),
        (["a long-", "term fund"], "a long-term fund"),
        (["the longi-", "tude and long-", "itude"], "the longitude and longitude"),
        (["a twenty-", "one year lease"], "a twenty-one year lease"),
        (["an air-", "conditioned room"], "an air-conditioned room"),
        (["non-", "smokers"], "non-smokers"),
        (["selfish or self-", "ish"], "selfish or selfish"),
        (["the years 2019-", "2021 were"], "the years 2019-2021 were"),
        (["at Fort X-", "200 again"], "at Fort X-200 again"),
        (["an X-", "ray"], "an X-ray"),
        (["die Donaudampf-", "schiffahrt"], "die Donaudampfschiffahrt"),
        (["die Vor-", "und Nachteile"], "die Vor- und Nachteile"),
        (["pre-", "and post-war"], "pre- and post-war"),
        (["meine E-Mail-", "Adresse"], "meine E-Mail-Adresse"),
        (["Herr Müller-", "Lüdenscheidt"], "Herr Müller-Lüdenscheidt"),
        (["il est peut-", "être là"], "il est peut-être là"),
        (["l'a-", "vion"], "l'avion"),
        (["a soft\u00ad", "ware"], "a software"),
        (["a dash -", "and more"], "a dash - and more"),
    ],
)
def test_a_divided_word_is_joined_and_a_compound_keeps_its_hyphen(lines: list[str], text: str) -> None:
    (passage,) = build_page_passages([TextLine(line, Origin.PAGE) for line in lines], 1)
    assert passage.text == text


@pytest.mark.parametrize(("elsewhere", "written"), [("co-operate", "co-operate"), ("cooperate", "cooperate")])
def test_a_word_is_written_as_elsewhere_on_its_page(elsewhere: str, written: str) -> None:
    lines = [f"When banks {elsewhere} they win.", "They will co-", "operate again."]
    (passage,) = build_page_passages([TextLine(line, Origin.PAGE) for line in lines], 1)
    assert passage.text.endswith(f"They will {written} again.")
