"""Where tensors are computed."""

from __future__ import annotations

from typing import Literal

import torch

from indexer.errors import ModelError


def pick_device(device: str) -> str:
    """The torch device of a setting: `auto` is CUDA where there is one, else the CPU.

    Errors: ModelError where the name is no device, or this machine has none of it.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error
    return device


def fastest_precision(device: str) -> Literal["fp32", "fp16", "bf16"]:
    """The precision in which a device computes fastest without a loss that search would notice."""
    if device.startswith("cuda"):
        return "fp16"
    return "bf16" if device == "cpu" and torch.cpu.get_capabilities().get("amx_bf16", False) else "fp32"


def set_torch_threads(threads: int | None) -> None:
    """Lets torch compute with that many CPU threads, in the whole process, the last caller wins; None for as it is."""
    if threads is not None and torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
