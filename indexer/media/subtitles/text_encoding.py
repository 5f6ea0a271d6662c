"""Text of subtitle files: Unicode where the bytes are Unicode, else the legacy encoding that fits them best.

The encoding is detected on the lines that hold more than ASCII, without times and tags (decision 0086).
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass

from indexer.media.subtitles.languages import LEGACY_ENCODINGS, Language

_MAX_DETECTION_BYTES = 1 << 16
"""Chosen: more text makes the detection no surer, only slower."""
_MIN_ZERO_SHARE = 0.02
"""Chosen: times and line breaks make zeros of UTF-16 in any script; text in one byte a character has none."""
_MIN_SURE_LEAD = 0.3
"""Measured: of short texts read wrongly, most lead the next candidate by less (decision 0086)."""
_WESTERN_WEIGHT = 1.1
"""Measured: Windows-1252 is the commonest; with it short Western texts are read right, and others as before
(decision 0086)."""
_FOREIGN_SHARE = 0.2
"""Chosen: fewer letters of another script than this share of the Latin ones are accented letters misread, or a name."""
_FOREIGN_PENALTY = 0.5
"""Chosen: such a text can be, so it is made less likely, not ruled out."""
_MIN_SURE_BYTES = 20
"""Measured: below it every twentieth text is read wrongly, above it none (decision 0086)."""
_MIN_LANGUAGE_SHARE = 0.5
"""Chosen: the encodings of the language in the file's name win from this share of the best confidence on; with less a
wrong name would spoil a text that is plain, with more a right one would not help a short one."""
_MIN_KANA_SHARE = 0.2
"""Chosen: Japanese has a third of kana and more; a text of another script has none."""
_MAX_DAMAGE = 1 / 3
"""Measured: damaged sequences to whole ones; legacy texts have at least one to two (decision 0086)."""
_WIDER = {
    "iso8859-1": "cp1252",
    "tis-620": "cp874",
    "euc_kr": "cp949",
    "euc-jis-2004": "euc_jis_2004",
    "shift_jis_2004": "cp932",
}
"""Encodings that hold all characters of another one, in the same places."""
_NAMES = {
    **{f"cp125{digit}": f"Windows-125{digit}" for digit in "012345678"},
    "cp874": "Windows-874",
    "cp949": "Korean (cp949)",
    "johab": "Korean (Johab)",
    "cp932": "Shift JIS",
    "euc_jis_2004": "EUC-JP",
    "gb18030": "GB 18030",
    "big5hkscs": "Big5",
}
_MARKUP = re.compile(rb"<[^<>\n]{0,256}>|\{\\[^}\n]{0,256}\}|\\[Nnh]|^Dialogue:(?:[^,\n]{0,256},){9}", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_MIXED_WORD = re.compile(r"[\u0370-\u1cff](?=[A-Za-z])|(?<=[A-Za-z])[\u0370-\u1cff]")
_FOREIGN = re.compile(r"[\u0370-\u1cff]")
_MARKS = "…―─‥“”‘’×÷→←↑↓○●◎◇◆□■△▲▽▼☆★♪♭♯※〒°′″"
_ESCAPED = re.compile(rb"\x1b\$[@AB)(]|\x1b\([BIJ]")


@dataclass(frozen=True, slots=True)
class DecodedText:
    """Text with `\\n` line breaks; `doubt` says what is uncertain about its encoding, empty where nothing is."""

    text: str
    doubt: str = ""


def decode_text(data: bytes, language: Language | None = None) -> DecodedText:
    """Decode the bytes of a subtitle file; `language` is what its name says, and helps where the bytes do not tell."""
    decoded = _decode_unicode(data) or _decode_legacy(data, language)
    text = decoded.text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return DecodedText(unicodedata.normalize("NFC", text), decoded.doubt)


def _decode_unicode(data: bytes) -> DecodedText | None:
    """Decode UTF-8, UTF-16, UTF-32 and ISO 2022, which their bytes give away; None for any other text."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return DecodedText(data.decode("utf-32", "replace"))
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return DecodedText(data.decode("utf-16", "replace"))
    even, odd = data[::2].count(0), data[1::2].count(0)
    if even + odd > _MIN_ZERO_SHARE * len(data):
        return DecodedText(data.decode("utf-16-be" if even > odd else "utf-16-le", "replace"))
    if data.isascii() and _ESCAPED.search(data):
        return DecodedText(data.decode("iso2022_kr" if b"\x1b$)C" in data else "iso2022_jp_2", "replace"))
    text = data.decode("utf-8", "replace")
    damaged = text.count("\ufffd") - data.count("\ufffd".encode())
    if damaged <= _MAX_DAMAGE * (len(text) - len(text.encode("ascii", "ignore")) - damaged):
        noun = "character" if damaged == 1 else "characters"
        return DecodedText(text, f"is UTF-8 with {damaged} damaged {noun}" if damaged else "")
    return None


