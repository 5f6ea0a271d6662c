"""Names that several test modules use."""

from __future__ import annotations

from collections.abc import Callable

from services.container import Container

Services = Callable[..., Container]
"""Makes containers: `services(home, **settings)`, settings named as their variables are, `text__model=""`."""
