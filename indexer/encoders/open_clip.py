"""Image-text encoder on any open_clip model."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from indexer.encoders.devices import fastest_precision, pick_device, set_torch_threads
from indexer.encoders.preprocess import PictureTransform
from indexer.encoders.weights import LOCAL_PREFIX, check_safetensors, fingerprint, resolve_weights
from indexer.errors import ModelError
from indexer.types import Pixels, Vectors

HUB_PREFIX = "hf-hub:"
_CONFIG_FILE = "open_clip_config.json"
_WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pth")

ComputePrecision = Literal["auto", "fp32", "fp16", "bf16"]
TowerForward = Callable[[Any, Tensor], Tensor]
"""Forward pass of an image tower: (tower, input `[n, 3, height, width]`) to features `[n, dim]`."""


@dataclass(frozen=True, slots=True)
class _ClipModel:
    model: Any
    tokenize: Callable[[list[str]], Tensor]
    transform: PictureTransform
    dtype: torch.dtype


class OpenClipEncoder:
    """`ImageTextEncoder` on any open_clip model, loaded once, at first use, thread-safely.

    `model` is one of `local-dir:/folder` and `package:name/folder` (nothing is fetched), `hf-hub:organisation/name`, or
    open_clip's own name and tag with a slash between, `ViT-B-32/laion2b_s34b_b79k`. `precision` "auto" is fp16 on CUDA,
    bf16 on processors with tile instructions for it (3 times as fast, cosine to fp32 0.9999), fp32 elsewhere. In fp32 a
    vector does not depend on its batch (1e-5); in half precision it does, slightly (cosine 0.999): the pipeline makes
    the same batches each time. `threads` sets torch's CPU threads for the whole process. Errors: ModelError, at first
    use; at construction where `package:` names a package that is not installed.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str = "auto",
        batch_size: int = 32,
        threads: int | None = None,
        precision: ComputePrecision = "auto",
    ) -> None:
        self._name = resolve_weights(model)
        self._device = device
        self._batch_size = batch_size
        self._threads = threads
        self._precision = precision
        self._lock = threading.Lock()
        self._model: _ClipModel | None = None

    @cached_property
    def model_id(self) -> str:
        """Identifier of model and weights: a folder's name and the hash of its files, or a hub model's commit."""
        if self._name.startswith(LOCAL_PREFIX):
            folder = Path(self._name[len(LOCAL_PREFIX) :])
            _check_folder(folder)
            return f"open_clip:{folder.resolve().name}@{fingerprint([folder / _CONFIG_FILE, *_weight_files(folder)])}"
        if self._name.startswith(HUB_PREFIX):
            return f"open_clip:{self._name[len(HUB_PREFIX) :]}@{_fetch_hub_commit(self._name)}"
        return f"open_clip:{'/'.join(_parse_name_and_tag(self._name))}"

    @cached_property
    def note(self) -> str:
        """Remark of the weights' makers for users, `note` in a folder's config; else empty."""
        return str(self._config.get("note", ""))

    @cached_property
    def min_similarity(self) -> float:
        """Cosine below which a text does not describe a picture: `floor` in a folder's config; else -1.

        Errors: ModelError where it is no number.
        """
        try:
            return float(self._config.get("floor", -1.0))
        except (TypeError, ValueError) as error:
            raise ModelError(f"{self._name}: its floor is no number") from error

    @cached_property
    def _config(self) -> Mapping[str, Any]:
        return _read_config(Path(self._name[len(LOCAL_PREFIX) :])) if self._name.startswith(LOCAL_PREFIX) else {}

    @cached_property
    def dim(self) -> int:
        """Width of an embedding."""
        return int(_read_embed_dim(self._name))

    def encode_images(self, pictures: Sequence[Pixels], forward: TowerForward | None = None) -> Vectors:
        """Embed pictures, `[n, dim]` in their order; they may differ in size.

        `forward` replaces the tower's own forward pass, to read more than features from it (`patches`).
        """
        loaded = self._load()
        tower = loaded.model.visual
        run = loaded.model.encode_image if forward is None else lambda batch: forward(tower, batch)
        return self._encode_batches(pictures, lambda batch: loaded.transform(batch).to(loaded.dtype), run)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed texts, `[n, dim]` in their order; a text longer than the model's context is cut."""
        loaded = self._load()
        return self._encode_batches(texts, lambda batch: loaded.tokenize(list(batch)), loaded.model.encode_text)

    def _encode_batches(
        self, items: Sequence[Any], prepare: Callable[[Sequence[Any]], Tensor], encode: Callable[[Tensor], Tensor]
    ) -> Vectors:
        set_torch_threads(self._threads)
        vectors = np.empty((len(items), self.dim), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(items), self._batch_size):
                batch = prepare(items[start : start + self._batch_size])
                encoded = encode(batch.to(self._torch_device, non_blocking=True))
                vectors[start : start + len(batch)] = functional.normalize(encoded.float(), dim=-1).cpu().numpy()
        return vectors

    @cached_property
    def _torch_device(self) -> str:
        return pick_device(self._device)

    @cached_property
    def _resolved_precision(self) -> str:
        if self._precision == "auto":
            return fastest_precision(self._torch_device)
        return self._precision

    def _load(self) -> _ClipModel:
        with self._lock:
            if self._model is None:
                self._model = _load(self._name, self._torch_device, self._resolved_precision)
            return self._model


