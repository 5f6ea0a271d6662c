"""Training footage: rendered videos and photos, their visible content, and the frozen image tower's features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from demoworld.train.open_clip_model import IMAGE_PX
from demoworld.train.scene_batches import CONCEPT_COUNT, label_patches, perturb
from demoworld.train.tower import load_clip_tower
from demoworld.train.trainer import DEVICE, normalize_pixels
from demoworld.world.claims import VisibleContent
from demoworld.world.random_scenes import Split, sample_scene
from demoworld.world.rendering import render_instance_mask, render_scene
from demoworld.world.scene import Scene
from demoworld.world.script import generate_shots

_VIDEO_S = 600.0
_ENCODE_BATCH_SIZE = 128


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """One picture: its index in the footage, its time in its video, its visible content, and its sign's text."""

    index: int
    time_s: float
    content: VisibleContent
    sign_text: str | None

    @property
    def concept_names(self) -> list[str]:
        """The names of the clearly visible concepts, sorted."""
        return sorted(self.content.counts)


@dataclass(frozen=True, slots=True)
class Footage:
    """Rendered pictures with features and labels.

    `videos` are sampled at one frame a second; `photos` stand alone. `tokens[index]` are a picture's features `[64,
    192]` in float16, `token_classes[index]` the class of each of its 16 pooled tokens.
    """

    videos: tuple[tuple[LabelledFrame, ...], ...]
    photos: tuple[LabelledFrame, ...]
    tokens: Tensor
    token_classes: Tensor


def render_footage(vision_checkpoint: Path, seed: int, video_count: int, photo_count: int) -> Footage:
    """Render ten-minute videos and photos, encoded with the image tower of an open_clip folder."""
    rng = np.random.default_rng(seed)
    scenes: list[Scene] = []
    videos = [_render_video(scenes, [seed, number]) for number in range(video_count)]
    photos = tuple(_register_frame(scenes, sample_scene(rng, Split.TRAIN), 0.0) for _ in range(photo_count))
    return Footage(
        tuple(videos),
        photos,
        _encode_frames(vision_checkpoint, scenes, rng),
        torch.stack([_pool_token_classes(scene) for scene in scenes]),
    )


def _render_video(scenes: list[Scene], seed: Sequence[int]) -> tuple[LabelledFrame, ...]:
    shots = generate_shots(int(np.random.default_rng(seed).integers(2**31)), _VIDEO_S, split=Split.TRAIN)
    times = ((shot, float(time_s)) for shot in shots for time_s in np.arange(np.ceil(shot.start_s), shot.end_s))
    return tuple(_register_frame(scenes, shot.scene_at(time_s), time_s) for shot, time_s in times)


def _register_frame(scenes: list[Scene], scene: Scene, time_s: float) -> LabelledFrame:
    scenes.append(scene)
    return LabelledFrame(
        len(scenes) - 1, time_s, VisibleContent.from_scene(scene), None if scene.sign is None else scene.sign.text
    )


def _pool_token_classes(scene: Scene) -> Tensor:
    """Return the class of each 4 × 4 part of a picture: the concept covering most of it, or the place."""
    patches = torch.from_numpy(label_patches(scene, render_instance_mask(scene, IMAGE_PX, IMAGE_PX)[0])).reshape(
        4, 2, 4, 2
    )
    parts = patches.permute(0, 2, 1, 3).reshape(16, 4)
    things = torch.where(parts < CONCEPT_COUNT, parts, -1)
    common = things.mode(1).values
    return torch.where(things.amax(1) >= 0, torch.where(common >= 0, common, things.amax(1)), parts[:, 0])


def _encode_frames(vision_checkpoint: Path, scenes: Sequence[Scene], rng: np.random.Generator) -> Tensor:
    tower: Any = load_clip_tower(vision_checkpoint)
    tower.to(DEVICE)
    tokens = []
    with torch.inference_mode():
        for planes in _render_batches(scenes, rng):
            features = tower(normalize_pixels(planes), output_hidden_states=True).hidden_states[-1]
            tokens.append(features[:, 1:].half().cpu())
    return torch.cat(tokens)


def _render_batches(scenes: Sequence[Scene], rng: np.random.Generator) -> Iterator[Tensor]:
    for first in range(0, len(scenes), _ENCODE_BATCH_SIZE):
        pictures = [
            perturb(render_scene(scene, IMAGE_PX, IMAGE_PX), rng)
            for scene in scenes[first : first + _ENCODE_BATCH_SIZE]
        ]
        yield torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
