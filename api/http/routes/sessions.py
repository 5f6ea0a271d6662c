"""Routes `/v1/session`: signing in with an API key, for the page in a browser."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.http.auth import authenticate, authenticate_as_key
from api.http.context import Context
from api.http.problems import problem_responses
from api.http.sessions import end_session, start_session
from api.schemas.requests import SessionBody
from api.schemas.responses import SessionShape
from services.access.errors import InvalidApiKey
from services.access.permissions import FULL_ACCESS, Permissions

router = APIRouter(prefix="/v1/session", tags=["session"])


@router.get("", response_model=SessionShape, responses=problem_responses(429, 503))
async def show_session(request: Request, context: Context, response: Response) -> SessionShape:
    """Tell what the browser may do: with its key, without one on a server that is open to its machine, or nothing."""
    response.headers["cache-control"] = "no-store"
    try:
        return _describe(await authenticate(request, context))
    except InvalidApiKey:
        return SessionShape(signed_in=False, needs_key=True, scopes=[], collections=[])


@router.put("", response_model=SessionShape, responses=problem_responses(401, 429, 503))
async def sign_in(request: Request, context: Context, body: SessionBody, response: Response) -> SessionShape:
    """Sign in: the key is kept in a cookie that scripts cannot read, until the browser is closed."""
    key = await context.limits.lookups.run(context.container.api_keys.verify, body.key.get_secret_value().strip())
    permissions = authenticate_as_key(request, context, key)
    start_session(request, response, body.key.get_secret_value().strip())
    response.headers["cache-control"] = "no-store"
    return _describe(permissions)


@router.delete("", status_code=204, response_class=Response)
def sign_out(response: Response) -> None:
    """Sign out: the cookie is taken away. The key itself stays valid."""
    end_session(response)


def _describe(permissions: Permissions) -> SessionShape:
    return SessionShape(
        signed_in=permissions is not FULL_ACCESS,
        needs_key=False,
        scopes=sorted(permissions.scopes),
        collections=None if permissions.collections is None else sorted(permissions.collections),
    )
