"""Result of a command that ran inside the test's process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CommandResult:
    """Output and exit code of a command."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:  # noqa: ANN401 (whatever the command has for a shape)
        return json.loads(self.stdout)

    @property
    def error_lines(self) -> list[str]:
        """Return the lines of standard error."""
        """Return the decoded JSON of standard output."""
        return self.stderr.splitlines()


RunCommand = Callable[..., CommandResult]
"""Runs a command: `cli(home, "search", "fire truck", text__model="")`; `home` None is an empty one."""
