"""Photos of the drawn world: JPEGs with EXIF time and orientation, and the truth of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from demoworld.photos import save_photo
from demoworld.truth import write_json
from demoworld.world.claims import VisibleContent
from demoworld.world.random_scenes import Split, sample_scene
from demoworld.world.rendering import render_scene

_HEIGHT_PX = 720
_ASPECTS = (4 / 3, 16 / 9, 1.0)
_EARLIEST = datetime(2024, 3, 1, 9, 0)
_EXIF_ROTATE_90 = 6


@dataclass(frozen=True, slots=True)
class PhotoTruth:
    """What one photo shows: counts by concept, place, EXIF time, and the text of its sign."""

    file: str
    counts: dict[str, int]
    place: str
    night: bool
    sign: str | None
    taken: datetime


def write_photos(folder: Path, seed: int, count: int, split: Split = Split.ANY) -> list[PhotoTruth]:
    """Write `photo_0001.jpg` … and `photos.truth.json` into a folder, creating it if needed; returns the truths.

    One in four is stored as if the camera had been turned. Errors: OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    truths = [_write_photo(folder, seed, number, split) for number in range(1, count + 1)]
    write_json(folder / "photos.truth.json", truths)
    return truths


def _write_photo(folder: Path, seed: int, number: int, split: Split) -> PhotoTruth:
    rng = np.random.default_rng([seed, number])
    scene = sample_scene(rng, split, aspect=float(rng.choice(_ASPECTS)))
    taken_at = _EARLIEST + timedelta(hours=float(rng.uniform(0, 24 * 365)))
    taken_at = taken_at.replace(microsecond=0)
    path = folder / f"photo_{number:04d}.jpg"
    picture = Image.fromarray(render_scene(scene, round(_HEIGHT_PX * scene.aspect), _HEIGHT_PX))
    save_photo(picture, taken_at, path, _EXIF_ROTATE_90 if rng.random() < 0.25 else 1)
    content = VisibleContent.from_scene(scene)
    return PhotoTruth(
        path.name, content.counts, content.place, content.night, scene.sign.text if scene.sign else None, taken_at
    )
