"""Simulated photography: perspective, shadow, uneven light and sensor noise for a drawn canvas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from demoworld.canvas import TextBox, TextCanvas


@dataclass(frozen=True, slots=True)
class Pose:
    """A canvas's pose in the photo: counter-clockwise rotation, and the share by which its top is narrower."""

    rotation_deg: float
    keystone_share: float


def photograph(canvas: TextCanvas, pose: Pose, background: Image.Image, seed: int) -> tuple[Image.Image, list[TextBox]]:
    """Render a canvas in perspective at the middle of a background; returns the picture and the moved text boxes."""
    size = background.size
    source = np.array([(0, 0), (canvas.width, 0), (canvas.width, canvas.height), (0, canvas.height)], np.float64)
    matrix = solve_homography(source, _project_corners(canvas, pose, size))
    inverse = np.linalg.inv(matrix)
    coefficients = (inverse / inverse[2, 2]).ravel()[:8].tolist()
    transform_arguments = (Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
    warped = canvas.image.transform(size, *transform_arguments)
    mask = Image.new("L", canvas.image.size, 255).transform(size, *transform_arguments)
    shadow = ImageChops.offset(mask.filter(ImageFilter.GaussianBlur(14)), 8, 14).point(lambda value: value * 0.45)
    picture = Image.composite(Image.new("RGB", size, "#101010"), background, shadow)
    picture = Image.composite(warped, picture, mask)
    return simulate_sensor(picture, seed), [_project_box(words, matrix) for words in canvas.text_boxes]


def simulate_sensor(picture: Image.Image, seed: int, noise: float = 5.0, shade: float = 0.16) -> Image.Image:
    """Add lens blur, light that falls off to one side, and seeded noise (levels of 255)."""
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.6)), np.float32)
    height, width = soft.shape[:2]
    rng = np.random.default_rng(seed)
    across = np.linspace(0.0, 1.0, width, dtype=np.float32)[None, :, None]
    down = np.linspace(0.0, 1.0, height, dtype=np.float32)[:, None, None]
    light = 1.0 - shade * (0.6 * across + 0.4 * down)
    grain = rng.standard_normal((height, width, 1), dtype=np.float32) * noise
    return Image.fromarray(np.clip(soft * light + grain, 0, 255).astype(np.uint8))


def render_surface(size: tuple[int, int], colour: tuple[int, int, int], seed: int) -> Image.Image:
    """Render a table or wall: one colour with soft, seeded blotches."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(-22, 23, (12, 16, 1)) + np.array(colour)
    blotches = Image.fromarray(np.clip(coarse, 0, 255).astype(np.uint8))
    return blotches.resize(size, Image.Resampling.BICUBIC)


def solve_homography(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the projective map `[3, 3]` that takes four points `[4, 2]` to four others."""
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(source.tolist(), target.tolist(), strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solved = np.linalg.solve(np.array(rows, np.float64), target.ravel())
    return np.append(solved, 1.0).reshape(3, 3)


def _project_corners(canvas: TextCanvas, pose: Pose, size: tuple[int, int]) -> NDArray[np.float64]:
    half_width, half_height = canvas.width / 2, canvas.height / 2
    top = half_width * (1 - pose.keystone_share)
    flat = ((-top, -half_height), (top, -half_height), (half_width, half_height), (-half_width, half_height))
    cos, sin = math.cos(math.radians(pose.rotation_deg)), math.sin(math.radians(pose.rotation_deg))
    middle = (size[0] / 2, size[1] / 2)
    return np.array([(middle[0] + x * cos + y * sin, middle[1] - x * sin + y * cos) for x, y in flat], np.float64)


def _project_box(words: TextBox, matrix: NDArray[np.float64]) -> TextBox:
    xs = (words.left, words.right, words.right, words.left)
    ys = (words.top, words.top, words.bottom, words.bottom)
    points = matrix @ np.array([xs, ys, (1, 1, 1, 1)], np.float64)
    flat: Sequence[NDArray[np.float64]] = (points[0] / points[2], points[1] / points[2])
    return TextBox(words.text, float(flat[0].min()), float(flat[1].min()), float(flat[0].max()), float(flat[1].max()))
