"""Vision encoder: pictures to visual tokens, by the checkpoint's own processor, vision tower and projector."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from indexer.types import Pixels
from services.generators.onevision.checkpoint import OneVisionCheckpoint
from services.generators.onevision.prompt_template import fit_grid

_log = logging.getLogger(__name__)


class VisionEncoder:
    """Vision encoder of a checkpoint. Tokens are `[n, D]` on its device and in its precision.

    When the GPU's memory runs out, the batch size is halved for good, down to one, with a warning.
    """

    def __init__(self, checkpoint: OneVisionCheckpoint, batch_size: int = 16) -> None:
        self._model, self._processor = checkpoint.model, checkpoint.processor
        self._device, self._dtype, self._batch_size = checkpoint.device, checkpoint.dtype, batch_size
        vision = checkpoint.model.config.vision_config
        self.grid_side = math.ceil(vision.image_size // vision.patch_size / 2)
        """Rows and columns of a frame's tokens before they are pooled any further: 14 for SigLIP's 27."""
        self.width = int(checkpoint.model.config.text_config.hidden_size)
        self.view_tokens = (vision.image_size // vision.patch_size) ** 2 + 1

    @property
    def newline_token(self) -> Tensor:
        """Newline token that ends a video or a row of a picture, `[1, D]`."""
        newline: Tensor = self._model.model.image_newline[None]
        return newline.to(self._dtype)

    def count_frame_tokens(self, max_tokens: int) -> int:
        """Return the number of tokens of a frame that may have `max_tokens` at most."""
        rows, columns = fit_grid(max_tokens, self.grid_side)
        return rows * columns

    def encode_frames(self, pictures: Sequence[Pixels], max_tokens: int) -> list[Tensor]:
        """Encode video frames of any sizes, each to `count_frame_tokens(max_tokens)` tokens."""
        visual_tokens: list[Tensor] = []
        while len(visual_tokens) < len(pictures):
            batch = pictures[len(visual_tokens) : len(visual_tokens) + self._batch_size]
            visual_tokens += self._run_or_halve_batch(partial(self._encode_frame_batch, batch, max_tokens), len(batch))
        return visual_tokens

    def encode_image(self, picture: Pixels) -> Tensor:
        """Encode a picture in full detail by AnyRes: a base view and tiles, rows ended by newline tokens."""
        (tokens,) = self._encode_image_planes(self._processor.image_processor(picture, return_tensors="pt"))
        return tokens

    def count_image_tokens(self, height: int, width: int) -> int:
        """Return the number of tokens that `encode_image` gives for a picture of that size in pixels."""
        (tokens,) = self._processor._get_num_multimodal_tokens(image_sizes=[(height, width)])["num_image_tokens"]
        return int(tokens)

    def encode_views(self, pictures: Sequence[Pixels]) -> list[Tensor]:
        """Encode several pictures as the model takes several: padded squares of `view_tokens` each."""
        if not pictures:
            return []
        planes = self._processor.image_processor([[*pictures, pictures[-1]]], return_tensors="pt")
        return self._encode_image_planes(planes)[:-1]

    def _encode_frame_batch(self, pictures: Sequence[Pixels], max_tokens: int) -> list[Tensor]:
        """Encode pictures as one-frame videos, without the newline token that ends each."""
        planes = self._processor.video_processor([[picture] for picture in pictures], return_tensors="pt")
        pixels = torch.stack(list(planes["pixel_values_videos"])).to(self._device, self._dtype)
        with torch.inference_mode():
            grids = self._model.model.get_video_features(pixels, return_dict=True).pooler_output[:, :-1]
            return list(pool_grids(grids, self.grid_side, max_tokens))

    def _encode_image_planes(self, planes: dict[str, Tensor]) -> list[Tensor]:
        """Encode images that the processor has prepared."""
        with torch.inference_mode():
            out = self._model.model.get_image_features(
                planes["pixel_values"].to(self._device, self._dtype),
                planes["image_sizes"],
                vision_aspect_ratio=self._model.config.vision_aspect_ratio,
                batch_num_images=planes["batch_num_images"],
                return_dict=True,
            )
        return list(out.pooler_output)

    def _run_or_halve_batch(self, encode: Callable[[], list[Tensor]], batch_size: int) -> list[Tensor]:
        """Return the tokens of a batch; halve the batch size and return none when the memory runs out."""
        try:
            return encode()
        except torch.OutOfMemoryError:
            if batch_size == 1:
                raise
        self._batch_size = max(1, batch_size // 2)
        torch.cuda.empty_cache()
        _log.warning("out of GPU memory: from now on %d pictures are encoded at once", self._batch_size)
        return []


def pool_grids(grids: Tensor, side: int, max_tokens: int) -> Tensor:
    """Average-pool grids of tokens `[n, side², D]` to at most `max_tokens` each, `[n, rows · columns, D]`."""
    rows, columns = fit_grid(max_tokens, side)
    if (rows, columns) == (side, side):
        return grids
    planes = grids.reshape(len(grids), side, side, -1).permute(0, 3, 1, 2)
    return functional.adaptive_avg_pool2d(planes.float(), (rows, columns)).to(grids.dtype).flatten(2).transpose(1, 2)
