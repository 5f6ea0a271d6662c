"""Deep TIFFs in the compressions that libtiff writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.media.image import read_image

RAMP = np.linspace(0.0, 1.0, 64 * 96).reshape(64, 96)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "zstd", "lzma"])
@pytest.mark.parametrize(
    "samples", [(RAMP * 65535).astype(np.uint16), RAMP.astype(np.float32)], ids=["16 bits", "floats"]
)
def test_a_compressed_deep_tiff_is_read(tmp_path: Path, compression: str, samples: np.ndarray) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(samples).save(path, compression=compression)
    rgb = read_image(path, 1000)
    assert np.abs(rgb[:, :, 0] - RAMP * 255).mean() < 2
