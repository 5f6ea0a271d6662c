"""Pictures of every kind, made with Pillow, read back upright and in RGB."""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image

from indexer.errors import DamagedMedia, LimitExceeded, SourceNotFound, UnsupportedMedia
from indexer.media.image import probe_image, read_image
from indexer.types import AssetKind, Pixels

MAX_PIXELS = 200_000_000
RED, GREEN, BLUE, WHITE = (230, 20, 20), (20, 200, 20), (20, 20, 230), (255, 255, 255)
CORNERS = (RED, GREEN, BLUE, WHITE)


def make_scene(width: int = 320, height: int = 200) -> Image.Image:
    """Red upper left, green upper right, blue lower left, white lower right."""
    picture = Image.new("RGB", (width, height), WHITE)
    picture.paste(RED, (0, 0, width // 2, height // 2))
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    return picture


def corner_colours(rgb: Pixels) -> tuple[tuple[int, int, int], ...]:
    """The nearest of the scene's colours in the middle of each quarter."""
    height, width, _ = rgb.shape
    colours = []
    for y in (height // 4, 3 * height // 4):
        for x in (width // 4, 3 * width // 4):
            pixel = rgb[y, x].astype(int)
            colours.append(min(CORNERS, key=lambda colour: int(np.abs(pixel - colour).sum())))
    return tuple(colours)


def make_exif(**tags: object) -> Image.Exif:
    table = Image.Exif()
    for name, value in tags.items():
        if name == "Orientation":
            table[ExifTags.Base.Orientation] = value
        else:
            table.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base[name]] = value
    return table


def write_png(path: Path, width: int, height: int) -> Path:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b""))
    return path


# What it looks like


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "tif", "png", "webp"])
def test_an_exif_rotated_picture_is_read_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = make_scene().transpose(undo[orientation]) if orientation > 1 else make_scene()
    path = tmp_path / f"photo.{suffix}"
    stored.save(path, exif=make_exif(Orientation=orientation))
    info = probe_image(path, MAX_PIXELS)
    rgb = read_image(path, 1000)
    assert (info.width, info.height) == (320, 200)
    assert rgb.shape == (200, 320, 3)
    assert corner_colours(rgb) == CORNERS


@pytest.mark.parametrize(("suffix", "name"), [("heic", "heif"), ("avif", "avif"), ("jp2", "jpeg2000"), ("bmp", "bmp")])
def test_the_formats_of_phones_and_scanners_make_the_round_trip(tmp_path: Path, suffix: str, name: str) -> None:
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    path = tmp_path / f"photo.{suffix}"
    make_scene().save(path)
    info = probe_image(path, MAX_PIXELS)
    assert (info.kind, info.format, info.width, info.height) == (AssetKind.IMAGE, name, 320, 200)
    rgb = read_image(path, 1000)
    assert corner_colours(rgb) == CORNERS
    assert np.abs(rgb.astype(int) - np.asarray(make_scene())).mean() < 3


