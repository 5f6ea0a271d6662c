"""One stage of training: optimiser, schedule, a state to go on from, a line of figures now and then."""

from __future__ import annotations

import math
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from demoworld.train.model import CONFIG

_SAVE_EVERY, _TELL_EVERY, _WARM_UP = 500, 50, 300
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Run:
    """Counts steps; the state is saved every few hundred, so that a stopped stage goes on where it was."""

    def __init__(self, state: Path, model: nn.Module, steps: int, peak: float) -> None:
        self._state, self._model, self._steps, self._peak = state, model.to(DEVICE), steps, peak
        self._optimiser = torch.optim.AdamW(_groups(model), lr=peak, betas=(0.9, 0.98), fused=True)
        self.step, self._spent_s, self._since = 0, 0.0, time.monotonic()
        self._sums: dict[str, float] = {}
        if state.exists():
            self._resume()

    def advance(self, loss: Tensor, figures: dict[str, float]) -> None:
        """One step down the gradient of `loss`."""
        for group in self._optimiser.param_groups:
            group["lr"] = group["share"] * self._rate()
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimiser.step()
        self.step += 1
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        if self.step % _TELL_EVERY == 0:
            self._tell()
        if self.step % _SAVE_EVERY == 0 or self.step == self._steps:
            self._save()

    def _rate(self) -> float:
        warm = min(1.0, (self.step + 1) / _WARM_UP)
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
            "optimiser": self._optimiser.state_dict(),
        }
        self._state.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, self._state.with_suffix(".new"))
        self._state.with_suffix(".new").replace(self._state)

    def _resume(self) -> None:
        state = torch.load(self._state, map_location=DEVICE, weights_only=True)
        self._model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.step, self._spent_s = state["step"], state["spent_s"]


def autocast() -> torch.autocast:
    """bfloat16 where it counts."""
    return torch.autocast(DEVICE, torch.bfloat16)


def normalised(pixels: Tensor) -> Tensor:
    """uint8 pictures `[n, 3, h, w]` as the tower wants them."""
    mean, std = (torch.tensor(CONFIG["preprocess_cfg"][name], device=DEVICE) for name in ("mean", "std"))
    planes = pixels.to(DEVICE).float() / 255
    return (planes - mean[:, None, None]) / std[:, None, None]


def _groups(model: nn.Module) -> list[dict[str, object]]:
    """Matrices decay, vectors and scalars do not. A parameter's `share` of the rate is 1 unless it says otherwise."""
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            key = (getattr(parameter, "share", 1.0), parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    return [
        {"params": some, "share": share, "weight_decay": 0.05 if decays else 0.0}
        for (share, decays), some in groups.items()
    ]
