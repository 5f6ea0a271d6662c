"""Weight folders: resolution of their names, fingerprints, and integrity checks."""

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
    """Resolve a model name that stands for a folder to `local-dir:PATH`; return other names unchanged.

    `package:NAME/FOLDER` is a folder of an installed Python package, which is not imported (decision 0013); `~` is
    expanded. Errors: ModelError where there is no such package.
    """
    if model.startswith(LOCAL_PREFIX):
        return f"{LOCAL_PREFIX}{Path(model[len(LOCAL_PREFIX) :]).expanduser()}"
    if not model.startswith(PACKAGE_PREFIX):
        return model
    package, _, folder = model[len(PACKAGE_PREFIX) :].partition("/")
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(f"{model}: there is no installed package {package!r}")
    return f"{LOCAL_PREFIX}{Path(spec.submodule_search_locations[0]) / folder}"


def fingerprint(files: Iterable[Path]) -> str:
    """Return a hash of files, 12 hex digits, over their names and contents but not their folders.

    Contents are hashed once per process while size and time of a file stay the same. Errors: ModelError where a file
    cannot be read.
    """
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.name):
        try:
            stat = file.stat()
            digest.update(f"{file.name}\0{_sha256(file, stat.st_size, stat.st_mtime_ns)}\n".encode())
        except OSError as error:
            raise ModelError(f"{file}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()[:12]


@lru_cache(maxsize=64)
def _sha256(file: Path, _size: int, _mtime_ns: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_safetensors(file: Path) -> None:
    """Raise ModelError if a file is truncated or no safetensors file. Only the header is read."""
    try:
        with safe_open(file, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{file.parent}: {file.name} is damaged or truncated: {error}") from error
