"""A OneVision checkpoint, loaded: any folder or hub name that transformers takes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import torch

from indexer.encoders.devices import pick_device, quickest_precision
from indexer.encoders.weights import LOCAL, check_safetensors, fingerprint, located
from indexer.errors import ModelError
from services.generators.onevision.layout import FILE, Layout, layout_of

HUB = "hf-hub:"
_TYPE = "llava_onevision"
_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_WEIGHTS = ("*.safetensors",)
_PROCESSOR = ("processor_config.json", "preprocessor_config.json")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The model (in eval mode), its processor, its layout and where it computes."""

    model: Any
    processor: Any
    layout: Layout
    device: str
    dtype: torch.dtype


def folder_of(name: str) -> Path | None:
    """The folder that a model's name stands for; None for a hub name. Errors: ModelError where there is none."""
    name = located(name)
    if name.startswith(LOCAL):
        return Path(name[len(LOCAL) :])
    if not name.startswith(HUB):
        said = repr(name) if name else "no weights are named (AFTERIMAGE_GENERATOR__MODEL)"
        raise ModelError(f"{said}: write {HUB}ORGANISATION/NAME, {LOCAL}/FOLDER or package:NAME/FOLDER")
    return None


def identity(name: str) -> str:
    """Names model and weights: a folder by its name and the hash of its files, a hub model by its name."""
    folder = folder_of(name)
    if folder is None:
        return f"onevision:{name[len(HUB) :]}"
    check_folder(folder)
    files = [folder / "config.json", *(folder / file for file in _PROCESSOR if (folder / file).is_file())]
    return f"onevision:{folder.resolve().name}@{fingerprint([*files, *_weights(folder)])}"


def load(name: str, device: str, precision: str) -> Checkpoint:
    """Read the weights. `precision` is fp32, fp16, bf16 or auto. Errors: ModelError that names what is missing."""
    folder, on = folder_of(name), pick_device(device)
    if folder is not None:
        check_folder(folder)
    dtype = _DTYPES[quickest_precision(on) if precision == "auto" else precision]
    place = str(folder) if folder is not None else name[len(HUB) :]
    with _vendor(place):
        from transformers import AutoProcessor, LlavaOnevisionForConditionalGeneration
        from transformers.utils import logging

        quiet: Any = logging
        quiet.disable_progress_bar()
        local = folder is not None
        wanted: Any = LlavaOnevisionForConditionalGeneration
        model, report = wanted.from_pretrained(
            place, dtype=dtype, attn_implementation="sdpa", local_files_only=local, output_loading_info=True
        )
        reader: Any = AutoProcessor
        processor = reader.from_pretrained(place, local_files_only=local)
    if report["missing_keys"]:
        raise ModelError(
            f"{place}: the weights lack {len(report['missing_keys'])} tensors, one of them "
            f"{min(report['missing_keys'])}"
        )
    layout = Layout() if folder is None else layout_of(folder)
    return Checkpoint(model.eval().requires_grad_(False).to(on), processor, layout, on, dtype)


def twin(checkpoint: Checkpoint) -> Checkpoint:
    """The same weights, not copied, in modules and a config of their own, for another thread.

    transformers changes a model's config while the model computes (`is_causal`) and puts it back afterwards; where
    two threads do so, one reads the other's prompt with the wrong mask, and the change may stay.
    """
    model = checkpoint.model
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return replace(checkpoint, model=copy.deepcopy(model, shared))


def check_folder(folder: Path) -> None:
    """Errors: ModelError where a file of a OneVision checkpoint is not there, damaged, or of another model."""
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; it should hold a LLaVA-OneVision checkpoint")
    for file in ("config.json", "tokenizer_config.json"):
        if not (folder / file).is_file():
            raise ModelError(f"{folder}: {file} is missing")
    if not any((folder / file).is_file() for file in _PROCESSOR):
        raise ModelError(f"{folder}: {_PROCESSOR[0]} is missing")
    _check_config(folder)
    weights = _weights(folder)
    if not weights:
        raise ModelError(f"{folder}: the weights are missing (model.safetensors)")
    for tensors in weights:
        check_safetensors(tensors)
    if (folder / FILE).is_file():
        layout_of(folder)


def _check_config(folder: Path) -> None:
    try:
        kind = msgspec.json.decode((folder / "config.json").read_bytes(), type=dict[str, Any]).get("model_type")
    except (msgspec.MsgspecError, OSError) as error:
        raise ModelError(f"{folder}: config.json is damaged: {error}") from error
    if kind != _TYPE:
        raise ModelError(f"{folder}: is a model of type {kind}, not {_TYPE}")


def _weights(folder: Path) -> list[Path]:
    return sorted(file for pattern in _WEIGHTS for file in folder.glob(pattern))


@contextmanager
def _vendor(place: str) -> Iterator[None]:
    """What transformers raises becomes a ModelError of one line."""
    try:
        yield
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise ModelError(f"{place}: cannot be loaded as LLaVA-OneVision: {first}") from error
