"""What a command said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command printed, and its exit code."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:  # noqa: ANN401 (whatever the command has for a shape)
        return json.loads(self.stdout)

    @property
    def error_lines(self) -> list[str]:
        return self.stderr.splitlines()


RunCommand = Callable[..., CommandResult]
"""Runs a command: `cli(home, "search", "fire truck", text__model="")`; `home` None is an empty one."""
