"""The command line, run inside the test's process with the models that are loaded already."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import Cli, Said
from shared import Services
from typer.testing import CliRunner

from api.cli import console
from api.cli.main import app


@pytest.fixture
def cli(services: Services, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command; see `running.Cli`."""

    def run(home: Path | None, *arguments: object, **settings: object) -> Said:
        monkeypatch.setattr(console, "Container", lambda: services(home, **settings))
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
        return Said(result.exit_code, result.stdout, result.stderr)

    return run
