"""Image preprocessing of open_clip models on torch tensors, equal to open_clip's own with Pillow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from indexer.errors import ModelError
from indexer.types import Pixels

_MAX_ASPECT_RATIO = 8
"""Chosen: a more oblong picture is cropped to this first, which bounds the memory of resizing by the shorter side."""


@dataclass(frozen=True, slots=True)
class PictureTransform:
    """Transform pictures to an image tower's input: resize, crop or pad, normalise.

    Resizing is antialiased, on uint8; torch's kernels round as Pillow's do. `height` and `width` are the tower's input
    in pixels; `mean` and `std` are of channels in [0, 1]; `fill` is the padding's grey (0 to 255). `mode`: `shortest`
    fits the shorter side and crops, `longest` fits the longer side and pads, `squash` ignores the aspect ratio.
    """

    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    mode: Literal["shortest", "longest", "squash"] = "shortest"
    fill: int = 0

    @classmethod
    def from_config(cls, config: Mapping[str, object]) -> PictureTransform:
        """Build the transform from an open_clip model's `preprocess_cfg`. Errors: ModelError for an unknown mode."""
        height, width = _pair(config["size"])
        mode = config.get("resize_mode") or "shortest"
        if mode not in ("shortest", "longest", "squash"):
            raise ModelError(f"the model's preprocessing asks for resize_mode {mode!r}, which is unknown")
        return cls(
            height,
            width,
            _channels(config["mean"]),
            _channels(config["std"]),
            "bilinear" if config.get("interpolation") == "bilinear" else "bicubic",
            mode,
            int(str(config.get("fill_color") or 0)),
        )

    def __call__(self, pictures: Sequence[Pixels]) -> Tensor:
        """Return the pictures, which may differ in size, as `[n, 3, height, width]` float32 on the CPU."""
        rows = np.empty((len(pictures), 3, self.height, self.width), np.uint8)
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            for _ in threads.map(self._transform_into, rows, pictures):
                pass
        batch = torch.from_numpy(rows)
        scale = 1 / (255 * torch.tensor(self.std).view(3, 1, 1))
        shift = torch.tensor(self.mean).view(3, 1, 1) * 255
        return (batch.float() - shift) * scale

    def _transform_into(self, row: NDArray[np.uint8], picture: Pixels) -> None:
        writable = picture if picture.flags.writeable else picture.copy()  # torch warns of others
        row[:] = self._fit(torch.from_numpy(writable).permute(2, 0, 1)[None])[0].numpy()

    def _fit(self, picture: Tensor) -> Tensor:
        if self.mode == "squash":
            return self._resize(picture, self.height, self.width)
        if self.mode == "shortest":
            picture = _crop_to_max_aspect(picture)
        height, width = self._resize_target(*picture.shape[-2:])
        return self._center_crop_or_pad(self._resize(picture, height, width))

    def _resize_target(self, height: int, width: int) -> tuple[int, int]:
        if self.mode == "shortest" and self.height == self.width:
            short = min(height, width)
            return int(self.height * height / short), int(self.width * width / short)
        ratios = (height / self.height, width / self.width)
        ratio = max(ratios) if self.mode == "longest" else min(ratios)
        return max(1, round(height / ratio)), max(1, round(width / ratio))

    def _resize(self, picture: Tensor, height: int, width: int) -> Tensor:
        if picture.shape[-2:] == (height, width):
            return picture
        return functional.interpolate(
            picture, (height, width), mode=self.interpolation, antialias=True, align_corners=False
        )

    def _center_crop_or_pad(self, picture: Tensor) -> Tensor:
        height, width = picture.shape[-2:]
        down, across = max(0, self.height - height), max(0, self.width - width)
        if down or across:
            edges = (across // 2, across - across // 2, down // 2, down - down // 2)
            picture = functional.pad(picture, edges, value=self.fill)
            height, width = picture.shape[-2:]
        top, left = round((height - self.height) / 2), round((width - self.width) / 2)
        return picture[..., top : top + self.height, left : left + self.width]


def _crop_to_max_aspect(picture: Tensor) -> Tensor:
    height, width = picture.shape[-2:]
    longest = _MAX_ASPECT_RATIO * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    return picture[..., top : top + min(height, longest), left : left + min(width, longest)]


def _pair(size: object) -> tuple[int, int]:
    if isinstance(size, Sequence):
        return int(size[0]), int(size[-1])
    return int(str(size)), int(str(size))


def _channels(values: object) -> tuple[float, float, float]:
    if isinstance(values, Sequence):
        red, green, blue = values
        return float(red), float(green), float(blue)
    return (float(str(values)),) * 3
