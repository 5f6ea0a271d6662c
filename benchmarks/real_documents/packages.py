"""Files of Debian packages: downloaded by apt, unpacked, cut to the pages that are asked about."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pypdfium2 as pdfium

from benchmarks.real_documents.bed import BedError, Document

_FETCH_TIMEOUT_S = 900
"""Chosen: a package of 200 MB over a slow line."""


def fetch_package(package: str, cache: Path) -> Path:
    """Download and unpack a package where that was not done; returns the folder of its files. Errors: BedError."""
    folder = cache / "packages" / package
    if (folder / "version").exists():
        return folder / "files"
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Another process may fetch the same package: each unpacks it apart, and the first to be done is heeded.
    with TemporaryDirectory(dir=folder.parent, prefix=f".{package}-") as apart:
        fresh = Path(apart) / package
        fresh.mkdir()
        _download(package, fresh)
        with suppress(OSError):
            fresh.rename(folder)
    return folder / "files"


def _download(package: str, folder: Path) -> None:
    """Download and unpack a package into an empty folder."""
    _run(["apt-get", "download", package], folder, f"the package {package} cannot be downloaded")
    archives = sorted(folder.glob("*.deb"))
    if len(archives) != 1:
        raise BedError(f"apt-get brought {len(archives)} files for the package {package}")
    _run(["dpkg-deb", "-x", archives[0].name, "files"], folder, f"the package {package} cannot be unpacked")
    archives[0].unlink()
    (folder / "version").write_text(archives[0].name.split("_")[1].replace("%3a", ":") + "\n")


def package_version(package: str, cache: Path) -> str:
    """Return the version of a package that was fetched."""
    return (cache / "packages" / package / "version").read_text().strip()


def read_packaged(document: Document, cache: Path) -> bytes:
    """Return the bytes of a packaged PDF file, not compressed. Errors: BedError."""
    path = fetch_package(document.package, cache) / document.path
    for candidate in (path, path.with_name(path.name + ".gz"), path.with_name(path.name.removesuffix(".gz"))):
        if candidate.is_file():
            content = candidate.read_bytes()
            return gzip.decompress(content) if candidate.suffix == ".gz" else content
    version = package_version(document.package, cache)
    raise BedError(f"{document.id}: {document.package} {version} holds no {document.path}")


def cut_pages(content: bytes, document: Document) -> bytes:
    """Return the pages of a PDF file that the document names; all of it where it names none. Errors: BedError."""
    if document.first_page is None or document.last_page is None:
        return content
    return pick_pages(content, range(document.first_page, document.last_page + 1), document.id)


def pick_pages(content: bytes, pages: Sequence[int], name: str) -> bytes:
    """Return some pages of a PDF file, counted from 1; `name` is what an error says of it. Errors: BedError."""
    try:
        with pdfium.PdfDocument(content) as source, pdfium.PdfDocument.new() as target:
            if not pages or not all(1 <= page <= len(source) for page in pages):
                raise BedError(f"{name}: pages {list(pages)} are not in a file of {len(source)} pages")
            target.import_pages(source, [page - 1 for page in pages])
            return _save(target)
    except pdfium.PdfiumError as error:
        raise BedError(f"{name}: cannot be read: {error}") from error


def hash_bytes(content: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def _save(pdf: pdfium.PdfDocument) -> bytes:
    buffer = io.BytesIO()
    pdf.save(buffer)
    return buffer.getvalue()


def _run(command: list[str], folder: Path, failure: str) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BedError(f"{failure}: {error}; the bed needs a Debian system with apt-get and dpkg-deb") from error
    if done.returncode:
        raise BedError(f"{failure}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}")
