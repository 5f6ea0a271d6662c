"""Every setting says what it does, and `docs/settings.md` says the same of it, and of no other."""

from __future__ import annotations

import re
from collections.abc import Mapping

from services.settings import describe_variables
from tests.house.source_tree import ROOT

ROW = re.compile(r"^\| `(AFTERIMAGE_\w+)` \|.*\| (.*) \|$", re.MULTILINE)


def test_every_setting_is_documented_by_its_description() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert undocumented_settings(describe_variables(), page) == []


def test_an_undocumented_setting_is_noticed() -> None:
    descriptions = {"AFTERIMAGE_A": "a number", "AFTERIMAGE_B": "", "AFTERIMAGE_C": "a path", "AFTERIMAGE_D": "a name"}
    page = "| `AFTERIMAGE_A` | `1` | a number |\n| `AFTERIMAGE_B` | |  |\n| `AFTERIMAGE_D` | | a word |\n"
    assert undocumented_settings(descriptions, page) == ["AFTERIMAGE_B", "AFTERIMAGE_C", "AFTERIMAGE_D"]


def test_a_documented_setting_that_is_none_is_noticed() -> None:
    assert undocumented_settings({}, "| `AFTERIMAGE_A` | `1` | a number |\n") == ["AFTERIMAGE_A"]


def undocumented_settings(descriptions: Mapping[str, str], page: str) -> list[str]:
    """Return the settings without a description, or with another one on the page, and rows of the page without one."""
    rows = dict(ROW.findall(page))
    return sorted(
        name for name in {*descriptions, *rows} if not descriptions.get(name) or rows.get(name) != descriptions[name]
    )
