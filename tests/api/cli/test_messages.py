"""Every message of the command line has a Korean translation, and a user's language is found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

import pytest
import typer
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from api.cli import console, messages
from api.cli.main import app
from api.cli.messages import choose_language, explain, translate, translate_count
from services.answering.abstention import NOTHING_FOUND
from services.answering.types import Verdict
from services.catalog.coverage import CAPABILITIES, Gap
from services.doctor import _PROBES, CheckStatus
from services.ingest.types import MEASURING_SCORES, Outcome
from services.settings import LANGUAGES
from tests.house.source_tree import parse_source, source_files
from tests.support.message_sources import find_error_texts, find_messages

FOLDER = messages.LOCALE_FOLDER / "ko" / "LC_MESSAGES"
WORDS = [*Outcome, *CheckStatus, *Verdict, *_PROBES, MEASURING_SCORES, NOTHING_FOUND]
WORDS += [console.STOPPED, console.STOPPED_RESUMABLE, console.STOPPED_KEPT]
"""Messages that reach `_` by a variable."""
NEVER_SHOWN = [
    r"services/(access/(permissions|media_urls)|database/(pagination|idempotency)|playback|generators/extractive)",
    r"services/(ingest/source_resolver|generators/onevision/(batching|visual_vocabulary))",
    r"services/generators/openai_compatible/(json_writing|parts)",
    r"indexer/(indexes/(exact|vector_rows|qdrant/points)|storage/blob_keys|encoders/preprocess)",
]
"""Modules whose errors are answers of HTTP, or bugs."""
PARTICLE = re.compile(r"(?<!\{files)(?<!\{assets)\}(을|를|은|는|이|가|과|와|으로|로)")
"""A particle whose form depends on the field before it; files and assets are counted, and end in 개."""
NEVER_SHOWN_TEXTS = {
    "{}: its floor is no number",
    "memory {} has tokens of shape {}; the server takes [n, {}]",
    "leads out of the folders of AFTERIMAGE_INGEST__ALLOWED_ROOTS",
    "this key is not known",
    "the key {} was revoked",
    "the key {} has expired",
}
"""Single texts of that sort."""


def test_every_message_of_the_commands_is_translated() -> None:
    known = {text for message in _catalog() if message.context is None for text in _ids(message)}
    sent = [text for file in source_files("api/cli") for text in find_messages(file)]
    assert sorted({*sent, *_help_texts(), *WORDS} - known) == []


def test_every_error_that_a_command_shows_is_translated() -> None:
    shapes = {_shape(text) for message in _catalog() if message.context for text in _ids(message)}
    found = find_error_texts("indexer", "memory", "services", "api/cli")
    never_shown = re.compile("|".join(NEVER_SHOWN))
    missing = {text: place for text, place in found.items() if text.strip("; ") not in shapes | NEVER_SHOWN_TEXTS}
    assert {text: place for text, place in missing.items() if not never_shown.match(place)} == {}


def test_a_message_without_a_translation_is_noticed() -> None:
    text = 'from x import translate as _\nout.print(_("a {thing}", thing=1))\nprint(f"{_(\'inner\')}", _(variable))\n'
    assert list(find_messages(parse_source(text))) == ["a {thing}", "inner"]


def test_every_translation_is_complete_and_has_the_fields_of_its_message() -> None:
    for message in _catalog():
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(texts), message.id
        assert not message.fuzzy, message.id
        fields = [set(_fields(text)) for text in (*_ids(message), *texts)]
        assert len({frozenset(names) for names in fields}) == 1, message.id


def test_no_translation_has_a_particle_that_depends_on_the_word_before_it() -> None:
    for message in _catalog():
        for text in message.string if isinstance(message.string, tuple) else (message.string,):
            assert not PARTICLE.search(text), text


def test_the_compiled_catalog_is_that_of_the_source() -> None:
    compiled = BytesIO()
    write_mo(compiled, _catalog())
    assert compiled.getvalue() == (FOLDER / "afterimage.mo").read_bytes(), "run `make messages`"


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko_KR.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ({"LC_ALL": "C", "LANG": "ko_KR.UTF-8"}, "c"),
        ({"LC_ALL": "", "LANG": "ko"}, "ko"),
        ({"LC_ALL": "C", "AFTERIMAGE_LANG": "ko"}, "ko"),
        ({"LANG": "ko_KR", "AFTERIMAGE_LANG": "en"}, "en"),
    ],
)
def test_the_language_is_that_of_the_first_variable_that_is_set(environ: dict[str, str], language: str) -> None:
    assert choose_language(environ) == language


def test_messages_stay_english_where_there_is_no_translation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_LANG", "ko")
    assert translate("a message of tomorrow, {number}", number=3) == "a message of tomorrow, 3"
    assert explain("x.mp4: a reason of tomorrow") == "x.mp4: a reason of tomorrow"
    monkeypatch.setenv("AFTERIMAGE_LANG", "C")
    assert (translate("Nothing found."), explain("the question is empty")) == (
        "Nothing found.",
        "the question is empty",
    )


def test_numbers_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_LANG", "en")
    assert [translate_count("{number} asset", "{number} assets", n) for n in (1, 2)] == ["1 asset", "2 assets"]
    monkeypatch.setenv("AFTERIMAGE_LANG", "ko")
    assert [translate_count("{number} asset", "{number} assets", n) for n in (1, 2)] == ["자산 1개", "자산 2개"]


def test_gaps_of_every_capability_are_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_LANG", "ko")
    for capability in CAPABILITIES:
        assert "자산 5개 중 2개" in explain(str(Gap(capability, 2, 5)))


@pytest.mark.parametrize(
    ("text", "korean"),
    [
        (
            "process 17 is writing to /home/x; try again when it is done",
            "프로세스 17: /home/x에 쓰고 있습니다. 끝난 뒤에 다시 시도하십시오",
        ),
        (
            "/x/a: no space left to write (No space left on device)",
            "/x/a: 쓸 공간이 없습니다 (장치에 남은 공간이 없습니다)",
        ),
        ("is empty; 3 damaged packets were skipped", "비어 있습니다; 손상된 패킷 3개를 건너뛰었습니다"),
        ("no collection 'a'; nothing is indexed yet", "컬렉션을 찾을 수 없습니다: 'a'. 아직 색인된 것이 없습니다"),
    ],
)
def test_errors_of_other_layers_are_explained(monkeypatch: pytest.MonkeyPatch, text: str, korean: str) -> None:
    monkeypatch.setenv("AFTERIMAGE_LANG", "ko")
    assert explain(text) == korean


def test_there_is_a_catalog_for_every_language_of_the_setting() -> None:
    assert {path.name for path in messages.LOCALE_FOLDER.iterdir()} == set(LANGUAGES) - {"en"}


def _catalog() -> Catalog:
    with (FOLDER / "afterimage.po").open("rb") as file:
        catalog = read_po(file, locale="ko")
    assert next(iter(catalog)).id == ""
    return catalog


def _ids(message: Message) -> tuple[str, ...]:
    return message.id if isinstance(message.id, tuple | list) else (message.id,)


def _help_texts() -> Iterator[str]:
    def walk(command: Any) -> Iterator[str]:  # noqa: ANN401 (click's Command)
        yield from (" ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n"))
        yield from (parameter.help for parameter in command.params if parameter.help)
        for subcommand in getattr(command, "commands", {}).values():
            yield from walk(subcommand)

    return walk(typer.main.get_command(app))


def _fields(text: str) -> Iterable[str]:
    return re.findall(r"\{(\w*)\}", text)


def _shape(text: str) -> str:
    return re.sub(r"\{\w+\}", "{}", text)
