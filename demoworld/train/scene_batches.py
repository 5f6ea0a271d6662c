"""Batches of rendered scenes with all their labels; batch n of a seed is always the same."""

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
"""Place, time of day and patch classes of a picture that has none; the loss ignores them."""


@dataclass(frozen=True, slots=True)
class PictureBatch:
    """Pictures with their labels.

    `pixels` uint8 `[n, 3, 96, 96]`; `patch_classes` `[n, 64]`: the concept that covers the patch, else the place;
    `counts` `[n, concepts]`, -1 where undecidable or held out; `place` and `night` `[n]`. NO_LABEL where a picture has
    none.
    """

    pixels: Tensor
    patch_classes: Tensor
    counts: Tensor
    place: Tensor
    night: Tensor

    def to(self, device: str) -> PictureBatch:
        """Move all tensors to a device."""
        return PictureBatch(*(getattr(self, field.name).to(device) for field in fields(self)))

    def attribute_labels(self) -> tuple[Tensor, Tensor]:
        """Return which attributes are present, `[n, ATTRIBUTE_COUNT]` of 0 and 1, and which are known."""
        places = torch.nn.functional.one_hot(self.place, PLACE_COUNT)
        nights = torch.nn.functional.one_hot(self.night, 2)
        present = torch.cat([(self.counts > 0).long(), places, nights], 1).float()
        label_mask = torch.cat(
            [self.counts != _UNCLEAR, torch.ones_like(places).bool(), torch.ones_like(nights).bool()], 1
        )
        return present, label_mask.float()


def render_batch(scenes: Sequence[Scene], rng: np.random.Generator) -> tuple[PictureBatch, list[VisibleContent]]:
    """Render scenes in the model's input size with light perturbations; returns labels and visible contents too."""
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
    """Return which concepts are held out in which places, `[places, concepts]`."""
    pairs = [[is_held_out(known.name, place.name) for known in load_concepts()] for place in PLACES]
    return torch.tensor(pairs)


def mask_held_out(pictures: PictureBatch) -> PictureBatch:
    """Mark the counts of held-out pairs as unknown.

    They never occur in training; a model that is told that they are absent learns that they cannot occur.
    """
    counts = pictures.counts.masked_fill(held_out_mask()[pictures.place], _UNCLEAR)
    return replace(pictures, counts=counts)


def evaluate_claims(claims: Sequence[Claim | None], pictures: PictureBatch) -> tuple[Tensor, Tensor]:
    """Return whether each claim holds of each picture, `[m, n]` of 0 and 1, and whether that is known, `[m, n]`.

    The claim None holds of no picture.
    """
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
    """Return the class of each of the 64 patches: the concept that covers it, else the place (after the concepts)."""
    patches = labels.reshape(_GRID, PATCH_PX, _GRID, PATCH_PX).transpose(0, 2, 1, 3).reshape(_GRID * _GRID, -1)
    background = CONCEPT_COUNT + place_index(scene.place)
    if not scene.things:
        return np.full(_GRID * _GRID, background, np.int64)
    shares = np.stack([(patches == number).mean(1) for number in range(len(scene.things))])
    names = np.array([concept_index(thing.concept) for thing in scene.things])
    return np.where(shares.max(0) >= _COVERED_MIN_SHARE, names[shares.argmax(0)], background)


def perturb(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Perturb brightness and add a little noise, as cameras and codecs do."""
    if rng.random() < 0.3:
        return pixels
    light, base = rng.uniform(0.85, 1.12), rng.uniform(-10, 10)
    noise = rng.integers(-8, 9, pixels.shape, np.int16) if rng.random() < 0.5 else 0
    return np.clip(pixels * light + base + noise, 0, 255).astype(np.uint8)


class PictureBatches(Dataset[PictureBatch]):
    """Seeded batches of training scenes, held-out pairs masked."""

    def __init__(self, seed: int, size: int, batches: int, first: int = 0) -> None:
        self._seed, self._size, self._batches, self._first = seed, size, batches, first

    def __len__(self) -> int:
        return self._batches - self._first

    def __getitem__(self, number: int) -> PictureBatch:
        rng = np.random.default_rng([self._seed, self._first + number])
        return mask_held_out(render_batch([sample_scene(rng, Split.TRAIN) for _ in range(self._size)], rng)[0])


def load_in_worker(batches: Dataset[T]) -> DataLoader[T]:
    """Load batches in one worker process, a few ahead."""
    return DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=4)
