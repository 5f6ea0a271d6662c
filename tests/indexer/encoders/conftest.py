"""Models that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tiny_clip import make_tiny_clip


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_clip(tmp_path_factory.mktemp("clip") / "tiny")
