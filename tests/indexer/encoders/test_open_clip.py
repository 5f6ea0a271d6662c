from __future__ import annotations

import json
import shutil
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from indexer.encoders.open_clip import OpenClipEncoder
from indexer.encoders.preprocess import PictureTransform
from indexer.errors import ModelError
from tests.support.contract_encoders import ImageTextEncoderContract, make_natural_picture
from tests.support.tiny_clip import make_tiny_clip

SIZES = ((180, 320), (320, 180), (64, 64), (65, 64), (40, 50), (721, 1283))


@pytest.fixture(scope="session")
def full_precision_encoder(tiny_clip: Path) -> OpenClipEncoder:
    return OpenClipEncoder(f"local-dir:{tiny_clip}", device="cpu", batch_size=4, precision="fp32")


@pytest.fixture(scope="session")
def half_precision_encoder(tiny_clip: Path) -> OpenClipEncoder:
    return OpenClipEncoder(f"local-dir:{tiny_clip}", device="cpu", batch_size=4, precision="bf16")


class TestOpenClipEncoder(ImageTextEncoderContract):
    @pytest.fixture
    def encoder(self, full_precision_encoder: OpenClipEncoder) -> OpenClipEncoder:
        return full_precision_encoder


class TestHalfPrecision(ImageTextEncoderContract):
    tolerance = 5e-3

    @pytest.fixture
    def encoder(self, half_precision_encoder: OpenClipEncoder) -> OpenClipEncoder:
        return half_precision_encoder

    def test_the_vectors_are_nearly_those_of_full_precision(
        self, encoder: OpenClipEncoder, full_precision_encoder: OpenClipEncoder
    ) -> None:
        pictures = [make_natural_picture(i) for i in range(3)]
        half, full = encoder.encode_images(pictures), full_precision_encoder.encode_images(pictures)
        assert np.sum(half * full, axis=1).min() > 0.995


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
def test_the_input_of_the_tower_is_that_of_open_clips_own_preprocessing(mode: str, interpolation: str) -> None:
    from open_clip.transform import PreprocessCfg, image_transform_v2

    for size in (64, (48, 64)):
        config = {"size": size, "resize_mode": mode, "interpolation": interpolation, "mean": [0.5, 0.4, 0.3]}
        config |= {"std": [0.2, 0.3, 0.4], "fill_color": 9}
        theirs = image_transform_v2(PreprocessCfg(**config), is_train=False)
        ours = PictureTransform.from_config(config)
        if size != 64 and mode == "shortest" and interpolation == "bilinear":
            continue  # open_clip resizes those with bicubic whatever the config says
        for seed, shape in enumerate(SIZES):
            picture = make_natural_picture(seed, *shape)
            difference = (ours([picture])[0] - theirs(Image.fromarray(picture))).abs()
            assert difference.max() * 0.4 * 255 < 4, (size, shape)
            assert difference.mean() * 0.4 * 255 < 0.4, (size, shape)


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
def test_vectors_agree_with_those_of_open_clips_own_preprocessing(tmp_path: Path, mode: str) -> None:
    import open_clip

    name = f"local-dir:{make_tiny_clip(tmp_path / mode, resize_mode=mode)}"
    model, preprocess = open_clip.create_model_from_pretrained(name)
    pictures = [make_natural_picture(i, *size) for i, size in enumerate(SIZES)]
    with torch.inference_mode():
        batch = torch.stack([preprocess(Image.fromarray(picture)) for picture in pictures])
        theirs = model.eval().encode_image(batch, normalize=True).numpy()
    ours = OpenClipEncoder(name, device="cpu").encode_images(pictures)
    assert np.sum(ours * theirs, axis=1).min() >= 0.999