def _decode_legacy(data: bytes, language: Language | None) -> DecodedText:
    """Decode text in the likeliest legacy encoding."""
    sample = _sample_text(data)
    encoding, sure = _detect(sample, language)
    text = data.decode(encoding, "replace")
    if "\ufffd" in text:
        return DecodedText(text, f"read as {_display_name(encoding)}, in which not all of it can be read")
    return DecodedText(text, "" if sure else f"read as {_display_name(encoding)}, which is a guess")


def _display_name(encoding: str) -> str:
    return _NAMES.get(encoding, encoding.upper().replace("ISO8859", "ISO-8859"))


def _sample_text(data: bytes) -> bytes:
    """Return the lines that are not plain ASCII, without markup, each once, up to the limit."""
    lines = [_MARKUP.sub(b" ", line).strip() for line in re.split(rb"[\r\n]+", data) if not line.isascii()]
    size = 0
    kept: list[bytes] = []
    for line in dict.fromkeys(lines):
        size += len(line) + 1
        if kept and size > _MAX_DETECTION_BYTES:
            break
        kept.append(line)
    return b"\n".join(kept)


def _detect(sample: bytes, language: Language | None) -> tuple[str, bool]:
    """Return the likeliest encoding of a sample, and whether it is sure."""
    if (japanese := _find_japanese(sample)) is not None:
        return japanese, True
    candidates = _rank(sample)
    if not candidates:
        return "cp1252", False
    best, confidence = candidates[0]
    if language is not None and (named := _find_of_language(sample, language, candidates)) is not None:
        return named, True
    text = sample.decode(best, "replace")
    rival = next((other for encoding, other in candidates if sample.decode(encoding, "replace") != text), 0.0)
    letters = sum(byte > 127 for byte in sample)
    return best, letters >= _MIN_SURE_BYTES or confidence - rival >= _MIN_SURE_LEAD * confidence


def _find_of_language(sample: bytes, language: Language, candidates: list[tuple[str, float]]) -> str | None:
    """Return the likely encoding of a language that gives the most letters of its alphabet; None if none is likely."""
    fitting = [
        (_alphabet_share(sample.decode(encoding, "replace"), language.letters), confidence, encoding)
        for encoding, confidence in candidates
        if encoding in language.encodings and confidence >= _MIN_LANGUAGE_SHARE * candidates[0][1]
    ]
    return max(fitting, default=(0.0, 0.0, None))[2]


def _alphabet_share(text: str, letters: str) -> float:
    """Return which share of a text's letters beyond ASCII belongs to an alphabet; 0 where either is empty."""
    found = [char for char in text.lower() if not char.isascii() and char.isalpha()]
    return sum(char in letters for char in found) / max(len(found), 1)


def _find_japanese(sample: bytes) -> str | None:
    """Return the encoding in which a sample is Japanese by its kana, which no other text gives; None for others."""
    for encoding in ("cp932", "euc_jis_2004"):
        try:
            wide = [char for char in sample.decode(encoding) if not char.isascii()]
        except UnicodeDecodeError:
            continue
        kana = sum("\u3041" <= char <= "\u30fe" for char in wide)
        if kana >= _MIN_KANA_SHARE * len(wide) and all(_is_japanese(char) for char in wide):
            return encoding
    return None


def _is_japanese(char: str) -> bool:
    """Return True for kana, kanji, punctuation and full-width forms; half-width kana are other scripts misread."""
    return (
        "\u3000" <= char <= "\u30ff" or "\u4e00" <= char <= "\u9fff" or "\uff01" <= char <= "\uff60" or char in _MARKS
    )


def _rank(sample: bytes) -> list[tuple[str, float]]:
    """Return the encodings that a sample may have with their confidences, best first."""
    import chardet

    found = chardet.detect_all(
        sample, ignore_threshold=True, compat_names=False, include_encodings=LEGACY_ENCODINGS, max_bytes=len(sample) + 1
    )
    ranked: dict[str, float] = {}
    for candidate in found:
        if not candidate["encoding"]:
            continue
        encoding = _WIDER.get(name := str(candidate["encoding"]).lower(), name)
        try:
            share = _plain_share(sample.decode(encoding))
        except UnicodeDecodeError:
            share = 0.0
        if share:
            weight = _WESTERN_WEIGHT if encoding == "cp1252" else 1.0
            ranked.setdefault(encoding, candidate["confidence"] * share * weight)
    return sorted(ranked.items(), key=lambda item: -item[1])


def _plain_share(text: str) -> float:
    """Return which share of the characters beyond ASCII may stand where they do; 0 where there are control characters.

    A letter of another script inside a word of Latin letters may not.
    """
    beyond = len(text) - len(text.encode("ascii", "ignore"))
    if not beyond or _CONTROL.search(text):
        return 0.0
    share = max(1.0 - len(_MIXED_WORD.findall(text)) / beyond, 0.0)
    foreign, latin = len(_FOREIGN.findall(text)), sum(char.isascii() and char.isalpha() for char in text)
    return share * _FOREIGN_PENALTY if 0 < foreign < _FOREIGN_SHARE * latin else share
