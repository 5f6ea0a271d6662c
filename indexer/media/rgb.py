"""Conversion of decoded pictures of any depth, colour model and transparency to 8-bit RGB."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_GROUNDS = (255, 0, 128)
"""Form: grey levels that transparency may be shown on, the usual one first."""
_VISIBLE_DIFFERENCE = 48
"""Chosen: difference of luma, of 255, that a line of text needs to be read off its ground."""
_MAX_HIDDEN_SHARE = 0.2
"""Chosen: share of a picture that may vanish on white before another ground is tried; photos have light parts too."""
_MIN_GROUND_GAIN = 0.5
"""Chosen: another ground must hide less than this part of what white hides; else white, which people expect."""
_SURVEY_PX = 512
"""Chosen: size at which the ground is chosen; smaller ones lose thin strokes, larger ones take longer."""
_OUTLIERS_PERCENT = 0.5
"""Chosen: share of the darkest and lightest values that a stretch may cut off, so that one hot pixel does not make a
picture black."""
_SLIGHTLY_OVER = 1.05
"""Chosen: floats up to this are meant to be fractions; editors overshoot 1 a little."""
_EMPTY_BITS = 3
"""Chosen: a 16-bit picture that leaves this many high bits unused comes from a sensor of 10 to 13 bits."""


def flatten_to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to 8-bit RGB; transparency is shown on the ground on which most can be seen."""
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(to_8_bit(np.asarray(image)))
    if not image.has_transparency_data:
        return image.convert("RGB")
    layers = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
    ground = _choose_ground(layers)
    return Image.alpha_composite(Image.new("RGBA", image.size, (ground, ground, ground, 255)), layers).convert("RGB")


def samples_to_image(samples: NDArray[np.generic], bits: int, is_inverted: bool, has_alpha: bool) -> Image.Image:
    """Return an image of samples `[height, width, n]`: grey for one or two, RGB for three and more; alpha is the last.

    `bits` are those that a sample really has. Samples beyond colour and alpha are left out.
    """
    colours = 3 if samples.shape[2] >= 3 else 1
    picture = to_8_bit(samples[:, :, :colours], bits)
    if is_inverted:
        picture = 255 - picture
    if has_alpha and samples.shape[2] > colours:
        alpha = _alpha_to_8_bit(samples[:, :, colours : colours + 1])
        return Image.fromarray(np.concatenate([picture, alpha], axis=2), "RGBA" if colours == 3 else "LA")
    return Image.fromarray(picture if colours == 3 else picture[:, :, 0])


def to_8_bit(values: NDArray[np.generic], bits: int | None = None) -> NDArray[np.uint8]:
    """Convert deep samples to 8 bits, all channels alike.

    Integers keep their high bits; where a 16-bit picture uses only the lower ones, those that it uses. Floats are
    fractions of white where they are in [0, 1], levels where they are in [0, 255], else stretched. Infinite ones and
    those that are no numbers become black.
    """
    if values.dtype == np.uint8:
        return values.astype(np.uint8)
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return _from_16_bit(values.astype(np.uint16, copy=False), bits)
    if values.dtype.kind == "u" and values.dtype.itemsize == 4 and int(values.max()) > np.iinfo(np.uint16).max:
        return (values.astype(np.uint32, copy=False) >> 24).astype(np.uint8)
    levels = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)
    low, high = float(levels.min()), float(levels.max())
    is_float = values.dtype.kind == "f"
    if is_float and values.ndim == 3 and values.shape[2] >= 3 and low >= 0 and high <= _SLIGHTLY_OVER:
        levels *= 255.0
    elif low < 0 or high > 255 or (is_float and high <= _SLIGHTLY_OVER):
        levels = _stretch(levels, low, high)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def _from_16_bit(values: NDArray[np.uint16], bits: int | None) -> NDArray[np.uint8]:
    highest = int(values.max()) if values.size else 0
    used = 16 if bits is None else min(max(bits, 8), 16)
    if used == 16 and 0 < highest < 1 << (16 - _EMPTY_BITS):
        used = max(8, highest.bit_length())
    return np.asarray(np.minimum(values >> (used - 8), 255), dtype=np.uint8)


def _stretch(levels: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """Stretch values to [0, 255]; a few extreme ones are cut off where the rest lies close together."""
    sample = levels.reshape(-1)[:: max(1, levels.size // (_SURVEY_PX * _SURVEY_PX))]
    inner_low, inner_high = (float(v) for v in np.percentile(sample, [_OUTLIERS_PERCENT, 100 - _OUTLIERS_PERCENT]))
    if inner_high - inner_low > 0 and (high - low) > 4 * (inner_high - inner_low):
        low, high = inner_low, inner_high
    return (levels - np.float32(low)) * np.float32(255.0 / max(high - low, 1e-6))


def _alpha_to_8_bit(alpha: NDArray[np.generic]) -> NDArray[np.uint8]:
    if alpha.dtype.kind == "f":
        return np.clip(np.nan_to_num(alpha.astype(np.float32)) * 255, 0, 255).astype(np.uint8)
    return np.asarray(alpha.astype(np.int64) >> (8 * (alpha.dtype.itemsize - 1)), dtype=np.uint8)


def _choose_ground(layers: Image.Image) -> int:
    """Return the grey level on which the most of a transparent picture can be seen, white where that is enough."""
    survey = layers.copy()
    survey.thumbnail((_SURVEY_PX, _SURVEY_PX), Image.Resampling.NEAREST)
    alpha = np.asarray(survey.getchannel("A"), np.float32)
    luma = np.asarray(survey.convert("RGB").convert("L"), np.float32)
    if not alpha.any() or alpha.min() == 255:
        return _GROUNDS[0]
    hidden = [float((alpha * (np.abs(luma - ground) < _VISIBLE_DIFFERENCE)).sum() / alpha.sum()) for ground in _GROUNDS]
    best = min(range(len(_GROUNDS)), key=lambda i: hidden[i])
    if hidden[0] <= _MAX_HIDDEN_SHARE or hidden[best] >= _MIN_GROUND_GAIN * hidden[0]:
        return _GROUNDS[0]
    return _GROUNDS[best]
