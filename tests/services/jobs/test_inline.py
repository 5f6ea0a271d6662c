"""The inline queue, in its own process and in one beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from contract import JobQueueContract, Place
from places import worker

from services.container import Container

AskingAt = Callable[..., Container]


class TestInlineQueue(JobQueueContract):
    @pytest.fixture
    def place(self, asking: AskingAt, files: Path, tmp_path: Path) -> Place:
        container = asking()

        def work() -> AbstractContextManager[object]:
            return worker(container.home, tmp_path / "worker.log", intake__roots=f'["{files}"]')

        return Place(container, files, work, lambda: None)