@pytest.mark.parametrize("suffix", ["heic", "avif"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_rotated_phone_picture_is_turned_once_and_only_once(tmp_path: Path, suffix: str, orientation: int) -> None:
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    undo = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    path = tmp_path / f"photo.{suffix}"
    make_scene().transpose(undo[orientation]).save(path, exif=make_exif(Orientation=orientation).tobytes())
    info = probe_image(path, MAX_PIXELS)
    assert (info.width, info.height) == (320, 200)
    assert corner_colours(read_image(path, 1000)) == CORNERS


def test_a_wrong_suffix_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "photo.txt"
    make_scene().save(path, format="PNG")
    assert probe_image(path, MAX_PIXELS).format == "png"
    assert corner_colours(read_image(path, 1000)) == CORNERS


def test_the_longer_side_is_reduced_to_the_limit_and_never_enlarged(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    make_scene(1600, 1000).save(path)
    rgb = read_image(path, 448)
    assert rgb.shape == (280, 448, 3)
    assert rgb.flags.c_contiguous and rgb.dtype == np.uint8
    assert corner_colours(rgb) == CORNERS
    assert read_image(path, 5000).shape == (1000, 1600, 3)


def test_a_sliver_keeps_at_least_one_pixel(tmp_path: Path) -> None:
    path = tmp_path / "sliver.png"
    Image.new("RGB", (3000, 1), RED).save(path)
    assert read_image(path, 100).shape == (1, 100, 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_on_white(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "clear.png"
    picture = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 20, 40))
    picture.convert(mode).save(path)
    rgb = read_image(path, 100)
    assert rgb[20, 5].tolist() == [0, 0, 0]
    assert rgb[20, 35].tolist() == [255, 255, 255]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_grey_keeps_its_range(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"deep.{suffix}"
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16)[None, :].repeat(8, axis=0)
    Image.fromarray(ramp).save(path)
    assert np.abs(read_image(path, 1000)[4, :, 0].astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-40.0, 3000.0)])
def test_floating_point_grey_is_stretched_to_what_can_be_seen(tmp_path: Path, low: float, high: float) -> None:
    path = tmp_path / "float.tif"
    Image.fromarray(np.linspace(low, high, 64, dtype=np.float32)[None, :].repeat(4, axis=0)).save(path)
    row = read_image(path, 1000)[0, :, 0]
    assert (row[0], row[-1]) == (0, 255)
    assert (np.diff(row.astype(int)) > 0).all()


@pytest.mark.parametrize(("mode", "suffix"), [("CMYK", "jpg"), ("CMYK", "tif"), ("P", "gif"), ("YCbCr", "jpg")])
def test_other_colour_models_become_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"photo.{suffix}"
    make_scene().convert(mode).save(path)
    assert corner_colours(read_image(path, 1000)) == CORNERS


def test_black_and_white_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "fax.tif"
    Image.fromarray(np.arange(64)[None, :].repeat(8, axis=0) < 32).save(path, compression="group4")
    assert read_image(path, 100)[4, [0, 63], 0].tolist() == [255, 0]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_of_an_animation_the_first_picture_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"moving.{suffix}"
    others = [Image.new("RGB", (320, 200), colour) for colour in (BLUE, GREEN)]
    make_scene().save(path, save_all=True, append_images=others)
    info = probe_image(path, MAX_PIXELS)
    assert info.warnings == ("holds more than one picture; only the first is read",)
    assert (info.width, info.height) == (320, 200)
    assert corner_colours(read_image(path, 1000)) == CORNERS


@pytest.mark.parametrize("suffix", ["avif", "heic"])
def test_of_several_pictures_in_a_file_of_a_phone_the_first_is_read_and_said_to_be(tmp_path: Path, suffix: str) -> None:
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    path = tmp_path / f"several.{suffix}"
    make_scene().save(path, save_all=True, append_images=[Image.new("RGB", (320, 200), BLUE)])
    assert probe_image(path, MAX_PIXELS).warnings == ("holds more than one picture; only the first is read",)
    assert corner_colours(read_image(path, 1000)) == CORNERS


@pytest.mark.parametrize(
    ("kind", "is_said"), [(0x020001, True), (0x020002, True), (0x020003, True), (0x010002, False), (0x000000, False)]
)
def test_other_views_in_a_jpeg_are_said_and_previews_are_not(tmp_path: Path, kind: int, is_said: bool) -> None:
    path = tmp_path / "several.mpo"
    make_scene().save(path, save_all=True, append_images=[Image.new("RGB", (320, 200), BLUE)])
    with Image.open(path) as image:
        first_size = image.mpinfo[0xB002][0]["Size"]  # type: ignore[attr-defined]  # of Pillow's MPO files alone
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<II", 0x030000, first_size))  # CIPA DC-007, 5.2.3.3: entries of 16 bytes
    struct.pack_into("<I", data, at + 16, kind)
    path.write_bytes(data)
    expected = ("holds more than one picture; only the first is read",) if is_said else ()
    assert probe_image(path, MAX_PIXELS).warnings == expected
    assert corner_colours(read_image(path, 1000)) == CORNERS


@pytest.mark.parametrize("suffix", ["avif", "heic", "jpg", "gif", "webp", "png", "tif"])
def test_a_single_picture_is_not_said_to_be_several(tmp_path: Path, suffix: str) -> None:
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    path = tmp_path / f"one.{suffix}"
    make_scene().save(path)
    assert probe_image(path, MAX_PIXELS).warnings == ()


def draw_strokes(path: Path, *colours: tuple[int, ...]) -> Path:
    """Strokes, one of each colour, on a transparent ground."""
    picture = Image.new("RGBA", (200, 40 * len(colours)), (0, 0, 0, 0))
    for number, colour in enumerate(colours):
        picture.paste(colour, (20, 40 * number + 15, 180, 40 * number + 25))
    picture.save(path)
    return path


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
@pytest.mark.parametrize(
    "colours",
    [
        [(255, 255, 255, 255)],
        [(0, 0, 0, 255)],
        [(250, 250, 210, 255)],
        [(255, 255, 255, 255), (0, 0, 0, 255)],
        [(128, 128, 128, 255)],
    ],
)
def test_what_is_drawn_on_a_transparent_ground_stands_out(
    tmp_path: Path, suffix: str, colours: list[tuple[int, ...]]
) -> None:
    rgb = read_image(draw_strokes(tmp_path / f"clear.{suffix}", *colours), 1000).astype(int)
    for number in range(len(colours)):
        assert np.abs(rgb[40 * number + 20, 100] - rgb[40 * number + 20, 5]).max() > 90


def test_a_photo_with_clear_corners_stays_on_white(tmp_path: Path) -> None:
    picture = make_scene().convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 30, 30))
    picture.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", 1000)[5, 5].tolist() == [255, 255, 255]


