"""Command `afterimage mcp`: serve the Model Context Protocol over standard input and output."""

from __future__ import annotations

from api.cli.console import open_container


def mcp() -> None:
    """Serve the archive to an assistant, as tools of the Model Context Protocol.

    The assistant starts this command and speaks with it over its standard input and output. `afterimage serve` has the
    same tools at `/mcp`, for those who hold a key.
    """
    from api.http.concurrency import ConcurrencyLimits
    from api.mcp.principals import resolve_local_user
    from api.mcp.server import serve_stdio

    with open_container() as container:
        container.instantiate()
        serve_stdio(container, ConcurrencyLimits.from_settings(container.settings.serve), resolve_local_user)
