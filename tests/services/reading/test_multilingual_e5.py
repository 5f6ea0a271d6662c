"""The answer reader: the sentence that answers scores best, in every language, and nothing where nothing answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from indexer.encoders.multilingual_e5.parts import find_weights, open_parts
from indexer.errors import ModelError
from indexer.types import Origin, Segment
from services.reading.multilingual_e5 import MAX_PASSAGE_TOKENS, WEIGHTS, MultilingualE5Reader, tokenize_passage
from services.reading.reader_weights import load_reader_weights
from services.reading.units import split_into_units


@pytest.fixture(scope="module")
def reader() -> MultilingualE5Reader:
    return MultilingualE5Reader(threads=2)


def _passage(text: str, context: str = "") -> Segment:
    return Segment(0, Origin.PAGE, page=1, text=text, context=context)


HARBOUR = "The ferry leaves at nine. A ticket costs 12 euros. Dogs travel free of charge. The crossing takes two hours."


@pytest.mark.parametrize(
    ("question", "text", "answer"),
    [
        ("What does a ticket for the ferry cost?", HARBOUR, "12 euros"),
        ("When does the ferry leave?", HARBOUR, "nine"),
        ("Wie lange dauert die Überfahrt mit der Fähre?", HARBOUR, "two hours"),
        (
            "환불은 며칠 안에 신청해야 합니까?",
            "매장은 10시에 문을 엽니다. 환불은 구매 후 14일 이내에 신청해야 합니다. 주차는 무료입니다.",
            "14일",
        ),
        (
            "¿Qué opción muestra la versión del programa?",
            "-h, --help: muestra la ayuda.\n-V, --version: muestra la versión.\n-q, --quiet: sin mensajes.",
            "--version",
        ),
        ("Wie hoch war der Umsatz im Mai?", "April | 310 | 12\nMai | 274 | 9\nJuni | 402 | 15", "Mai | 274"),
    ],
)
def test_the_unit_that_answers_scores_best(reader: MultilingualE5Reader, question: str, text: str, answer: str) -> None:
    (units,) = reader.read(question, [_passage(text)])
    best = max(units, key=lambda unit: unit.score)
    assert answer in text[best.start : best.end]


def test_a_passage_that_answers_scores_above_one_about_the_same_thing(reader: MultilingualE5Reader) -> None:
    passages = [_passage("The ferry was built in Gdansk. Its hull is painted white."), _passage(HARBOUR)]
    other, right = reader.read("What does a ticket for the ferry cost?", passages)
    assert max(unit.score for unit in right) > max(unit.score for unit in other) + 1


def test_scores_do_not_depend_on_what_is_read_beside_or_before(reader: MultilingualE5Reader) -> None:
    question = "When does the ferry leave?"
    alone = reader.read(question, [_passage(HARBOUR)])
    beside = reader.read(question, [_passage("Bread is made of flour."), _passage(HARBOUR), _passage("")])
    assert beside[1:] == [*alone, []]
    assert MultilingualE5Reader().read(question, [_passage(HARBOUR)]) == alone


def test_units_are_those_of_the_text_and_the_context_is_read_but_no_unit(reader: MultilingualE5Reader) -> None:
    text = "Long guns | 1,204\nHandguns | 998"
    (units,) = reader.read("How many?", [_passage(text, "Background checks\nKentucky\nLong guns | 1,204")])
    assert [text[unit.start : unit.end] for unit in units] == text.splitlines()


def test_a_passage_over_the_limit_keeps_the_units_that_fit(reader: MultilingualE5Reader) -> None:
    text = " ".join(f"Sentence number {number} says nothing new." for number in range(200))
    tokenized = tokenize_passage(open_parts(find_weights()), _passage(text))
    assert len(tokenized.ids) == MAX_PASSAGE_TOKENS
    assert 0 < len(tokenized.units) < 200
    (units,) = reader.read("What is new?", [_passage(text)])
    assert [(unit.start, unit.end) for unit in units] == tokenized.units


def test_tokens_of_a_unit_are_those_of_its_characters() -> None:
    parts = open_parts(find_weights())
    text = "Ａｌｐｈａ ﬁrst.  Second… one!\n세 번째 문장입니다."
    tokenized = tokenize_passage(parts, _passage(text, "Title"))
    assert [text[a:b] for a, b in tokenized.units] == [text[a:b] for a, b in split_into_units(text)]
    pieces = [parts.weights.vocabulary.pieces[id_][0] for id_ in tokenized.ids]
    words = ["".join(pieces[a:b]).replace("▁", " ").split() for a, b in tokenized.tokens]
    assert words[0] == ["Alpha", "first."]
    assert words[-1] == ["세", "번째", "문장입니다."]


def test_text_without_a_letter_belongs_to_the_unit_before_it() -> None:
    text = "First.\n---\nSecond!\n***"
    assert [text[a:b] for a, b in split_into_units(text)] == ["First.\n---", "Second!\n***"]


def test_neither_torch_nor_the_network_is_needed() -> None:
    code = (
        "import socket, sys; socket.socket = None;"
        "from indexer.types import Origin, Segment;"
        "from services.reading.multilingual_e5 import MultilingualE5Reader;"
        "units = MultilingualE5Reader().read('Who?', [Segment(0, Origin.PAGE, text='It was Ada.')]);"
        "print(len(units[0]), 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("1 False\n", "")


def test_the_id_names_the_weights(reader: MultilingualE5Reader, tmp_path: Path) -> None:
    assert reader.model_id.startswith("reader:multilingual-e5-small@")
    tensors = load_file(WEIGHTS)
    other = tmp_path / "other.safetensors"
    save_file({**tensors, "mean": np.zeros_like(tensors["mean"])}, other, metadata={"first_layer": "6"})
    assert MultilingualE5Reader(weights=other).model_id != reader.model_id


@pytest.mark.parametrize("content", [b"", b"no weights", None])
def test_weights_that_cannot_be_read_are_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "damaged.safetensors"
    if content is None:
        save_file({"mean": np.zeros(384, np.float32)}, path, metadata={"first_layer": "6"})
    else:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"damaged\.safetensors: cannot be read"):
        load_reader_weights(path)
