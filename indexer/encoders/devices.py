"""Torch device, compute precision and CPU threads of the encoders."""

from __future__ import annotations

from typing import Literal

import torch

from indexer.errors import ModelError


def pick_device(device: str) -> str:
    """Return the torch device of a setting: for `auto` CUDA where available, else the CPU.

    Errors: ModelError where the name is no device, or this machine has no such device.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error
    return device


def fastest_precision(device: str) -> Literal["fp32", "fp16", "bf16"]:
    """Return the fastest precision of a device: fp16 on CUDA, bf16 on CPUs with AMX, else fp32 (decision 0008)."""
    if device.startswith("cuda"):
        return "fp16"
    return "bf16" if device == "cpu" and torch.cpu.get_capabilities().get("amx_bf16", False) else "fp32"


def set_torch_threads(threads: int | None) -> None:
    """Set torch's number of CPU threads for the whole process; None leaves it unchanged. The last call wins."""
    if threads is not None and torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
