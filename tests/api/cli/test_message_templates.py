"""Texts are matched with templates: which one wins, which fields are translated, and what is around a message."""

from __future__ import annotations

import pytest

from api.cli.message_templates import TemplateMatcher

MATCHER = TemplateMatcher(
    {
        "{path}: cannot be written ({reason})": "{path}: W ({reason})",
        "{path}: cannot be written (disk full)": "{path}: FULL",
        "wrong value for {name}: {reason}": "V {name}: {reason}",
        "{value} is not one of the values that this option takes": "{value} N",
        "is empty": "E",
        "Permission denied": "P",
        "no {name}": "X {name}",
        "{count} waiting in {queue}": "{queue} Q {count}",
    }
)


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("/a: cannot be written (Permission denied)", "/a: W (P)"),
        ("/a: cannot be written (disk full)", "/a: FULL"),
        ("/a: cannot be written (out of ink)", "/a: W (out of ink)"),
        ("no is empty", "X is empty"),
        ("wrong value for x: y is not one of the values that this option takes", "V x: y N"),
        ("C:\\films: old: a.mp4: is empty", "C:\\films: old: a.mp4: E"),
        ("is empty; out of ink; no pen", "E; out of ink; X pen"),
        ("inline: 0 waiting in index, 2 waiting in summarize", "inline: index Q 0, summarize Q 2"),
        ("a, b, is empty", "a, b, is empty"),
        ("a.mp4: is empty (AFTERIMAGE_X)", "a.mp4: E (AFTERIMAGE_X)"),
        ("nothing known", "nothing known"),
        ("", ""),
    ],
)
def test_a_text_is_translated_by_the_template_that_fits(text: str, translation: str) -> None:
    assert MATCHER.translate(text) == translation


def test_without_templates_every_text_stays() -> None:
    assert TemplateMatcher({}).translate("is empty") == "is empty"


def test_line_breaks_and_braces_in_fields_do_no_harm() -> None:
    assert MATCHER.translate("no {x}\n%s") == "X {x}\n%s"
