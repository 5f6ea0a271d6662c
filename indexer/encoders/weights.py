"""Weights in a folder: what identifies them, and what is wrong with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from safetensors import SafetensorError, safe_open

from indexer.errors import ModelError

LOCAL_PREFIX, PACKAGE_PREFIX = "local-dir:", "package:"


def resolve_weights(model: str) -> str:
    """The name with its folder made plain: `package:NAME/FOLDER`, a folder of an installed Python package, becomes
    `local-dir:`, `~` the home folder; other names stay. The package is not imported.

    Errors: ModelError where there is no such package.
    """
    if model.startswith(LOCAL_PREFIX):
        return f"{LOCAL_PREFIX}{Path(model[len(LOCAL_PREFIX) :]).expanduser()}"
    if not model.startswith(PACKAGE_PREFIX):
        return model
    package, _, folder = model[len(PACKAGE_PREFIX) :].partition("/")
    found = find_spec(package) if package.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise ModelError(f"{model}: there is no installed package {package!r}")
    return f"{LOCAL_PREFIX}{Path(found.submodule_search_locations[0]) / folder}"


def fingerprint(files: Iterable[Path]) -> str:
    """Twelve hex digits that differ where a file's name or content does; the folder it lies in does not count.

    A file is hashed once in a process, as long as its size and time stay. Errors: ModelError where one cannot be read.
    """
    whole = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.name):
        try:
            stat = file.stat()
            whole.update(f"{file.name}\0{_sha256(file, stat.st_size, stat.st_mtime_ns)}\n".encode())
        except OSError as error:
            raise ModelError(f"{file}: cannot be read: {error.strerror}") from error
    return whole.hexdigest()[:12]


@lru_cache(maxsize=64)
def _sha256(file: Path, _size: int, _mtime_ns: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_safetensors(file: Path) -> None:
    """Errors: ModelError where the file is truncated or no safetensors at all. Reads the header only."""
    try:
        with safe_open(file, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{file.parent}: {file.name} is damaged or truncated: {error}") from error
