"""Web pages of Debian packages, printed to PDF files by Chromium with fonts that are the same on every machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.real_documents.bed import BedError, Document
from benchmarks.real_documents.packages import fetch_package

_FONTS = ("fonts-liberation", "fonts-nanum", "fonts-ipaexfont-gothic")
_ALIASES = {
    "sans-serif": ("Liberation Sans", "NanumGothic", "IPAexGothic"),
    "serif": ("Liberation Serif", "NanumMyeongjo", "IPAexGothic"),
    "monospace": ("Liberation Mono", "NanumGothicCoding", "IPAexGothic"),
}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_PRINT_TIMEOUT_S = 180
"""Chosen: far above what a page of a manual takes."""


def print_page(document: Document, cache: Path) -> bytes:
    """Return a page of a package as a PDF file. Errors: BedError without Chromium, or where it fails."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise BedError(f"{document.id}: is printed by Chromium, which is not installed")
    page = fetch_package(document.package, cache) / document.path
    if not page.is_file():
        raise BedError(f"{document.id}: {document.package} holds no {document.path}")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "page.pdf"
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]
        command = [browser, *options, "--no-pdf-header-footer", f"--print-to-pdf={output}", page.absolute().as_uri()]
        environment = {**os.environ, "FONTCONFIG_FILE": str(_write_font_settings(cache))}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PRINT_TIMEOUT_S, env=environment)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BedError(f"{document.id}: cannot be printed: {error}") from error
        if not output.exists():
            raise BedError(f"{document.id}: cannot be printed: {done.stderr.strip()[-300:]}")
        return output.read_bytes()


def _write_font_settings(cache: Path) -> Path:
    """Write settings that let fontconfig see the fonts of `_FONTS` alone; returns their path."""
    folders = "".join(f"<dir>{fetch_package(package, cache) / 'usr/share/fonts'}</dir>" for package in _FONTS)
    aliases = "".join(
        f"<alias binding='strong'><family>{family}</family><prefer>"
        + "".join(f"<family>{name}</family>" for name in names)
        + "</prefer></alias>"
        for family, names in _ALIASES.items()
    )
    path = cache / "fonts.conf"
    path.write_text(
        f"<?xml version='1.0'?><fontconfig>{folders}<cachedir>{cache / 'fontconfig'}</cachedir>{aliases}</fontconfig>\n"
    )
    return path
