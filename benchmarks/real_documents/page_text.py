"""Text of the pages of a document, as poppler reads it: what quotes are compared with."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.real_documents.bed import BedError

_READ_TIMEOUT_S = 120
"""Chosen: far above what thirty pages take."""


def read_pages(path: Path, layout: bool) -> tuple[str, ...]:
    """Return the text of each page of a PDF file, with its layout or in reading order. Errors: BedError."""
    command = ["pdftotext", *(["-layout"] if layout else []), "-enc", "UTF-8", str(path), "-"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_READ_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BedError(f"{path.name}: {error}; quotes are checked by pdftotext, of poppler-utils") from error
    if done.returncode:
        raise BedError(f"{path.name}: {done.stderr.decode(errors='replace').strip()}")
    return tuple(done.stdout.decode("utf-8", "replace").split("\f")[:-1])
