"""Raw photos: developed where LibRaw is there, else their preview, which the file's warning says."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import DamagedMedia, UnsupportedMedia
from indexer.media import raw_photo
from indexer.media.image import probe_image, read_image
from indexer.media.probe import probe
from indexer.media.sandbox.limits import MediaLimits
from indexer.types import AssetKind
from tests.indexer.media.test_image import BLUE, CORNERS, GREEN, corner_colours, make_scene
from tests.support.dng_files import write_dng
from tests.support.tiff_files import TiffPicture, write_tiff

MAX_PIXELS = 200_000_000
with_libraw = pytest.mark.skipif(find_spec("rawpy") is None, reason="rawpy is not installed")


@pytest.fixture
def without_libraw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_photo, "find_spec", lambda name: None)


def scene_and_preview() -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(make_scene(640, 400)), np.asarray(make_scene(160, 100))


@with_libraw
@pytest.mark.parametrize("name", ["photo.dng", "photo.tif"])
def test_a_raw_photo_is_developed_whole_not_its_preview(tmp_path: Path, name: str) -> None:
    path = write_dng(tmp_path / name, *scene_and_preview())
    info = probe_image(path, MAX_PIXELS)
    assert (info.kind, info.format, info.warnings) == (AssetKind.IMAGE, "raw", ())
    assert abs((info.width or 0) - 640) <= 16 and abs((info.height or 0) - 400) <= 16
    rgb = read_image(path, 2000)
    assert abs(rgb.shape[1] - 640) <= 16 and abs(rgb.shape[0] - 400) <= 16
    assert corner_colours(rgb)[:3] == CORNERS[:3]


@with_libraw
def test_a_raw_photo_is_developed_upright(tmp_path: Path) -> None:
    scene, preview = scene_and_preview()
    turned = np.ascontiguousarray(np.rot90(scene))  # stored so that orientation 6 (clockwise) makes it upright
    path = write_dng(tmp_path / "photo.dng", turned, preview, orientation=6)
    info = probe_image(path, MAX_PIXELS)
    assert (info.width or 0) > (info.height or 0)
    assert corner_colours(read_image(path, 400))[:3] == CORNERS[:3]


@with_libraw
def test_a_corrupt_raw_photo_is_an_error_of_ours_or_a_picture(tmp_path: Path) -> None:
    path = write_dng(tmp_path / "photo.dng", *scene_and_preview())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises((DamagedMedia, UnsupportedMedia)):
        read_image(path, 400)


@pytest.mark.usefixtures("without_libraw")
def test_without_libraw_the_preview_is_read_and_said_to_be_one(tmp_path: Path) -> None:
    path = write_dng(tmp_path / "photo.dng", *scene_and_preview())
    info = probe_image(path, MAX_PIXELS)
    assert (info.format, info.width, info.height) == ("raw", 160, 100)
    assert info.warnings == (
        "raw photo: only its 160x100 preview was read (rawpy, which develops it, is not installed)",
    )
    assert corner_colours(read_image(path, 400)) == CORNERS


@pytest.mark.usefixtures("without_libraw")
def test_a_preview_is_turned_as_the_photo_is(tmp_path: Path) -> None:
    scene, preview = scene_and_preview()
    path = write_dng(tmp_path / "photo.dng", np.rot90(scene), np.ascontiguousarray(np.rot90(preview)), orientation=6)
    assert corner_colours(read_image(path, 400)) == CORNERS


@pytest.mark.usefixtures("without_libraw")
def test_the_largest_of_several_previews_is_read_jpegs_inside_included(tmp_path: Path) -> None:
    jpeg = io.BytesIO()
    make_scene(320, 200).save(jpeg, "JPEG")
    first = TiffPicture(np.asarray(make_scene(160, 100)), subfile_type=1)
    first.children = [
        TiffPicture(np.zeros((4, 4), np.uint16), photometric=32803, subfile_type=0),
        TiffPicture(np.zeros((1, 1), np.uint8), subfile_type=1, tags={513: 1 << 20, 514: len(jpeg.getvalue())}),
    ]
    path = write_tiff(tmp_path / "photo.nef", [first])
    path.write_bytes(path.read_bytes().ljust(1 << 20, b"\0") + jpeg.getvalue())
    info = probe_image(path, MAX_PIXELS)
    assert (info.width, info.height) == (320, 200)
    assert corner_colours(read_image(path, 400)) == CORNERS


@pytest.mark.usefixtures("without_libraw")
def test_a_raw_photo_without_a_preview_is_named(tmp_path: Path) -> None:
    path = write_dng(tmp_path / "photo.dng", scene_and_preview()[0], None)
    with pytest.raises(UnsupportedMedia, match="is a raw photo that cannot be read"):
        probe_image(path, MAX_PIXELS)


@pytest.mark.usefixtures("without_libraw")
def test_a_fujifilm_raw_photo_shows_the_jpeg_inside(tmp_path: Path) -> None:
    jpeg = io.BytesIO()
    make_scene().save(jpeg, "JPEG")
    head = b"FUJIFILMCCD-RAW ".ljust(84, b"\0") + (1000).to_bytes(4, "big") + len(jpeg.getvalue()).to_bytes(4, "big")
    path = tmp_path / "photo.raf"
    path.write_bytes(head.ljust(1000, b"\0") + jpeg.getvalue() + bytes(5000))
    info = probe(path, MediaLimits())
    assert (info.kind, info.format, info.width, info.height) == (AssetKind.IMAGE, "raw", 320, 200)
    assert info.warnings[0].startswith("raw photo: only its 320x200 preview was read")


def test_a_tiff_with_the_name_of_a_raw_photo_is_read_as_the_tiff_that_it_is(tmp_path: Path) -> None:
    thumbnail = TiffPicture(np.full((20, 32, 3), BLUE, np.uint8), subfile_type=1)
    thumbnail.children = [TiffPicture(np.full((200, 320, 3), GREEN, np.uint8), subfile_type=0)]
    path = write_tiff(tmp_path / "photo.dng", [thumbnail])
    info = probe_image(path, MAX_PIXELS)
    assert (info.format, info.width, info.height, info.warnings) == ("tiff", 320, 200, ())
    assert tuple(read_image(path, 400)[100, 100]) == GREEN


def test_the_date_of_a_raw_photo_is_read(tmp_path: Path) -> None:
    path = write_dng(tmp_path / "photo.dng", *scene_and_preview())
    info = probe_image(path, MAX_PIXELS)
    assert info.taken_at == datetime(2019, 8, 7, 6, 5, 4, tzinfo=UTC).timestamp()
    assert info.date_source == "EXIF DateTime (modified), local time read as UTC"