def test_the_id_tells_weights_apart_and_not_places(tmp_path: Path, tiny_clip: Path) -> None:
    copied = tmp_path / "elsewhere" / tiny_clip.name
    shutil.copytree(tiny_clip, copied)
    other = make_tiny_clip(tmp_path / tiny_clip.name, seed=1)
    squashed = make_tiny_clip(tmp_path / "squashed" / tiny_clip.name, resize_mode="squash")
    ids = [OpenClipEncoder(f"local-dir:{folder}").model_id for folder in (tiny_clip, copied, other, squashed)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_nothing_is_fetched_for_a_folder(tiny_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    encoder = OpenClipEncoder(f"local-dir:{tiny_clip}", device="cpu")
    assert encoder.encode_texts(["a word"]).shape == (1, 64)


def test_threads_that_come_at_once_load_one_model(tiny_clip: Path) -> None:
    encoder = OpenClipEncoder(f"local-dir:{tiny_clip}", device="cpu")
    models: list[object] = []
    threads = [threading.Thread(target=lambda: models.append(encoder._load())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(models) == 4
    assert len({id(loaded) for loaded in models}) == 1


class TestWhatIsWrongIsNamed:
    @pytest.fixture
    def model_folder(self, tiny_clip: Path, tmp_path: Path) -> Path:
        return Path(shutil.copytree(tiny_clip, tmp_path / "model"))

    def load_error(self, model_folder: Path) -> str:
        encoder = OpenClipEncoder(f"local-dir:{model_folder}", device="cpu")
        with pytest.raises(ModelError) as error_info:
            encoder.encode_texts(["a word"])
        with pytest.raises(ModelError):
            _ = encoder.model_id
        assert str(model_folder) in str(error_info.value)
        assert "\n" not in str(error_info.value)
        return str(error_info.value)

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        assert "no such folder" in self.load_error(tmp_path / "nowhere")

    def test_a_missing_config(self, model_folder: Path) -> None:
        (model_folder / "open_clip_config.json").unlink()
        assert "open_clip_config.json is missing" in self.load_error(model_folder)

    def test_missing_weights(self, model_folder: Path) -> None:
        (model_folder / "open_clip_model.safetensors").unlink()
        assert "weights are missing" in self.load_error(model_folder)

    @pytest.mark.parametrize("keep", [0, 5, 4000, -64])
    def test_truncated_weights(self, model_folder: Path, keep: int) -> None:
        file = model_folder / "open_clip_model.safetensors"
        file.write_bytes(file.read_bytes()[:keep])
        assert "truncated" in self.load_error(model_folder)

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", '"x"', '{"model_type": "bert"}', '{"model_cfg": {"embed_dim": 64}}']
    )
    def test_a_config_of_something_else(self, model_folder: Path, text: str) -> None:
        (model_folder / "open_clip_config.json").write_text(text)
        assert "not the config of an open_clip model" in self.load_error(model_folder)

    def test_a_text_tower_that_would_be_fetched(self, model_folder: Path) -> None:
        config = json.loads((model_folder / "open_clip_config.json").read_text())
        config["model_cfg"]["text_cfg"]["hf_model_name"] = "organisation/tower"
        (model_folder / "open_clip_config.json").write_text(json.dumps(config))
        assert "organisation/tower" in self.load_error(model_folder)

    def test_weights_of_another_shape(self, model_folder: Path) -> None:
        config = json.loads((model_folder / "open_clip_config.json").read_text())
        config["model_cfg"]["vision_cfg"]["width"] = 96
        (model_folder / "open_clip_config.json").write_text(json.dumps(config))
        with pytest.raises(ModelError, match="cannot be loaded"):
            OpenClipEncoder(f"local-dir:{model_folder}", device="cpu").encode_texts(["a word"])

    @pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-32/no-such-tag", "nonsense/openai", ""])
    def test_a_name_that_open_clip_does_not_know(self, name: str) -> None:
        with pytest.raises(ModelError, match="NAME/TAG"):
            OpenClipEncoder(name).encode_texts(["a word"])

    def test_a_hub_that_cannot_be_reached(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        encoder = OpenClipEncoder("hf-hub:organisation/no-such-model")
        with pytest.raises(ModelError, match="organisation/no-such-model"):
            encoder.encode_texts(["a word"])
        with pytest.raises(ModelError, match="organisation/no-such-model"):
            _ = encoder.model_id

    def test_a_device_that_is_not_there(self, model_folder: Path) -> None:
        with pytest.raises(ModelError, match="no-such-device"):
            OpenClipEncoder(f"local-dir:{model_folder}", device="no-such-device").encode_texts(["a word"])
