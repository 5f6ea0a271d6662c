"""XMP packets (ISO 16684-1): their dates and their descriptive texts, by expat without document types or entities."""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

from indexer.media.dates import DateCandidate
from indexer.media.metadata import MetadataField

_MAX_PACKET_BYTES = 1 << 20
"""Chosen: packets of photos have kilobytes; those with the history of an editor some hundred."""
_MAX_VALUES = 2000
"""Chosen: values that are kept of a packet; bounds the memory of a hostile one."""
_MAX_DEPTH = 64
"""Chosen: elements in each other; face regions nest about ten."""
_SEPARATOR = "\n"
"""Form: stands between namespace and name in what expat gives; no namespace has a line break."""
_NAMESPACES = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/pdf/1.3/": "pdf",
    "http://ns.adobe.com/lightroom/1.0/": "lr",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://www.metadataworkinggroup.com/schemas/regions/": "mwg-rs",
    "http://ns.microsoft.com/photo/1.2/t/Region#": "MPReg",
    "http://ns.microsoft.com/photo/1.0": "MicrosoftPhoto",
    "http://ns.microsoft.com/photo/1.0/": "MicrosoftPhoto",
    "http://www.digikam.org/ns/1.0/": "digiKam",
}
_CAPTURE_DATES = ("exif:DateTimeOriginal", "photoshop:DateCreated")
_CREATION_DATES = ("exif:DateTimeDigitized", "xmp:CreateDate")
_LAST_DATES = ("dc:date", "xmp:ModifyDate")
_LABELS = {
    "dc:title": "Title",
    "photoshop:Headline": "Title",
    "dc:description": "Description",
    "tiff:ImageDescription": "Description",
    "Iptc4xmpCore:AltTextAccessibility": "Description",
    "Iptc4xmpCore:ExtDescrAccessibility": "Description",
    "exif:UserComment": "Comment",
    "dc:subject": "Keywords",
    "pdf:Keywords": "Keywords",
    "lr:hierarchicalSubject": "Keywords",
    "digiKam:TagsList": "Keywords",
    "MicrosoftPhoto:LastKeywordXMP": "Keywords",
    "Iptc4xmpExt:PersonInImage": "People",
    "mwg-rs:Name": "People",
    "MPReg:PersonDisplayName": "People",
    "Iptc4xmpExt:Event": "Event",
    "Iptc4xmpCore:Location": "Place",
    "Iptc4xmpExt:Sublocation": "Place",
    "photoshop:City": "Place",
    "Iptc4xmpExt:City": "Place",
    "photoshop:State": "Place",
    "Iptc4xmpExt:ProvinceState": "Place",
    "photoshop:Country": "Place",
    "Iptc4xmpExt:CountryName": "Place",
    "Iptc4xmpExt:LocationName": "Place",
    "dc:creator": "Author",
}
"""Source: the namespaces of XMP, IPTC Photo Metadata 2023.1, MWG regions and Microsoft Photo."""

Properties = dict[str, list[str]]


def read_packet(packet: bytes | str | None) -> Properties:
    """Return the properties of a packet by prefix and name (`dc:title`), each with its values in order.

    What comes before an error in the XML is returned; a packet that is too large, or has a document type, is empty.
    """
    if not packet or len(packet) > _MAX_PACKET_BYTES:
        return {}
    data = packet.encode("utf-8", "replace") if isinstance(packet, str) else packet.rstrip(b"\0 \n\r\t")
    collector = _Collector()
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.add_text
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except _Refused:
        return {}
    except (expat.ExpatError, ValueError):
        pass
    return collector.properties


def capture_dates(properties: Properties) -> Iterator[DateCandidate]:
    """Yield when the picture was taken."""
    yield from _dates(properties, _CAPTURE_DATES)


def creation_dates(properties: Properties) -> Iterator[DateCandidate]:
    """Yield when the picture or the file was first made."""
    yield from _dates(properties, _CREATION_DATES)


def modification_dates(properties: Properties) -> Iterator[DateCandidate]:
    """Yield when the file was changed."""
    yield from _dates(properties, _LAST_DATES)


def descriptive_fields(properties: Properties) -> Iterator[MetadataField]:
    """Yield titles, captions, keywords, people and places."""
    for name, label in _LABELS.items():
        for value in properties.get(name, ()):
            yield MetadataField(label, value.replace("|", " ").replace("/", " ") if _is_path(name) else value)


def _is_path(name: str) -> bool:
    return name in ("lr:hierarchicalSubject", "digiKam:TagsList")


def _dates(properties: Properties, names: tuple[str, ...]) -> Iterator[DateCandidate]:
    for name in names:
        for value in properties.get(name, ()):
            yield DateCandidate(f"XMP {name}", value)


class _Refused(Exception):
    """A document type, which XMP has none of."""


def _refuse(*_: object) -> None:
    raise _Refused


class _Collector:
    """Handler that gathers the text of each property, be it an attribute, an element or an item of a list in one."""

    def __init__(self) -> None:
        self.properties: Properties = {}
        self._path: list[str | None] = []
        self._text: list[str] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Open an element: its attributes are properties of their own."""
        if len(self._path) >= _MAX_DEPTH:
            raise ValueError("the packet is nested too deep")
        self._path.append(_short_name(name))
        self._text = []
        for key, value in attributes.items():
            if (short := _short_name(key)) is not None:
                self._add(short, value)

    def end(self, _name: str) -> None:
        """Close an element: its text belongs to the nearest property around it."""
        text = "".join(self._text).strip()
        own = next((name for name in reversed(self._path) if name is not None), None)
        if text and own is not None:
            self._add(own, text)
        self._text = []
        self._path.pop()

    def add_text(self, text: str) -> None:
        """Add characters of the innermost element."""
        self._text.append(text)

    def _add(self, name: str, value: str) -> None:
        self._count += 1
        if self._count > _MAX_VALUES:
            raise ValueError("the packet has too many values")
        self.properties.setdefault(name, []).append(value)


def _short_name(name: str) -> str | None:
    """Return `dc:title` for a name with its namespace; None where the namespace is unknown."""
    namespace, _, local = name.rpartition(_SEPARATOR)
    prefix = _NAMESPACES.get(namespace)
    return None if prefix is None else f"{prefix}:{local}"
