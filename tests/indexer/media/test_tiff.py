"""TIFFs of kinds that editors, scanners, cameras and instruments write, built byte by byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.errors import DamagedMedia, UnsupportedMedia
from indexer.media.image import probe_image, read_image
from indexer.media.probe import probe
from indexer.media.sandbox.limits import MediaLimits
from indexer.types import Pixels
from tests.support.tiff_files import TiffPicture, write_tiff

MAX_PIXELS = 200_000_000
HEIGHT, WIDTH = 64, 96
GREY = np.linspace(0.0, 1.0, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
COLOUR = np.stack([GREY, GREY[::-1], np.full_like(GREY, 0.5)], axis=2)
OPAQUE = np.ones((HEIGHT, WIDTH, 1))

KINDS = {
    "floats": TiffPicture(COLOUR.astype(np.float32)),
    "deflated floats": TiffPicture(COLOUR.astype(np.float32), compression=8),
    "floats with their predictor": TiffPicture(COLOUR.astype(np.float32), compression=8, predictor=3),
    "floats in planes": TiffPicture(COLOUR.astype(np.float32), planar=True),
    "floats in tiles": TiffPicture(COLOUR.astype(np.float32), tile=32),
    "floats with alpha": TiffPicture(np.concatenate([COLOUR, OPAQUE], axis=2).astype(np.float32)),
    "double floats": TiffPicture(COLOUR.astype(np.float64)),
    "half floats": TiffPicture(COLOUR.astype(np.float16)),
    "16 bits": TiffPicture((COLOUR * 65535).astype(np.uint16)),
    "16 bits in planes": TiffPicture((COLOUR * 65535).astype(np.uint16), planar=True),
    "16 bits in tiles": TiffPicture((COLOUR * 65535).astype(np.uint16), tile=32, compression=8),
    "32 bits": TiffPicture((COLOUR * (2**32 - 1)).astype(np.uint32)),
    "signed": TiffPicture((COLOUR * 30000).astype(np.int16)),
    "8 bits in planes": TiffPicture((COLOUR * 255).astype(np.uint8), planar=True),
    "8 bits and two more samples": TiffPicture(
        (np.concatenate([COLOUR, OPAQUE, OPAQUE], axis=2) * 255).astype(np.uint8), tags={338: [0, 0]}
    ),
    "grey floats": TiffPicture(GREY.astype(np.float32)),
    "grey half floats": TiffPicture(GREY.astype(np.float16)),
    "grey double floats": TiffPicture(GREY.astype(np.float64)),
    "grey 12 bits": TiffPicture((GREY * 4095).astype(np.uint16), packed_bits=12),
    "grey 32 bits": TiffPicture((GREY * (2**32 - 1)).astype(np.uint32)),
    "grey where zero is white": TiffPicture(((1 - GREY) * 65535).astype(np.uint16), photometric=0),
    "grey floats where zero is white": TiffPicture((1 - GREY).astype(np.float32), photometric=0),
    "grey and alpha of 16 bits": TiffPicture(
        (np.stack([GREY, OPAQUE[:, :, 0]], axis=2) * 65535).astype(np.uint16), photometric=1, tags={338: [2]}
    ),
}


def expected_rgb(picture: TiffPicture) -> NDArray[np.float64]:
    is_colour = picture.pixels.ndim == 3 and picture.pixels.shape[2] >= 3
    return (COLOUR if is_colour else np.stack([GREY] * 3, axis=2)) * 255


def mean_error(rgb: Pixels, expected: NDArray[np.float64]) -> float:
    return float(np.abs(rgb.astype(np.float64) - expected).mean())


@pytest.mark.parametrize("form", ["little-endian", "big-endian", "BigTIFF"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_valid_tiff_is_read_whatever_its_samples(tmp_path: Path, kind: str, form: str) -> None:
    path = write_tiff(tmp_path / "a.tif", [KINDS[kind]], big_endian=form == "big-endian", big_tiff=form == "BigTIFF")
    info = probe_image(path, MAX_PIXELS)
    assert (info.format, info.width, info.height, info.warnings) == ("tiff", WIDTH, HEIGHT, ())
    assert mean_error(read_image(path, 1000), expected_rgb(KINDS[kind])) < 2


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_float_tiff_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    turns = {3: 2, 6: 1, 8: -1}[orientation]
    stored = np.ascontiguousarray(np.rot90(COLOUR, turns)).astype(np.float32)
    path = write_tiff(tmp_path / "a.tif", [TiffPicture(stored, tags={274: orientation})])
    info = probe_image(path, MAX_PIXELS)
    assert (info.width, info.height) == (WIDTH, HEIGHT)
    assert mean_error(read_image(path, 1000), COLOUR * 255) < 2


@pytest.mark.parametrize("highest", [1023, 4095])
def test_a_sensor_of_few_bits_in_sixteen_does_not_make_a_black_picture(tmp_path: Path, highest: int) -> None:
    path = write_tiff(tmp_path / "a.tif", [TiffPicture((GREY * highest).astype(np.uint16))])
    assert mean_error(read_image(path, 1000), np.stack([GREY] * 3, axis=2) * 255) < 2


def test_one_hot_pixel_does_not_make_a_float_picture_black(tmp_path: Path) -> None:
    values = (GREY * 3000).astype(np.float32)
    values[0, 0] = 1e9
    path = write_tiff(tmp_path / "a.tif", [TiffPicture(values)])
    assert mean_error(read_image(path, 1000), np.stack([GREY] * 3, axis=2) * 255) < 4


def test_values_that_are_no_numbers_are_black(tmp_path: Path) -> None:
    values = COLOUR.astype(np.float32)
    values[:8] = np.nan
    values[8:16] = np.inf
    rgb = read_image(write_tiff(tmp_path / "a.tif", [TiffPicture(values)]), 1000)
    assert rgb[:16].max() == 0
    assert mean_error(rgb[16:], COLOUR[16:] * 255) < 2


BIG_ENDIAN_BIG_TIFFS = {
    **{kind: KINDS[kind] for kind in ("deflated floats", "half floats", "16 bits in tiles", "grey floats")},
    "8 bits": TiffPicture((COLOUR * 255).astype(np.uint8)),
    "deflated 8 bits": TiffPicture((COLOUR * 255).astype(np.uint8), compression=8),
    "grey 8 bits": TiffPicture((GREY * 255).astype(np.uint8)),
}


@pytest.mark.parametrize("kind", BIG_ENDIAN_BIG_TIFFS)
def test_a_big_endian_bigtiff_is_read(tmp_path: Path, kind: str) -> None:
    picture = BIG_ENDIAN_BIG_TIFFS[kind]
    path = write_tiff(tmp_path / "a.tif", [picture], big_endian=True, big_tiff=True)
    info = probe(path, MediaLimits())
    assert (info.format, info.width, info.height, info.warnings) == ("tiff", WIDTH, HEIGHT, ())
    assert mean_error(read_image(path, 1000), expected_rgb(picture)) < 2


def test_a_big_endian_bigtiff_that_nobody_reads_is_named(tmp_path: Path) -> None:
    palette = TiffPicture((GREY * 255).astype(np.uint8), photometric=3, tags={320: [0] * 768})
    path = write_tiff(tmp_path / "a.tif", [palette], big_endian=True, big_tiff=True)
    with pytest.raises(UnsupportedMedia) as caught:
        probe(path, MediaLimits())
    reason = "is a TIFF of a kind that cannot be read (8-bit palette, uncompressed, big-endian BigTIFF)"
    assert caught.value.reason == reason


# Which picture


def small(shade: float, subfile_type: int | None = 1) -> TiffPicture:
    return TiffPicture(np.full((16, 24, 3), shade * 255, np.uint8), subfile_type=subfile_type)


def large() -> TiffPicture:
    return TiffPicture((COLOUR * 255).astype(np.uint8), subfile_type=0)


@pytest.mark.parametrize("big_tiff", [False, True])
def test_a_thumbnail_at_the_beginning_is_not_taken_for_the_picture_in_its_subifd(
    tmp_path: Path, big_tiff: bool
) -> None:
    thumbnail = small(0.3)
    thumbnail.children = [small(0.5), large()]
    path = write_tiff(tmp_path / "a.dng", [thumbnail], big_tiff=big_tiff)
    info = probe_image(path, MAX_PIXELS)
    assert (info.width, info.height, info.warnings) == (WIDTH, HEIGHT, ())
    assert mean_error(read_image(path, 1000), COLOUR * 255) < 2


def test_a_thumbnail_page_before_the_picture_is_passed_over(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", [small(0.3), large()])
    info = probe_image(path, MAX_PIXELS)
    assert (info.width, info.height, info.warnings) == (WIDTH, HEIGHT, ())


def test_smaller_copies_after_the_picture_are_no_further_pictures(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", [large(), small(0.3), small(0.5)])
    info = probe_image(path, MAX_PIXELS)
    assert (info.width, info.warnings) == (WIDTH, ())


def test_of_several_pages_the_first_is_read_even_where_another_is_larger(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", [small(0.3, subfile_type=None), large()])
    info = probe_image(path, MAX_PIXELS)
    assert (info.width, info.warnings) == (24, ("holds more than one picture; only the first is read",))


# What cannot be read


@pytest.mark.parametrize(
    ("compression", "words"),
    [(34887, "LERC"), (50002, "JPEG XL"), (50001, "WebP"), (61000, "compression 61000")],
)
def test_a_valid_tiff_of_a_kind_that_nobody_reads_is_named_not_called_damaged(
    tmp_path: Path, compression: int, words: str
) -> None:
    path = write_tiff(tmp_path / "a.tif", [TiffPicture(COLOUR.astype(np.float32), compression=compression)])
    with pytest.raises(UnsupportedMedia) as caught:
        probe_image(path, MAX_PIXELS)
    expected = f"is a TIFF of a kind that cannot be read (32-bit float colour, {words})"
    assert caught.value.reason == expected


@pytest.mark.parametrize("kind", ["floats", "deflated floats", "16 bits in tiles", "grey 12 bits"])
def test_a_truncated_deep_tiff_is_damaged(tmp_path: Path, kind: str) -> None:
    cut = tmp_path / "b.tif"
    picture = KINDS[kind]
    broken = TiffPicture(picture.pixels, compression=picture.compression, packed_bits=picture.packed_bits)
    broken.tags = {273: [1 << 24]}
    write_tiff(cut, [broken])
    with pytest.raises(DamagedMedia):
        read_image(cut, 1000)


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", [large(), large()])
    data = bytearray(path.read_bytes())
    first = int.from_bytes(data[4:8], "little")
    data[-4:] = first.to_bytes(4, "little")
    path.write_bytes(data)
    assert probe_image(path, MAX_PIXELS).width == WIDTH


@pytest.mark.parametrize("seed", range(40))
def test_a_corrupt_tiff_is_an_error_of_ours_or_a_picture(tmp_path: Path, seed: int) -> None:
    thumbnail = small(0.3)
    thumbnail.children = [KINDS["deflated floats"]]
    path = write_tiff(tmp_path / "a.tif", [thumbnail, large()])
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for at in rng.integers(4, len(data), 60):
        data[at] = rng.integers(0, 256)
    path.write_bytes(data)
    try:
        assert read_image(path, 100).shape[2] == 3
    except (DamagedMedia, UnsupportedMedia, MemoryError) as error:
        assert str(error) or isinstance(error, MemoryError)
