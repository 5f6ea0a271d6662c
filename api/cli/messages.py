"""Localisation of the command line's messages by gettext: English is the source text, `locale/` has the translations.

`translate` (imported as `_`) is for what commands say themselves. `explain` is for what other layers made: errors,
warnings, results of checks. They are English everywhere else (logs, JSON, HTTP), and translated where they are shown.
"""

from __future__ import annotations

import gettext
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from api.cli.message_templates import TemplateMatcher

DOMAIN = "afterimage"
LOCALE_FOLDER = Path(__file__).parent / "locale"
_SOURCE_LANGUAGE = "en"
MADE_ELSEWHERE = "made elsewhere"
"""Context (`msgctxt`) of the messages that other layers make; their ids are templates with named fields."""
_VARIABLES = ("AFTERIMAGE_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
"""Variables that name a language, the first that is set decides. Source: POSIX, section 8.2, but for our own."""


def choose_language(environ: Mapping[str, str]) -> str:
    """Return the language of the user: that of the first variable that is set, else English."""
    locale = next((environ[name] for name in _VARIABLES if environ.get(name)), "")
    return re.split(r"[-_.@]", locale)[0].lower() or _SOURCE_LANGUAGE


def translate(message: str, **fields: object) -> str:
    """Return a message in the language of the user, its `{fields}` filled in; English where it has no translation."""
    text = _load_catalog(_user_language()).gettext(message) if message else ""
    return text.format(**fields) if fields else text


def translate_count(singular: str, plural: str, number: int, **fields: object) -> str:
    """Return the message that fits a number, which is its field `number`, in the language of the user."""
    text = _load_catalog(_user_language()).ngettext(singular, plural, number)
    return text.format(number=number, **fields)


def explain(text: str) -> str:
    """Return a text of another layer in the language of the user; unchanged where no template matches."""
    return _load_templates(_user_language()).translate(text)


def use_for_typer() -> None:
    """Let gettext translate the words that Typer says itself; to be called before Typer is imported."""
    if (language := _user_language()) != _SOURCE_LANGUAGE:
        os.environ["LANGUAGE"] = language
        gettext.bindtextdomain(DOMAIN, str(LOCALE_FOLDER))
        gettext.textdomain(DOMAIN)


def _user_language() -> str:
    return choose_language(os.environ)


@cache
def _load_catalog(language: str) -> gettext.NullTranslations:
    """Load the messages of a language; where there are none, all stay English."""
    return gettext.translation(DOMAIN, LOCALE_FOLDER, [language], fallback=True)


@cache
def _load_templates(language: str) -> TemplateMatcher:
    """Load the templates of the messages that other layers make. gettext has no public way to list a catalog."""
    catalog: dict[object, str] = getattr(_load_catalog(language), "_catalog", {})
    start = gettext.GNUTranslations.CONTEXT % (MADE_ELSEWHERE, "")
    templates = {key: text for key, text in catalog.items() if isinstance(key, str) and key.startswith(start)}
    return TemplateMatcher({key.removeprefix(start): text for key, text in templates.items()})
