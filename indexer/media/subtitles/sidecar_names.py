"""Which subtitle files belong to a recording, by their names.

Names are compared in Unicode's composed form and without regard to case, since file systems and copies differ in both.
`film.srt`, `film.en.srt`, `film.forced.en.srt`, `film.English.srt` and `film.mp4.srt` belong to `film.mp4`, as do those
in a folder `Subs` beside it; of two recordings the one with the longest name that fits has a file (decision 0087).
"""

from __future__ import annotations

import os
import re
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from indexer.errors import SourceNotFound
from indexer.media.subtitles.languages import LANGUAGES_BY_WORD, Language

SIDECAR_SUFFIXES = frozenset(
    {".srt", ".vtt", ".ass", ".ssa", ".smi", ".sami", ".sub", ".sbv", ".mpl", ".lrc", ".ttml", ".dfxp"}
)
"""Suffixes of subtitle files."""
_FOLDERS = frozenset({"subs", "sub", "subtitles", "subtitle"})
_RECORDINGS = frozenset(
    {"", ".mp4", ".m4v", ".mov", ".qt", ".mkv", ".mk3d", ".webm", ".avi", ".divx", ".ts", ".mts", ".m2ts", ".m2t"}
    | {".mpg", ".mpeg", ".mpe", ".m2v", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".ogm", ".mxf"}
    | {".rm", ".rmvb", ".dv", ".nut", ".y4m", ".mp3", ".m4a", ".m4b", ".aac", ".wav", ".flac", ".ogg", ".oga", ".opus"}
    | {".wma", ".amr", ".mka", ".ac3", ".dts", ".aif", ".aiff", ".caf", ".wv", ".ape"}
)
"""Suffixes of recordings; a file without any may be one."""
_NO_RECORDINGS = frozenset(
    {".pdf", ".jpg", ".jpeg", ".jfif", ".png", ".gif", ".webp", ".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp"}
    | {".jxl", ".svg", ".dng", ".txt", ".nfo", ".json", ".xml"}
)
"""Suffixes of pictures, documents and notes, to which no subtitles belong, even where the names agree."""
_KINDS = frozenset(
    {"forced", "sdh", "cc", "hi", "default", "full", "foreign", "signs", "songs", "commentary", "lyrics", "orig"}
    | {"original", "auto", "dub", "dubbed", "dubtitle", "closed", "captions", "caption", "subtitles", "subs", "latin"}
    | {"cyrillic", "american", "european", "traditional", "simplified", "hearing", "impaired"}
)
"""Words that say what kind of subtitles a file holds."""
_CODE = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]{2,8})*")
_NUMBER = re.compile(r"\d{1,2}")
_WORD_BREAK = re.compile(r"[\s._\-()\[\]&+,]+")
_LEADING_NUMBER = re.compile(r"\d{1,3}[_.\- ]+")
_MAX_PARTS = 4
"""Chosen: a language, a kind, a number and one more; a longer rest is the name of something else."""
_CACHED_NAMES = 1 << 16
"""Form: names kept in composed form; a folder is looked through once for each recording in it."""
_MAX_LISTINGS = 64
"""Form: folders whose listings are kept at a time."""
_SETTLED_NS = 3_000_000_000
"""Chosen: file systems tell times apart by 2 s (FAT) or less; a folder that changed later is listed each time."""


@dataclass(frozen=True, slots=True)
class _Listing:
    """Names of the subtitle files, the recordings and the folders in a folder, and when that changed.

    `owned` are the subtitle files that belong to each of the recordings; empty for one that has none.
    """

    changed_ns: int
    subtitles: tuple[str, ...]
    recordings: tuple[str, ...]
    folders: tuple[str, ...]
    owned: Mapping[str, Sequence[str]]


_LISTINGS: dict[Path, _Listing] = {}