# When it was taken


def test_the_time_of_capture_honours_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    make_scene().save(path, exif=make_exif(DateTimeOriginal="2024:05:04 18:30:00", OffsetTimeOriginal="+02:00"))
    expected = datetime(2024, 5, 4, 18, 30, tzinfo=timezone(timedelta(hours=2)))
    assert probe_image(path, MAX_PIXELS).taken_at == expected.timestamp()


@pytest.mark.parametrize("offset", ["", "   :  ", "later"])
def test_a_time_without_a_usable_offset_is_read_as_utc(tmp_path: Path, offset: str) -> None:
    path = tmp_path / "photo.jpg"
    make_scene().save(path, exif=make_exif(DateTimeOriginal="2024:05:04 18:30:00", OffsetTimeOriginal=offset))
    assert probe_image(path, MAX_PIXELS).taken_at == datetime(2024, 5, 4, 18, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("exif_time", ["0000:00:00 00:00:00", "yesterday", ""])
def test_a_senseless_time_is_no_time(tmp_path: Path, exif_time: str) -> None:
    path = tmp_path / "photo.jpg"
    make_scene().save(path, exif=make_exif(DateTimeOriginal=exif_time))
    assert probe_image(path, MAX_PIXELS).taken_at is None


@pytest.mark.parametrize(
    "damage", [b"Exif\0\0nonsense", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xee" * 40, b"Exif\0\0"]
)
def test_broken_exif_does_not_lose_the_picture(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "photo.jpg"
    make_scene().save(path, exif=damage)
    assert probe_image(path, MAX_PIXELS).taken_at is None
    assert corner_colours(read_image(path, 1000)) == CORNERS


# What cannot be read


def test_a_picture_too_large_is_refused_by_its_size(tmp_path: Path) -> None:
    path = write_png(tmp_path / "huge.png", 50_000, 50_000)
    with pytest.raises(LimitExceeded) as caught:
        probe_image(path, MAX_PIXELS)
    assert str(caught.value) == f"{path}: 50000 x 50000 pixels, over the limit of 200 megapixels"


def test_the_limit_is_ours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = write_png(tmp_path / "wide.png", 19_000, 10_000)
    assert probe_image(wide, MAX_PIXELS).width == 19_000
    small = tmp_path / "small.png"
    make_scene().save(small)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert probe_image(small, 64_000).height == 200
    assert read_image(small, 1000).shape == (200, 320, 3)
    with pytest.raises(LimitExceeded, match=r"320 x 200 pixels, over the limit of 0\.063999 megapixels"):
        probe_image(small, 63_999)
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "tif", "webp", "avif", "heic"])
@pytest.mark.parametrize("share", [0.02, 0.6])
def test_a_truncated_picture_is_damaged(tmp_path: Path, suffix: str, share: float) -> None:
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    noise = np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DamagedMedia) as caught:
        read_image(path, 1000)
    assert caught.value.name == str(path)
    assert "\n" not in str(caught.value)


def test_corrupt_pixels_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "corrupt.png"
    make_scene().save(path)
    data = bytearray(path.read_bytes())
    middle = data.index(b"IDAT") + 10
    data[middle : middle + 40] = b"\xff" * 40
    path.write_bytes(data)
    with pytest.raises(DamagedMedia, match=r"corrupt\.png: is truncated or damaged"):
        read_image(path, 1000)


def test_an_empty_file_is_damaged_and_text_is_not_media(tmp_path: Path) -> None:
    empty, words = tmp_path / "empty.jpg", tmp_path / "words.jpg"
    empty.write_bytes(b"")
    words.write_text("not a picture at all\n" * 20)
    with pytest.raises(DamagedMedia, match="is empty"):
        probe_image(empty, MAX_PIXELS)
    with pytest.raises(UnsupportedMedia, match="not a picture of a known format"):
        probe_image(words, MAX_PIXELS)


@pytest.mark.parametrize(
    ("start", "name"), [(b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"), (b"\xff\x0a\xfa\x1f", "JPEG XL"), (b"DDS |", "DDS")]
)
def test_a_picture_that_no_decoder_here_opens_is_named(tmp_path: Path, start: bytes, name: str) -> None:
    path = tmp_path / "picture"
    path.write_bytes(start + bytes(200))
    with pytest.raises(UnsupportedMedia, match=f"is a {name} picture, which no decoder here can open"):
        probe_image(path, MAX_PIXELS)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"nowhere\.jpg: no such file or directory"):
        probe_image(tmp_path / "nowhere.jpg", MAX_PIXELS)
