"""One stage of training: optimiser, schedule, a state to go on from, a line of figures now and then."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from demoworld.train.model import CONFIG

_SAVE_EVERY, _TELL_EVERY, _WARM_UP, _DECAY = 100, 50, 300, 0.05
_INNER = re.compile(r"\.(resblocks|layers)\.")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Run:
    """Counts steps; the state is saved every few hundred, so that a stopped stage goes on where it was."""

    def __init__(self, state: Path, model: nn.Module, steps: int, peak: float) -> None:
        self._state, self._model, self._steps, self._peak = state, model.to(DEVICE), steps, peak
        self._optimisers = _optimisers(model, peak)
        self.step, self._spent_s, self._since = 0, 0.0, time.monotonic()
        self._sums: dict[str, float] = {}
        if state.exists():
            self._resume()

    def advance(self, loss: Tensor, figures: dict[str, float]) -> None:
        """One step down the gradient of `loss`."""
        self._model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["share"] * self._rate()
            optimiser.step()
        self.step += 1
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        if self.step % _TELL_EVERY == 0:
            self._tell()
        if self.step % _SAVE_EVERY == 0 or self.step == self._steps:
            self._save()

    def _rate(self) -> float:
        warm = min(1.0, (self.step + 1) / min(_WARM_UP, self._steps / 10))
        return self._peak * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.step / self._steps)))

    def _tell(self) -> None:
        words = "  ".join(f"{name} {value / _TELL_EVERY:.4f}" for name, value in self._sums.items())
        spent = self._spent_s + time.monotonic() - self._since
        print(f"step {self.step}/{self._steps}  {spent:.0f} s  {words}", flush=True)  # noqa: T201
        self._sums.clear()

    def _save(self) -> None:
        spent = self._spent_s + time.monotonic() - self._since
        state = {
            "step": self.step,
            "spent_s": spent,
            "model": self._model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
        }
        self._state.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, self._state.with_suffix(".new"))
        self._state.with_suffix(".new").replace(self._state)

    def _resume(self) -> None:
        state = torch.load(self._state, map_location=DEVICE, weights_only=True)
        self._model.load_state_dict(state["model"])
        for optimiser, stored in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(stored)
        self.step, self._spent_s = state["step"], state["spent_s"]


def autocast() -> torch.autocast:
    """bfloat16 where it counts."""
    return torch.autocast(DEVICE, torch.bfloat16)


def normalised(pixels: Tensor) -> Tensor:
    """uint8 pictures `[n, 3, h, w]` as the tower wants them."""
    mean, std = (torch.tensor(CONFIG["preprocess_cfg"][name], device=DEVICE) for name in ("mean", "std"))
    planes = pixels.to(DEVICE).float() / 255
    return (planes - mean[:, None, None]) / std[:, None, None]


def _optimisers(model: nn.Module, peak: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the transformers, AdamW for all else; both at the same rate, which suits both.

    A parameter's `share` of the rate is 1 unless it says otherwise. Vectors and scalars do not decay.
    """
    inner: list[dict[str, Any]] = []
    outer: list[dict[str, Any]] = []
    plain: list[dict[str, Any]] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            kind = inner if _INNER.search(name) and parameter.ndim == 2 else outer if parameter.ndim > 1 else plain
            kind.append({"params": [parameter], "share": getattr(parameter, "share", 1.0)})
    decaying = [group | {"weight_decay": _DECAY} for group in outer]
    still = [group | {"weight_decay": 0.0} for group in plain]
    return [
        torch.optim.Muon(inner, lr=peak, weight_decay=_DECAY, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([*decaying, *still], lr=peak, betas=(0.9, 0.98), fused=True),
    ]
