"""Frames to learn from: videos and photos of the training world, what each picture shows, and how the tower sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from demoworld.train.batches import CONCEPTS, covered, disturbed
from demoworld.train.model import IMAGE_PX
from demoworld.train.running import DEVICE, normalised
from demoworld.train.tower import clip_tower
from demoworld.world.claims import Seen
from demoworld.world.drawing import draw, label
from demoworld.world.random_scenes import Split, random_scene
from demoworld.world.scene import Scene
from demoworld.world.script import script

_REEL_S = 600.0
_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class Look:
    """One picture: its number among all of them, its second in its reel, what it shows, and the text of its sign."""

    number: int
    time_s: float
    seen: Seen
    sign: str | None

    @property
    def names(self) -> list[str]:
        """The concepts that are clearly seen, in a fixed order."""
        return sorted(self.seen.counts)


@dataclass(frozen=True, slots=True)
class Footage:
    """`reels` are looked at once a second and follow no other; `stills` are photos. `tokens[number]` is what the tower
    gives for a picture, `[64, 192]`, in float16, `classes[number]` what each of its 16 pooled tokens shows."""

    reels: tuple[tuple[Look, ...], ...]
    stills: tuple[Look, ...]
    tokens: Tensor
    classes: Tensor


def film(eyes: Path, seed: int, reels: int, stills: int) -> Footage:
    """Footage of so many reels of ten minutes, seen with the tower of the open_clip folder `eyes`."""
    rng = np.random.default_rng(seed)
    scenes: list[Scene] = []
    filmed = [_reel(scenes, [seed, number]) for number in range(reels)]
    photos = tuple(_look(scenes, random_scene(rng, Split.TRAIN), 0.0) for _ in range(stills))
    return Footage(tuple(filmed), photos, _seen(eyes, scenes, rng), torch.stack([_classes(one) for one in scenes]))


def _reel(scenes: list[Scene], seed: Sequence[int]) -> tuple[Look, ...]:
    shots = script(int(np.random.default_rng(seed).integers(2**31)), _REEL_S, split=Split.TRAIN)
    times = ((shot, float(time_s)) for shot in shots for time_s in np.arange(np.ceil(shot.start_s), shot.end_s))
    return tuple(_look(scenes, shot.scene(time_s), time_s) for shot, time_s in times)


def _look(scenes: list[Scene], scene: Scene, time_s: float) -> Look:
    scenes.append(scene)
    return Look(len(scenes) - 1, time_s, Seen.of(scene), None if scene.sign is None else scene.sign.text)


def _classes(scene: Scene) -> Tensor:
    """What each of 4 × 4 parts of a picture shows: the concept that covers most of it, or the place."""
    patches = torch.from_numpy(covered(scene, label(scene, IMAGE_PX, IMAGE_PX)[0])).reshape(4, 2, 4, 2)
    parts = patches.permute(0, 2, 1, 3).reshape(16, 4)
    things = torch.where(parts < CONCEPTS, parts, -1)
    common = things.mode(1).values
    return torch.where(things.amax(1) >= 0, torch.where(common >= 0, common, things.amax(1)), parts[:, 0])


def _seen(eyes: Path, scenes: Sequence[Scene], rng: np.random.Generator) -> Tensor:
    tower: Any = clip_tower(eyes)
    tower.to(DEVICE)
    tokens = []
    with torch.inference_mode():
        for planes in _planes(scenes, rng):
            seen = tower(normalised(planes), output_hidden_states=True).hidden_states[-1]
            tokens.append(seen[:, 1:].half().cpu())
    return torch.cat(tokens)


def _planes(scenes: Sequence[Scene], rng: np.random.Generator) -> Iterator[Tensor]:
    for first in range(0, len(scenes), _AT_ONCE):
        drawn = [disturbed(draw(scene, IMAGE_PX, IMAGE_PX), rng) for scene in scenes[first : first + _AT_ONCE]]
        yield torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2)
