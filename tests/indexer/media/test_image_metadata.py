"""Dates and texts that cameras, editors and people write into pictures."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pillow_heif
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from indexer.media.image import probe_image
from indexer.types import MediaInfo
from tests.indexer.media.test_image import make_scene

MAX_PIXELS = 200_000_000
Base, Gps = ExifTags.Base, ExifTags.GPS


def make_exif(
    main: dict[int, object], exif: dict[int, object] | None = None, gps: dict[int, object] | None = None
) -> Image.Exif:
    table = Image.Exif()
    for tag, value in main.items():
        table[tag] = value
    table.get_ifd(ExifTags.IFD.Exif).update(exif or {})
    table.get_ifd(ExifTags.IFD.GPSInfo).update(gps or {})
    return table


def make_xmp(body: str, attributes: str = "") -> bytes:
    namespaces = {
        "dc": "http://purl.org/dc/elements/1.1/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "exif": "http://ns.adobe.com/exif/1.0/",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
        "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
        "unknown": "http://example.com/",
    }
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in namespaces.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {declared} {attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    ).encode()


def make_iptc(*datasets: tuple[int, int, bytes]) -> bytes:
    return b"".join(
        struct.pack(">BBBH", 0x1C, record, number, len(value)) + value for record, number, value in datasets
    )


def save_with_iptc(path: Path, iptc: bytes) -> None:
    """A JPEG with an APP13 segment of Photoshop, behind its first two bytes."""
    make_scene().save(path)
    resource = b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    body = b"Photoshop 3.0\0" + resource
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xed" + struct.pack(">H", len(body) + 2) + body + data[2:])


def save(path: Path, xmp: bytes) -> None:
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    if path.suffix == ".png":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode())
        make_scene().save(path, pnginfo=chunks)
    elif path.suffix == ".tif":
        make_scene().save(path, tiffinfo={700: xmp})
    else:
        make_scene().save(path, xmp=xmp)


def utc(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]


def probe_exif(path: Path, *tables: dict[int, object]) -> MediaInfo:
    make_scene().save(path, exif=make_exif(*tables))
    return probe_image(path, MAX_PIXELS)


# When it was taken


def test_a_picture_without_a_time_of_capture_has_that_of_its_digitization(tmp_path: Path) -> None:
    info = probe_exif(tmp_path / "a.jpg", {}, {Base.DateTimeDigitized: "2018:03:04 10:20:30"})
    assert (info.taken_at, info.date_source) == (
        utc(2018, 3, 4, 10, 20, 30),
        "EXIF DateTimeDigitized, local time read as UTC",
    )


def test_the_time_of_a_change_serves_where_there_is_no_other(tmp_path: Path) -> None:
    info = probe_exif(tmp_path / "a.jpg", {Base.DateTime: "2017:03:04 10:20:30"})
    assert (info.taken_at, info.date_source) == (
        utc(2017, 3, 4, 10, 20, 30),
        "EXIF DateTime (modified), local time read as UTC",
    )


def test_a_fraction_and_an_offset_inside_of_the_date_are_read(tmp_path: Path) -> None:
    info = probe_exif(tmp_path / "a.jpg", {}, {Base.DateTimeOriginal: "2013:02:21 10:14:22.27-05:30"})
    expected = datetime(2013, 2, 21, 10, 14, 22, 270_000, timezone(-timedelta(hours=5, minutes=30)))
    assert (info.taken_at, info.date_source) == (expected.timestamp(), "EXIF DateTimeOriginal")


@pytest.mark.parametrize("offset", [Base.OffsetTime, Base.OffsetTimeOriginal, Base.OffsetTimeDigitized])
def test_an_offset_serves_whichever_field_it_stands_in(tmp_path: Path, offset: ExifTags.Base) -> None:
    info = probe_exif(tmp_path / "a.jpg", {}, {Base.DateTimeOriginal: "2018:03:04 12:00:00", offset: "+09:00"})
    assert info.taken_at == utc(2018, 3, 4, 3)


def test_a_fraction_in_a_field_of_its_own_is_read(tmp_path: Path) -> None:
    tags = {Base.DateTimeOriginal: "2018:03:04 12:00:00", Base.SubsecTimeOriginal: "25"}
    assert probe_exif(tmp_path / "a.jpg", {}, tags).taken_at == utc(2018, 3, 4, 12) + 0.25


def test_an_impossible_date_does_not_hide_the_next(tmp_path: Path) -> None:
    tags = {Base.DateTimeOriginal: "0000:00:00 00:00:00", Base.DateTimeDigitized: "2018:03:04 10:20:30"}
    assert probe_exif(tmp_path / "a.jpg", {}, tags).taken_at == utc(2018, 3, 4, 10, 20, 30)


def test_the_date_of_the_satellites_is_read_as_utc(tmp_path: Path) -> None:
    gps = {Gps.GPSDateStamp: "2015:06:07", Gps.GPSTimeStamp: (8.0, 9.0, 10.0)}
    info = probe_exif(tmp_path / "a.jpg", {}, {}, gps)
    assert (info.taken_at, info.date_source) == (utc(2015, 6, 7, 8, 9, 10), "EXIF GPSDateStamp")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "heic", "avif"])
@pytest.mark.parametrize(
    ("attributes", "source"),
    [
        ('photoshop:DateCreated="2016-05-04T10:00:00+02:00"', "XMP photoshop:DateCreated"),
        ('xmp:CreateDate="2016-05-04T10:00:00+02:00"', "XMP xmp:CreateDate"),
        ('exif:DateTimeOriginal="2016-05-04T10:00:00+02:00"', "XMP exif:DateTimeOriginal"),
    ],
)
def test_the_dates_of_xmp_are_read_in_every_format(tmp_path: Path, suffix: str, attributes: str, source: str) -> None:
    path = tmp_path / f"a.{suffix}"
    save(path, make_xmp("", attributes))
    info = probe_image(path, MAX_PIXELS)
    assert (info.taken_at, info.date_source) == (utc(2016, 5, 4, 8), source)


def test_the_date_and_time_of_iptc_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    save_with_iptc(path, make_iptc((2, 55, b"20140302"), (2, 60, b"101112+0100")))
    info = probe_image(path, MAX_PIXELS)
    assert (info.taken_at, info.date_source) == (utc(2014, 3, 2, 9, 11, 12), "IPTC DateCreated")


def test_the_time_of_capture_outweighs_all_others(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    tags = {Base.DateTimeOriginal: "2011:01:01 00:00:00", Base.DateTimeDigitized: "2012:01:01 00:00:00"}
    exif = make_exif({Base.DateTime: "2013:01:01 00:00:00"}, tags)
    make_scene().save(path, exif=exif, xmp=make_xmp("", 'xmp:CreateDate="2014-01-01"'))
    assert probe_image(path, MAX_PIXELS).taken_at == utc(2011, 1, 1)


# What it says


def test_the_words_of_exif_are_read(tmp_path: Path) -> None:
    main = {
        Base.ImageDescription: "The old mill at Keswick",
        Base.XPTitle: "Mühle im Abendlicht".encode("utf-16-le"),
        Base.XPKeywords: "mill;lake;여행".encode("utf-16-le"),
        Base.XPComment: "Printed for Ada".encode("utf-16-le"),
        Base.Artist: "Grace Hopper",
    }
    comment = b"UNICODE\0" + "Second floor".encode("utf-16-le")
    info = probe_exif(tmp_path / "a.jpg", main, {Base.UserComment: comment})
    assert info.metadata == (
        "Title: Mühle im Abendlicht",
        "Description: The old mill at Keswick",
        "Comment: Printed for Ada, Second floor",
        "Keywords: mill, lake, 여행",
        "Author: Grace Hopper",
    )


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "heic", "avif"])
def test_titles_keywords_people_and_places_of_xmp_are_read_in_every_format(tmp_path: Path, suffix: str) -> None:
    body = (
        '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Boats &amp; bridges</rdf:li></rdf:Alt></dc:title>'
        "<dc:subject><rdf:Bag><rdf:li>harbour</rdf:li><rdf:li>fog</rdf:li></rdf:Bag></dc:subject>"
        "<Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Ada Lovelace</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImage>"
        '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag><rdf:li>'
        '<rdf:Description mwg-rs:Name="Charles Babbage" mwg-rs:Type="Face"/></rdf:li></rdf:Bag></mwg-rs:RegionList>'
        "</mwg-rs:Regions><photoshop:City>Oslo</photoshop:City><unknown:secret>not for search</unknown:secret>"
    )
    path = tmp_path / f"a.{suffix}"
    save(path, make_xmp(body, 'photoshop:Country="Norway"'))
    assert probe_image(path, MAX_PIXELS).metadata == (
        "Title: Boats & bridges",
        "Keywords: harbour, fog",
        "People: Ada Lovelace, Charles Babbage",
        "Place: Oslo, Norway",
    )


@pytest.mark.parametrize(("charset", "encoding"), [((1, 90, b"\x1b%G"), "utf-8"), ((1, 0, b"\0\2"), "cp1252")])
def test_the_captions_of_agencies_are_read_in_their_alphabet(
    tmp_path: Path, charset: tuple[int, int, bytes], encoding: str
) -> None:
    path = tmp_path / "a.jpg"
    words = [(2, 5, "Café"), (2, 120, "Müller opens the café"), (2, 25, "opening"), (2, 25, "coffee"), (2, 90, "Köln")]
    save_with_iptc(
        path, make_iptc(charset, *((record, number, text.encode(encoding)) for record, number, text in words))
    )
    assert probe_image(path, MAX_PIXELS).metadata == (
        "Title: Café",
        "Description: Müller opens the café",
        "Keywords: opening, coffee",
        "Place: Köln",
    )


def test_the_text_chunks_of_a_png_are_read(tmp_path: Path) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Title", "Plan of the cellar")
    chunks.add_itxt("Description", "Drawn by hand")
    chunks.add_text("Software", "gimp")
    make_scene().save(tmp_path / "a.png", pnginfo=chunks)
    info = probe_image(tmp_path / "a.png", MAX_PIXELS)
    assert info.metadata == ("Title: Plan of the cellar", "Description: Drawn by hand")


@pytest.mark.parametrize(
    "text", ["OLYMPUS DIGITAL CAMERA", "SONY DSC", " ", "20180304_102030", '{"shape": [3, 4]}', "default"]
)
def test_what_machines_write_is_no_description(tmp_path: Path, text: str) -> None:
    assert probe_exif(tmp_path / "a.jpg", {Base.ImageDescription: text}).metadata == ()


def test_a_text_that_stands_in_several_fields_comes_once(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = make_exif({Base.ImageDescription: "The old mill"})
    make_scene().save(path, exif=exif, xmp=make_xmp("<dc:description>the old mill</dc:description>"))
    assert probe_image(path, MAX_PIXELS).metadata == ("Description: the old mill",)


# Hostile metadata


def test_a_long_text_is_cut_and_control_characters_are_gone(tmp_path: Path) -> None:
    words = "word \x07\x1b[31m\u202e" * 1500
    info = probe_exif(tmp_path / "a.jpg", {Base.XPTitle: words.encode("utf-16-le")})
    (line,) = info.metadata
    assert len(line) <= 2010
    assert not any(ord(letter) < 32 or letter == "\u202e" for letter in line)


@pytest.mark.parametrize(
    "packet",
    [
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>' + make_xmp("<dc:title>&a;&a;</dc:title>"),
        b'<!DOCTYPE x [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + make_xmp("<dc:title>&b;</dc:title>"),
        make_xmp("<dc:title>" + "<dc:a>" * 300),
        b"<x" * 5000,
        b"\xff\xfe" + bytes(300),
        make_xmp("<dc:title>" + "x" * (1 << 21) + "</dc:title>"),
    ],
)
def test_a_hostile_packet_says_nothing_and_costs_nothing(tmp_path: Path, packet: bytes) -> None:
    path = tmp_path / "a.tif"
    make_scene().save(path, tiffinfo={700: packet})
    info = probe_image(path, MAX_PIXELS)
    assert (info.metadata, info.taken_at, info.width) == ((), None, 320)


@pytest.mark.parametrize("iptc", [b"\x1c\x02\x05\xff\xff", b"\x1c" * 50, b"", b"\x1c\x02\x05\x00\xff" + b"short"])
def test_broken_iptc_does_not_lose_the_picture(tmp_path: Path, iptc: bytes) -> None:
    path = tmp_path / "a.jpg"
    save_with_iptc(path, iptc)
    assert probe_image(path, MAX_PIXELS).width == 320
