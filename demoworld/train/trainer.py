"""Training loop of one stage: optimizers, learning-rate schedule, resumable state, periodic log lines."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from demoworld.train.open_clip_model import CONFIG

_SAVE_EVERY_STEPS, _LOG_EVERY_STEPS, _WARM_UP_STEPS, _WEIGHT_DECAY = 100, 50, 300, 0.05
_MATRIX_LAYER_PATTERN = re.compile(r"\.(resblocks|layers)\.")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Trainer:
    """Steps a model's optimizers; the state is saved every few steps, so that a stopped stage resumes where it was."""

    def __init__(self, state_file: Path, model: nn.Module, steps: int, peak_learning_rate: float) -> None:
        self._state_file, self._model, self._steps, self._peak_learning_rate = (
            state_file,
            model.to(DEVICE),
            steps,
            peak_learning_rate,
        )
        self._optimisers = _make_optimizers(model, peak_learning_rate)
        self.step, self._elapsed_before_s, self._started_s = 0, 0.0, time.monotonic()
        self._sums: dict[str, float] = {}
        if state_file.exists():
            self._resume()

    def train_step(self, loss: Tensor, figures: dict[str, float]) -> None:
        """Take one optimizer step on `loss`; `figures` are averaged into the log."""
        self._model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["share"] * self._learning_rate()
            optimiser.step()
        self.step += 1
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        if self.step % _LOG_EVERY_STEPS == 0:
            self._log_figures()
        if self.step % _SAVE_EVERY_STEPS == 0 or self.step == self._steps:
            self._save()

    def _learning_rate(self) -> float:
        warm = min(1.0, (self.step + 1) / min(_WARM_UP_STEPS, self._steps / 10))
        return self._peak_learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.step / self._steps)))

    def _log_figures(self) -> None:
        words = "  ".join(f"{name} {value / _LOG_EVERY_STEPS:.4f}" for name, value in self._sums.items())
        spent = self._elapsed_before_s + time.monotonic() - self._started_s
        print(f"step {self.step}/{self._steps}  {spent:.0f} s  {words}", flush=True)  # noqa: T201
        self._sums.clear()

    def _save(self) -> None:
        spent = self._elapsed_before_s + time.monotonic() - self._started_s
        state = {
            "step": self.step,
            "spent_s": spent,
            "model": self._model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
        }
        self._state_file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, self._state_file.with_suffix(".new"))
        self._state_file.with_suffix(".new").replace(self._state_file)

    def _resume(self) -> None:
        state = torch.load(self._state_file, map_location=DEVICE, weights_only=True)
        self._model.load_state_dict(state["model"])
        for optimiser, stored in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(stored)
        self.step, self._elapsed_before_s = state["step"], state["spent_s"]


def autocast() -> torch.autocast:
    """Return a context of bfloat16 autocast on the training device."""
    return torch.autocast(DEVICE, torch.bfloat16)


def normalize_pixels(pixels: Tensor) -> Tensor:
    """Normalise uint8 pictures `[n, 3, h, w]` as the image tower expects them."""
    mean, std = (torch.tensor(CONFIG["preprocess_cfg"][name], device=DEVICE) for name in ("mean", "std"))
    planes = pixels.to(DEVICE).float() / 255
    return (planes - mean[:, None, None]) / std[:, None, None]


def _make_optimizers(model: nn.Module, peak_learning_rate: float) -> list[torch.optim.Optimizer]:
    """Make Muon for the transformers' matrices and AdamW for all other parameters, at one rate that suits both.

    A parameter's `share` of the rate is 1 unless set. Vectors and scalars have no weight decay.
    """
    inner: list[dict[str, Any]] = []
    outer: list[dict[str, Any]] = []
    plain: list[dict[str, Any]] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            kind = (
                inner
                if _MATRIX_LAYER_PATTERN.search(name) and parameter.ndim == 2
                else outer
                if parameter.ndim > 1
                else plain
            )
            kind.append({"params": [parameter], "share": getattr(parameter, "share", 1.0)})
    decaying = [group | {"weight_decay": _WEIGHT_DECAY} for group in outer]
    still = [group | {"weight_decay": 0.0} for group in plain]
    return [
        torch.optim.Muon(inner, lr=peak_learning_rate, weight_decay=_WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([*decaying, *still], lr=peak_learning_rate, betas=(0.9, 0.98), fused=True),
    ]
