"""Training and product read alike, examples say what answers, and the fit finds what it is given."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.answer_reader.__main__ import fit_logistic
from benchmarks.answer_reader.examples import Example, TrainingSet, build_training_set
from benchmarks.answer_reader.network import UpperLayers
from benchmarks.answer_reader.passages import PlacedPassage
from benchmarks.answer_reader.train import split_examples, train
from benchmarks.real_documents.bed import BedQuestion
from indexer.encoders.multilingual_e5.encoder import MultilingualE5Encoder
from indexer.encoders.multilingual_e5.parts import QUERY_PREFIX, LayerSession, find_weights, open_parts
from indexer.types import Origin, Segment
from services.reading.multilingual_e5 import MultilingualE5Reader, tokenize_passage

TEXTS = ("The ferry leaves at nine. A ticket costs 12 euros.", "Bread costs 12 cents.\nIt is made of flour and water.")
QUESTION = "What does a ticket cost?"


def test_the_product_scores_as_the_network_that_was_trained(tmp_path: Path) -> None:
    parts = open_parts(find_weights())
    torch.manual_seed(3)
    network, lower = UpperLayers(parts, 6, 4), LayerSession(parts, range(6))
    for parameter in network.parameters():
        if parameter.requires_grad and parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=0.02)
    network.save(tmp_path / "weights.safetensors")
    segments = [Segment(0, Origin.PAGE, text=text, context="Prices") for text in TEXTS]
    tokenized = [tokenize_passage(parts, segment) for segment in segments]

    def read_apart(ids: list[int]) -> Tensor:
        return torch.from_numpy(lower.run(parts.embed_tokens(ids)))

    question = read_apart(parts.tokenizer.encode_with_spans(QUERY_PREFIX + QUESTION, 96).ids)
    passages = [read_apart(each.ids) for each in tokenized]
    with torch.no_grad():
        expected = network(question, passages, tokenized).numpy()
    again = UpperLayers(parts, 6, 4)
    again.load(tmp_path / "weights.safetensors")
    with torch.no_grad():
        repeated = again(question, passages, tokenized).numpy()
    # Updates are kept in half precision.
    assert np.abs(repeated - expected).max() < 0.05
    read = MultilingualE5Reader(weights=tmp_path / "weights.safetensors").read(QUESTION, segments)
    scores = [unit.score for units in read for unit in units]
    # Floats there, eight bits here: the scores spread over several units.
    assert np.abs(np.array(scores) - expected).max() < 0.5
    assert int(np.argmax(scores)) == int(expected.argmax())


def test_examples_label_the_unit_that_was_quoted_and_take_others_for_negatives() -> None:
    parts, encoder = open_parts(find_weights()), MultilingualE5Encoder()
    vectors = encoder.encode(list(TEXTS))
    placed = [
        PlacedPassage("leaflet", page, Segment(page, Origin.PAGE, page=page, text=text), vector)
        for page, (text, vector) in enumerate(zip(TEXTS, vectors, strict=True), 1)
    ]
    asked = {"document": "leaflet", "language": "en", "kind": "fact"}
    questions = [
        BedQuestion("a", question=QUESTION, pages=(1,), answers=(("12",),), quote="A ticket costs 12 euros.", **asked),  # type: ignore[arg-type]
        BedQuestion("b", question="Who bakes it?", pages=(), answers=(), quote="", **asked | {"kind": "unanswerable"}),  # type: ignore[arg-type]
        BedQuestion("c", question="Colour?", pages=(1,), answers=(("red",),), quote="red", **asked),  # type: ignore[arg-type]
    ]
    answered, unanswerable = build_training_set(placed, questions, parts, encoder).examples
    assert (answered.positives, answered.negatives, answered.labels) == ([0], [1], {0: [False, True]})
    assert (unanswerable.positives, sorted(unanswerable.negatives), unanswerable.labels) == ([], [0, 1], {})


def test_documents_of_the_validation_are_not_learnt_from() -> None:
    examples = [Example(f"document {number % 60}", [number], [0], [], {}) for number in range(600)]
    training, validation = split_examples(examples)
    documents = {example.document for example in validation}
    assert 0 < len(documents) < 15
    assert not documents & {example.document for example in training}
    assert len(training) + len(validation) == 600


def test_training_writes_weights_that_the_product_reads(tmp_path: Path) -> None:
    parts = open_parts(find_weights())
    passages = [tokenize_passage(parts, Segment(0, Origin.PAGE, text=text)) for text in TEXTS]
    asked = parts.tokenizer.encode_with_spans(QUERY_PREFIX + QUESTION, 96).ids
    # Some of the names fall into the share that is kept apart for validation.
    examples = [Example(f"document {number}", asked, [0], [1], {0: [False, True]}) for number in range(60)]
    args = Namespace(out=tmp_path / "weights.safetensors", steps=1, passages=2, rate=1e-3)
    vectors = MultilingualE5Encoder().encode(list(TEXTS))
    train(UpperLayers(parts, 6, 4), TrainingSet(passages, vectors, ["leaflet"] * 2, examples), args, 0, 1)
    segments = [Segment(0, Origin.PAGE, text=text) for text in TEXTS]
    read = MultilingualE5Reader(weights=args.out).read(QUESTION, segments)
    assert [len(units) for units in read] == [2, 2]


def test_the_fit_finds_weights_and_bias() -> None:
    random = np.random.default_rng(5)
    inputs = random.normal(size=(20_000, 2)) * (1.0, 10.0)
    right = random.random(20_000) < 1 / (1 + np.exp(-(inputs @ (1.5, -0.1) - 0.5)))
    assert fit_logistic(inputs, right) == pytest.approx([1.5, -0.1, -0.5], abs=0.1)