def _load(name: str, device: str, precision: str) -> _ClipModel:
    architecture, tag = name, None
    if name.startswith(LOCAL_PREFIX):
        _check_folder(Path(name[len(LOCAL_PREFIX) :]))
    elif not name.startswith(HUB_PREFIX):
        architecture, tag = _parse_name_and_tag(name)
    with _translate_errors(name):
        import open_clip

        model = open_clip.create_model_from_pretrained(
            architecture, tag, precision=precision, device=device, return_transform=False
        )
        model.eval().requires_grad_(False)
        tokenize = open_clip.get_tokenizer(architecture)
        transform = PictureTransform.from_config(model.visual.preprocess_cfg)
        return _ClipModel(model, tokenize, transform, open_clip.get_input_dtype(precision) or torch.float32)


def _read_embed_dim(name: str) -> int:
    if name.startswith(LOCAL_PREFIX):
        return int(_check_folder(Path(name[len(LOCAL_PREFIX) :]))["embed_dim"])
    architecture = name if name.startswith(HUB_PREFIX) else _parse_name_and_tag(name)[0]
    with _translate_errors(name):
        import open_clip

        return int(open_clip.get_model_config(architecture)["embed_dim"])


def _parse_name_and_tag(name: str) -> tuple[str, str]:
    architecture, _, tag = name.rpartition("/")
    with _translate_errors(name):
        import open_clip

        known = open_clip.list_pretrained_tags_by_model(architecture.replace("/", "-")) if architecture else []
    if tag not in known:
        tags = f"; its tags are {', '.join(known)}" if known else ""
        raise ModelError(
            f"{name!r} is no open_clip model: write NAME/TAG, {HUB_PREFIX}ORGANISATION/NAME or "
            f"{LOCAL_PREFIX}/FOLDER{tags}"
        )
    return architecture.replace("/", "-"), tag


def _fetch_hub_commit(name: str) -> str:
    with _translate_errors(name):
        from open_clip.pretrained import download_pretrained_from_hf

        return Path(download_pretrained_from_hf(name[len(HUB_PREFIX) :], filename=_CONFIG_FILE)).parent.name[:12]


def _weight_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix in _WEIGHT_SUFFIXES)


def _check_folder(folder: Path) -> Mapping[str, Any]:
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; {LOCAL_PREFIX} needs one with {_CONFIG_FILE} and the weights")
    if not (folder / _CONFIG_FILE).is_file():
        raise ModelError(f"{folder}: {_CONFIG_FILE} is missing")
    config = _read_model_config(folder)
    weights = _weight_files(folder)
    if not weights:
        raise ModelError(f"{folder}: the weights are missing (open_clip_model.safetensors)")
    for file in weights:
        if file.suffix == ".safetensors":
            check_safetensors(file)
    return config


def _read_model_config(folder: Path) -> Mapping[str, Any]:
    try:
        config = _read_config(folder)["model_cfg"]
        missing = {"embed_dim", "vision_cfg", "text_cfg"} - set(config)
    except (KeyError, TypeError) as error:
        raise ModelError(f"{folder}: {_CONFIG_FILE} is not the config of an open_clip model") from error
    if missing:
        raise ModelError(
            f"{folder}: {_CONFIG_FILE} is not the config of an open_clip model: no {', '.join(sorted(missing))}"
        )
    tower = config["text_cfg"].get("hf_model_name")
    if tower and not Path(tower).is_dir():
        raise ModelError(f"{folder}: its text tower {tower!r} would have to be fetched; name a folder in hf_model_name")
    return dict(config)


def _read_config(folder: Path) -> Mapping[str, Any]:
    try:
        return dict(json.loads((folder / _CONFIG_FILE).read_text("utf-8")))
    except (ValueError, TypeError, OSError) as error:
        raise ModelError(f"{folder}: {_CONFIG_FILE} is not the config of an open_clip model") from error


@contextmanager
def _translate_errors(name: str) -> Iterator[None]:
    """Translate exceptions of open_clip to ModelError, and keep its log messages from installing a root handler."""
    root, null_handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(null_handler)
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        place = (
            name[len(LOCAL_PREFIX) :]
            if name.startswith(LOCAL_PREFIX)
            else f"open_clip model {name!r}, from its hub or the cache"
        )
        raise ModelError(
            f"{place}: cannot be loaded: {str(error).splitlines()[0] if str(error) else error!r}"
        ) from error
    finally:
        root.removeHandler(null_handler)
