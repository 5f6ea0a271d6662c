"""Each contract of import-linter in `pyproject.toml` notices an import that breaks it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.source_tree import ROOT, source_files

LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS = [contract["name"] for contract in LINTER["contracts"]]
PLANTED = {
    "memory.bank": "services.cancellation",
    "indexer.types": "indexer.pipeline.pipeline",
    "indexer.indexes.exact": "indexer.indexes.qdrant",
    "services.search.retrieval": "services.jobs.runner",
    "services.answering.grounding": "services.answering.rules.timestamps",
    "api.schemas.jobs": "api.cli.main",
    "api.http.rate_limit": "api.http.auth",
    "api.client.clients": "api.http.routes.jobs",
    "services.catalog.types": "demoworld.archive",
    "services.catalog.errors": "faiss",
}
"""A module, and what it must not import, for each contract in their order."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a copy of the packages into which the imports are planted."""
    root = tmp_path_factory.mktemp("planted")
    for file in source_files(*LINTER["root_packages"]):
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        imported = PLANTED.get(file.path[:-3].replace("/", "."))
        path.write_text(file.text if imported is None else f"{file.text}\nimport {imported}\n")
    shutil.copy(ROOT / "pyproject.toml", root)
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"]
    environment = {**os.environ, "COLUMNS": "400"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("contract", CONTRACTS)
def test_an_import_against_a_contract_is_noticed(report: str, contract: str) -> None:
    assert re.search(rf"^{re.escape(contract)} BROKEN", report, re.MULTILINE)


@pytest.mark.parametrize("importer", PLANTED)
def test_an_import_that_breaks_a_contract_is_named(report: str, importer: str) -> None:
    assert re.search(rf"-\s+{re.escape(importer)} -> {re.escape(PLANTED[importer])} \(l\.\d+\)", report)
