"""Concurrency slots as dependencies of routes: a route's function runs once it has a slot of its kind of work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from operator import attrgetter
from typing import Annotated

from fastapi import Depends

from api.http.context import Context


class ConcurrencySlot:
    """Dependency that holds a slot of one kind of work (a field of ConcurrencyLimits) while the route's function runs.

    It is the last parameter of a route, so that whoever may not ask is refused without waiting. The slot is given back
    before the response is sent, and, since threads cannot be interrupted, never before the function has returned.
    Errors: Overloaded where as many requests wait as may.
    """

    def __init__(self, kind: str) -> None:
        self._select_limit = attrgetter(kind)

    async def __call__(self, context: Context) -> AsyncIterator[None]:
        async with self._select_limit(context.limits).hold_slot():
            yield


SearchSlot = Annotated[None, Depends(ConcurrencySlot("searches"), scope="function")]
LookupSlot = Annotated[None, Depends(ConcurrencySlot("lookups"), scope="function")]
ClipSlot = Annotated[None, Depends(ConcurrencySlot("clips"), scope="function")]
