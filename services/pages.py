"""A part of a long list, and where the next part begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """Some items in order; `after` asks for those that follow, None: these were the last."""

    items: tuple[_T, ...]
    after: str | None
