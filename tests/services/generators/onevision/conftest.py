from __future__ import annotations

from pathlib import Path

import pytest

from services.generators.onevision.checkpoint import OneVisionCheckpoint, load_checkpoint
from tests.support.tiny_onevision import make_tiny_onevision


@pytest.fixture(scope="session", params=["siglip", "clip"])
def tiny_model_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_onevision(tmp_path_factory.mktemp("onevision") / request.param, tower=request.param)


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny_model_folder: Path) -> OneVisionCheckpoint:
    return load_checkpoint(f"local-dir:{tiny_model_folder}", "cpu", "fp32")
