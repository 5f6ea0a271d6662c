"""Batches of scenes with all that is known of them; number n of a seed is the same whoever makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from demoworld.train.open_clip_model import IMAGE_PX, PATCH_PX
from demoworld.world.claims import Claim, VisibleContent
from demoworld.world.concepts import concept_index, load_concepts
from demoworld.world.places import PLACES, place_index
from demoworld.world.random_scenes import Split, is_held_out, sample_scene
from demoworld.world.rendering import InstanceMask, render_instance_mask, render_scene
from demoworld.world.scene import Scene
from indexer.types import Pixels

T = TypeVar("T")

CONCEPT_COUNT, PLACE_COUNT = len(load_concepts()), len(PLACES)
PATCH_CLASS_COUNT = CONCEPT_COUNT + PLACE_COUNT
ATTRIBUTE_COUNT = CONCEPT_COUNT + PLACE_COUNT + 2
_GRID = IMAGE_PX // PATCH_PX
_COVERED_MIN_SHARE = 0.3
_UNCLEAR = -1
NO_LABEL = -1
"""The place, the time of day and the tokens of a picture that has none."""


@dataclass(frozen=True, slots=True)
class PictureBatch:
    """`pixels` uint8 `[n, 3, 96, 96]`; `tokens` `[n, 64]`: which concept covers the patch, else which place;
    `counts` `[n, concepts]`, -1 where nobody can tell or is to learn; `place` and `night` `[n]`. NONE for what there is
    not."""

    pixels: Tensor
    patch_classes: Tensor
    counts: Tensor
    place: Tensor
    night: Tensor

    def to(self, device: str) -> PictureBatch:
        """The same on a device."""
        return PictureBatch(*(getattr(self, each.name).to(device) for each in fields(self)))

    def attribute_labels(self) -> tuple[Tensor, Tensor]:
        """What is there, `[n, ATTRIBUTES]` of 0 and 1, and which of it is known."""
        places = torch.nn.functional.one_hot(self.place, PLACE_COUNT)
        nights = torch.nn.functional.one_hot(self.night, 2)
        present = torch.cat([(self.counts > 0).long(), places, nights], 1).float()
        label_mask = torch.cat(
            [self.counts != _UNCLEAR, torch.ones_like(places).bool(), torch.ones_like(nights).bool()], 1
        )
        return present, label_mask.float()


def render_batch(scenes: Sequence[Scene], rng: np.random.Generator) -> tuple[PictureBatch, list[VisibleContent]]:
    """Draw scenes as the model will see them, a little disturbed."""
    count = len(scenes)
    pixels = np.empty((count, IMAGE_PX, IMAGE_PX, 3), np.uint8)
    tokens = np.empty((count, _GRID * _GRID), np.int64)
    counts = np.zeros((count, CONCEPT_COUNT), np.int64)
    contents = []
    for row, scene in enumerate(scenes):
        pixels[row] = perturb(render_scene(scene, IMAGE_PX, IMAGE_PX), rng)
        labels, shares = render_instance_mask(scene, IMAGE_PX, IMAGE_PX)
        tokens[row] = label_patches(scene, labels)
        contents.append(VisibleContent.from_visible_shares(scene, shares))
        for name, number in contents[-1].counts.items():
            counts[row, concept_index(name)] = number
        for name in contents[-1].unclear:
            counts[row, concept_index(name)] = _UNCLEAR
    place = torch.tensor([place_index(scene.place) for scene in scenes])
    night = torch.tensor([int(scene.night) for scene in scenes])
    planes = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    return PictureBatch(planes, torch.from_numpy(tokens), torch.from_numpy(counts), place, night), contents


def held_out_mask() -> Tensor:
    """Which concepts are held out in which places, `[places, concepts]`."""
    pairs = [[is_held_out(known.name, place.name) for known in load_concepts()] for place in PLACES]
    return torch.tensor(pairs)


def mask_held_out(pictures: PictureBatch) -> PictureBatch:
    """The same pictures, silent about the pairs that are held out.

    They never occur in training, and a model that is told so learns that they cannot.
    """
    counts = pictures.counts.masked_fill(held_out_mask()[pictures.place], _UNCLEAR)
    return replace(pictures, counts=counts)


def evaluate_claims(claims: Sequence[Claim | None], pictures: PictureBatch) -> tuple[Tensor, Tensor]:
    """Whether each claim holds of each picture, `[m, n]` of 0 and 1, and whether that is known; None never holds."""
    count = len(pictures.place)
    labels, label_mask = torch.zeros(len(claims), count), torch.ones(len(claims), count)
    for row, claim in enumerate(claims):
        if claim is None:
            continue
        fits = torch.ones(count, dtype=torch.bool)
        if claim.place is not None:
            fits &= pictures.place == place_index(claim.place)
        if claim.night is not None:
            fits &= pictures.night == int(claim.night)
        unclear = torch.zeros(count, dtype=torch.bool)
        for name, number in claim.things:
            counts = pictures.counts[:, concept_index(name)]
            unclear |= counts == _UNCLEAR
            fits &= (counts == _UNCLEAR) | ((counts > 0) if number is None else (counts == number))
        labels[row], label_mask[row] = fits.float(), (~(fits & unclear)).float()
    return labels, label_mask


def label_patches(scene: Scene, labels: InstanceMask) -> NDArray[np.int64]:
    """Which concept covers each of the 64 patches, or else which place, after the concepts."""
    patches = labels.reshape(_GRID, PATCH_PX, _GRID, PATCH_PX).transpose(0, 2, 1, 3).reshape(_GRID * _GRID, -1)
    background = CONCEPT_COUNT + place_index(scene.place)
    if not scene.things:
        return np.full(_GRID * _GRID, background, np.int64)
    shares = np.stack([(patches == number).mean(1) for number in range(len(scene.things))])
    names = np.array([concept_index(thing.concept) for thing in scene.things])
    return np.where(shares.max(0) >= _COVERED_MIN_SHARE, names[shares.argmax(0)], background)


def perturb(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A picture in other light and a little noise, as cameras and codecs leave them."""
    if rng.random() < 0.3:
        return pixels
    light, base = rng.uniform(0.85, 1.12), rng.uniform(-10, 10)
    noise = rng.integers(-8, 9, pixels.shape, np.int16) if rng.random() < 0.5 else 0
    return np.clip(pixels * light + base + noise, 0, 255).astype(np.uint8)


class PictureBatches(Dataset[PictureBatch]):
    """Batch after batch of training scenes."""

    def __init__(self, seed: int, size: int, batches: int, first: int = 0) -> None:
        self._seed, self._size, self._batches, self._first = seed, size, batches, first

    def __len__(self) -> int:
        return self._batches - self._first

    def __getitem__(self, number: int) -> PictureBatch:
        rng = np.random.default_rng([self._seed, self._first + number])
        return mask_held_out(render_batch([sample_scene(rng, Split.TRAIN) for _ in range(self._size)], rng)[0])


def load_in_worker(batches: Dataset[T]) -> DataLoader[T]:
    """Made in a process of its own, a few ahead."""
    return DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=4)