def find_sidecars(path: Path) -> list[Path]:
    """Return the subtitle files of a recording: those beside it by name, then those of its folder of subtitles.

    Errors: SourceNotFound where the folder cannot be listed.
    """
    if path.suffix.lower() in _NO_RECORDINGS | SIDECAR_SUFFIXES:
        return []
    listing = _list(path.parent)
    names: Iterable[str] | None = listing.owned.get(path.name)
    if names is None:  # hidden, of an unknown suffix, or gone
        names = (name for name in listing.subtitles if _belongs(name, path.name, listing.recordings))
    found = [path.with_name(name) for name in names]
    for name in listing.folders:
        if _fold(name) in _FOLDERS:
            found += _find_in_folder(path.parent / name, path, listing.recordings)
    return found


def find_recording(sidecar: Path) -> Path | None:
    """Return a recording that a subtitle file belongs to; None where there is none.

    Errors: SourceNotFound where a folder cannot be listed.
    """
    folders = [sidecar.parent]
    if _fold(sidecar.parent.name) in _FOLDERS:
        folders.append(sidecar.parent.parent)
    elif _fold(sidecar.parent.parent.name) in _FOLDERS:
        folders.append(sidecar.parent.parent.parent)
    for folder in folders:
        for name in _list(folder).recordings:
            beside = folder == sidecar.parent
            if beside and not _fold(sidecar.name).startswith(_fold(_stem(name))):
                continue
            if sidecar in find_sidecars(folder / name):
                return folder / name
    return None


def describe_sidecar(sidecar: Path, recording: Path) -> str:
    """Return the name of a sidecar without that of its recording, such as `.en.srt` or `Subs/2_English.srt`."""
    name, stem = (unicodedata.normalize("NFC", text) for text in (sidecar.name, recording.stem))
    rest = name[len(stem) :] if _fold(name).startswith(_fold(stem)) else name
    folder = "" if sidecar.parent == recording.parent else sidecar.parent.relative_to(recording.parent).parts[0] + "/"
    return folder + rest


def find_language(sidecar: Path, recording: Path) -> Language | None:
    """Return the language that a sidecar's name says; None where it says none that is known."""
    rest = Path(describe_sidecar(sidecar, recording).rpartition("/")[2])
    words = _WORD_BREAK.split(_fold(str(rest)).removesuffix(_fold(rest.suffix)))
    return next((LANGUAGES_BY_WORD[word] for word in words if word in LANGUAGES_BY_WORD), None)


def is_subtitle_folder(name: str) -> bool:
    """Return True for the name of a folder of subtitle files beside recordings: `Subs` and the like."""
    return _fold(name) in _FOLDERS


def is_picture_subtitle(path: Path) -> bool:
    """Return True for a `.sub` file with an `.idx` file beside it: pictures of subtitles (VobSub)."""
    return path.suffix.lower() == ".sub" and any(path.with_suffix(suffix).exists() for suffix in (".idx", ".IDX"))


def _find_in_folder(folder: Path, path: Path, recordings: Sequence[str]) -> Iterator[Path]:
    """Yield the sidecars of a recording in a folder of subtitles beside it; none where it cannot be listed."""
    try:
        listing = _list(folder)
        for name in listing.subtitles:
            alone = tuple(recordings) == (path.name,) and _says_language_alone(name)
            if alone or _belongs(name, path.name, recordings):
                yield folder / name
        for own in listing.folders:
            if _fold(own) in {_fold(path.stem), _fold(path.name)}:
                yield from (folder / own / name for name in _list(folder / own).subtitles)
    except SourceNotFound:
        return


def _find_owned(subtitles: Iterable[str], recordings: Sequence[str]) -> dict[str, list[str]]:
    """Return the subtitle files that `_belongs` to each recording, without comparing every pair of names."""
    starts: dict[str, list[str]] = {}
    for recording in recordings:
        for start in {_fold(recording), _fold(_stem(recording))}:
            starts.setdefault(start, []).append(recording)
    owned: dict[str, list[str]] = {recording: [] for recording in recordings}
    for name in subtitles:
        folded = _fold(name)
        ends = (end for end in range(len(folded), 0, -1) if folded[:end] in starts and _is_rest(folded[end:]))
        if (end := next(ends, None)) is not None:
            fits = {recording: _fit(name, recording) for recording in starts[folded[:end]]}
            for recording in (recording for recording, fit in fits.items() if fit == max(fits.values())):
                owned[recording].append(name)
    return owned


