"""What tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.bad_files import (
    GOOD_TEXT,
    write_pdf,
)


@pytest.fixture
def media_folder(tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    write_pdf(tmp_path / "media" / "good.pdf", GOOD_TEXT)
    return tmp_path / "media"
