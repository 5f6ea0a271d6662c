"""Training and product embed questions alike, and training brings a question nearer to the passage that answers."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import torch

from benchmarks.answer_reader.examples import Example, TrainingSet
from benchmarks.query_encoder.network import QueryEncoder
from benchmarks.query_encoder.train import train
from indexer.encoders.multilingual_e5.encoder import MultilingualE5Encoder
from indexer.encoders.multilingual_e5.parts import QUERY_PREFIX, find_weights, open_parts

QUESTIONS = ["What does a ticket cost?", "언제 배가 떠나요?"]
TEXTS = ["The ferry leaves at nine.", "Bread costs 12 cents.", "A berth is 12 euros."]


def test_the_product_embeds_as_the_network_that_was_trained(tmp_path: Path) -> None:
    parts, path = open_parts(find_weights()), tmp_path / "tuning.safetensors"
    torch.manual_seed(3)
    network = QueryEncoder(parts, 4)
    for parameter in network.parameters():
        if parameter.requires_grad and parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=0.06)
    network.save(path)
    tokens = parts.tokenizer.encode([QUERY_PREFIX + question for question in QUESTIONS])
    with torch.no_grad():
        expected = network(tokens).numpy()
    embedded = MultilingualE5Encoder(path).encode_queries(QUESTIONS)
    published = MultilingualE5Encoder(None).encode_queries(QUESTIONS)
    network.save(path, share=0)
    np.testing.assert_allclose(MultilingualE5Encoder(path).encode_queries(QUESTIONS), published, atol=1e-3)
    # Half precision of the file, eight bits of the product's layers.
    assert (embedded * expected).sum(1).min() > 0.99 > (published * expected).sum(1).max()


def test_training_brings_questions_nearer_to_what_answers_them(tmp_path: Path) -> None:
    parts, out = open_parts(find_weights()), tmp_path / "tuning.safetensors"
    vectors = MultilingualE5Encoder(None).encode(TEXTS)
    asked = parts.tokenizer.encode([QUERY_PREFIX + question for question in QUESTIONS])
    # Some of the names fall into the share that is kept apart for validation.
    examples = [
        Example(f"document {number}", tokens, [right], [], {right: [True]})
        for number in range(60)
        for tokens, right in zip(asked, (2, 0), strict=True)
    ]
    train(
        QueryEncoder(parts, 4),
        TrainingSet([], vectors, ["leaflet"] * 3, examples),
        Namespace(out=out, steps=4, rate=1e-2),
    )
    nearer = MultilingualE5Encoder(out).encode_queries(QUESTIONS) @ vectors.T
    before = MultilingualE5Encoder(None).encode_queries(QUESTIONS) @ vectors.T
    rivals = [1, 1]
    leads = [each[[0, 1], [2, 0]] - each[[0, 1], rivals] for each in (before, nearer)]
    assert np.all(leads[1] > leads[0])
