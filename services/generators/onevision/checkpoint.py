"""Loading of LLaVA-OneVision checkpoints: validation, model id, weights, processor and prompt template."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import torch

from indexer.encoders.devices import fastest_precision, pick_device
from indexer.encoders.weights import LOCAL_PREFIX, check_safetensors, fingerprint, resolve_weights
from indexer.errors import ModelError
from services.generators.onevision.prompt_template import PROMPT_TEMPLATE_FILE, PromptTemplate, load_prompt_template

HUB_PREFIX = "hf-hub:"
_MODEL_TYPE = "llava_onevision"
_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_WEIGHT_PATTERNS = ("*.safetensors",)
_PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")


@dataclass(frozen=True, slots=True)
class OneVisionCheckpoint:
    """Loaded checkpoint: the model in eval mode, its processor, its prompt template, its device and precision."""

    model: Any
    processor: Any
    prompt_template: PromptTemplate
    device: str
    dtype: torch.dtype


def resolve_folder(name: str) -> Path | None:
    """Return the folder of a local model, None for a hub name. Errors: ModelError for a name of neither form."""
    name = resolve_weights(name)
    if name.startswith(LOCAL_PREFIX):
        return Path(name[len(LOCAL_PREFIX) :])
    if not name.startswith(HUB_PREFIX):
        problem = repr(name) if name else "no weights are named (AFTERIMAGE_GENERATOR__MODEL)"
        raise ModelError(
            f"{problem}: write {HUB_PREFIX}ORGANISATION/NAME, {LOCAL_PREFIX}/FOLDER or package:NAME/FOLDER"
        )
    return None


def compute_model_id(name: str) -> str:
    """Return the model id: a folder's name and the hash of its files, or a hub model's name. Errors: ModelError."""
    folder = resolve_folder(name)
    if folder is None:
        return f"onevision:{name[len(HUB_PREFIX) :]}"
    validate_folder(folder)
    files = [folder / "config.json", *(folder / file for file in _PROCESSOR_FILES if (folder / file).is_file())]
    return f"onevision:{folder.resolve().name}@{fingerprint([*files, *_weight_files(folder)])}"


def load_checkpoint(name: str, device: str, precision: str) -> OneVisionCheckpoint:
    """Load a checkpoint. `precision` is fp32, fp16, bf16 or auto. Errors: ModelError that names what is missing."""
    folder, target_device = resolve_folder(name), pick_device(device)
    if folder is not None:
        validate_folder(folder)
    dtype = _DTYPES[fastest_precision(target_device) if precision == "auto" else precision]
    place = str(folder) if folder is not None else name[len(HUB_PREFIX) :]
    with _translate_errors(place):
        from transformers import AutoProcessor, LlavaOnevisionForConditionalGeneration
        from transformers.utils import logging

        quiet: Any = logging
        quiet.disable_progress_bar()
        local = folder is not None
        model_class: Any = LlavaOnevisionForConditionalGeneration
        model, report = model_class.from_pretrained(
            place, dtype=dtype, attn_implementation="sdpa", local_files_only=local, output_loading_info=True
        )
        processor_class: Any = AutoProcessor
        processor = processor_class.from_pretrained(place, local_files_only=local)
    if report["missing_keys"]:
        raise ModelError(
            f"{place}: the weights lack {len(report['missing_keys'])} tensors, one of them "
            f"{min(report['missing_keys'])}"
        )
    template = PromptTemplate() if folder is None else load_prompt_template(folder)
    return OneVisionCheckpoint(
        model.eval().requires_grad_(False).to(target_device), processor, template, target_device, dtype
    )


def clone_modules(checkpoint: OneVisionCheckpoint) -> OneVisionCheckpoint:
    """Return the checkpoint with modules and config of its own that share the weights, for another thread.

    transformers changes a model's config while the model computes (`is_causal`) and restores it afterwards; of two
    threads that do so, one may compute with the wrong mask, and the change may stay (decision 0027).
    """
    model = checkpoint.model
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return replace(checkpoint, model=copy.deepcopy(model, shared))


def validate_folder(folder: Path) -> None:
    """Raise ModelError if a file of a OneVision checkpoint is missing, damaged, or of another model type."""
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder; it should hold a LLaVA-OneVision checkpoint")
    for file in ("config.json", "tokenizer_config.json"):
        if not (folder / file).is_file():
            raise ModelError(f"{folder}: {file} is missing")
    if not any((folder / file).is_file() for file in _PROCESSOR_FILES):
        raise ModelError(f"{folder}: {_PROCESSOR_FILES[0]} is missing")
    _validate_config(folder)
    weights = _weight_files(folder)
    if not weights:
        raise ModelError(f"{folder}: the weights are missing (model.safetensors)")
    for tensors in weights:
        check_safetensors(tensors)
    if (folder / PROMPT_TEMPLATE_FILE).is_file():
        load_prompt_template(folder)


def _validate_config(folder: Path) -> None:
    """Raise ModelError if the model's config is damaged or of another model type."""
    try:
        model_type = msgspec.json.decode((folder / "config.json").read_bytes(), type=dict[str, Any]).get("model_type")
    except (msgspec.MsgspecError, OSError) as error:
        raise ModelError(f"{folder}: config.json is damaged: {error}") from error
    if model_type != _MODEL_TYPE:
        raise ModelError(f"{folder}: is a model of type {model_type}, not {_MODEL_TYPE}")


def _weight_files(folder: Path) -> list[Path]:
    return sorted(file for pattern in _WEIGHT_PATTERNS for file in folder.glob(pattern))


@contextmanager
def _translate_errors(place: str) -> Iterator[None]:
    """Translate any exception of transformers into a ModelError of one line."""
    try:
        yield
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise ModelError(f"{place}: cannot be loaded as LLaVA-OneVision: {reason}") from error
