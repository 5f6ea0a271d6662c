"""Names that several test modules use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from services.container import Container
from services.settings import load_settings

MakeContainer = Callable[..., Container]
"""Makes containers: `services(home, **settings)`, settings named as their variables are, `text__model=""`."""


def open_container(home: Path, **settings: object) -> Container:
    """The services over a home, in profile `demo`; the caller closes them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AFTERIMAGE_HOME", str(home))
        for name, value in settings.items():
            patched.setenv(f"AFTERIMAGE_{name.upper()}", str(value))
        return Container(load_settings("demo"))