def _belongs(name: str, recording: str, recordings: Sequence[str]) -> bool:
    """Return True if a subtitle file's name fits a recording, and no other recording of the folder better."""
    own = _fit(name, recording)
    return own > (0, False) and all(_fit(name, other) <= own for other in recordings if other != recording)


def _fit(name: str, recording: str) -> tuple[int, bool]:
    """Return how many characters of a recording's name a subtitle file's name begins with, and whether exactly so.

    0 where it does not fit.
    """
    for start in (recording, _stem(recording)):
        if _fold(name).startswith(_fold(start)) and _is_rest(_fold(name)[len(_fold(start)) :]):
            return len(_fold(start)), name.startswith(start)
    return 0, False


def _is_rest(rest: str) -> bool:
    """Return True for what may follow the recording's name: a language, a kind, a number, and the suffix."""
    stem = rest[: rest.rindex(".")] if "." in rest else rest
    if not stem:
        return True
    if not stem.startswith("."):
        return stem[0] in " _-([" and _says_language(stem)
    first, *others = parts = stem[1:].split(".")
    if len(parts) > _MAX_PARTS or not (_CODE.fullmatch(first) or _is_known(first)):
        return False
    return all(_CODE.fullmatch(part) or _NUMBER.fullmatch(part) or _is_known(part) for part in others)


def _is_known(part: str) -> bool:
    """Return True if all words of a part of a name are languages, their codes or kinds of subtitles."""
    words = [word for word in _WORD_BREAK.split(part) if word]
    return bool(words) and all(word in LANGUAGES_BY_WORD or word in _KINDS for word in words)


def _says_language(part: str) -> bool:
    """Return True if a part of a name consists of known words, one of them a language."""
    return _is_known(part) and any(word in LANGUAGES_BY_WORD for word in _WORD_BREAK.split(part))


def _says_language_alone(name: str) -> bool:
    """Return True for a name such as `2_English.srt`, which names no recording."""
    stem = _fold(name).rpartition(".")[0]
    return _is_known(_LEADING_NUMBER.sub("", stem, count=1)) or _NUMBER.fullmatch(stem) is not None


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122 - called for every pair of names


@lru_cache(maxsize=_CACHED_NAMES)
def _fold(name: str) -> str:
    """Return a name in composed form, without regard to case."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _list(folder: Path) -> _Listing:
    """Return what a folder holds. Errors: SourceNotFound where it cannot be listed.

    A listing is kept while the folder has the time of change that it had, unless that is too recent for a later change
    to show in it.
    """
    try:
        changed_ns = folder.stat().st_mtime_ns
        kept = _LISTINGS.get(folder)
        if kept is not None and kept.changed_ns == changed_ns:
            return kept
        with os.scandir(folder) as entries:
            listing = _sort_entries(folder, changed_ns, entries)
    except OSError as error:
        raise SourceNotFound(str(folder), (error.strerror or "cannot be listed").lower()) from error
    if len(_LISTINGS) >= _MAX_LISTINGS:
        _LISTINGS.clear()
    if time.time_ns() - changed_ns > _SETTLED_NS:
        _LISTINGS[folder] = listing
    return listing


def _sort_entries(folder: Path, changed_ns: int, entries: Iterable[os.DirEntry[str]]) -> _Listing:
    """Return the listing of a folder's entries, by name; hidden ones and pictures of subtitles are left out."""
    subtitles, recordings, folders = [], [], []
    for entry in entries:
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - folders may hold many thousands
        if entry.name.startswith("."):
            continue
        with suppress(OSError):  # a loop of links is neither a file nor a folder
            if suffix in SIDECAR_SUFFIXES and entry.is_file() and not is_picture_subtitle(folder / entry.name):
                subtitles.append(entry.name)
            elif suffix in _RECORDINGS and entry.is_file():
                recordings.append(entry.name)
            elif entry.is_dir():
                folders.append(entry.name)
    owned = _find_owned(sorted(subtitles), recordings)
    return _Listing(changed_ns, tuple(sorted(subtitles)), tuple(sorted(recordings)), tuple(sorted(folders)), owned)
