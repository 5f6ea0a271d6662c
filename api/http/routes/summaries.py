"""Route `/v1/assets/{asset_id}/summary`: the summary that was made of a video."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.http.auth import ReadAccess
from api.http.context import Context
from api.http.problems import problem_responses
from api.http.routes.assets import AssetIdParam
from api.http.slots import LookupSlot
from api.schemas.results import SummaryShape
from api.schemas.summary_formats import format_markdown, format_webvtt
from indexer.errors import AssetNotFound
from services.access.scoping import require_asset

router = APIRouter(prefix="/v1/assets/{asset_id}", tags=["assets"])
_TEXTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The summary",
        "content": {"text/markdown": {"schema": {"type": "string"}}, "text/vtt": {"schema": {"type": "string"}}},
    },
    **problem_responses(404, 503),
}
"""Source: RFC 7763 and the WebVTT recommendation, for the media types."""


class SummaryExport(StrEnum):
    """Format of a summary: `webvtt` is a chapters track for players."""

    JSON = "json"
    MARKDOWN = "markdown"
    WEBVTT = "webvtt"


@router.get("/summary", response_model=SummaryShape | None, responses=_TEXTS)
def show_summary(
    context: Context,
    permissions: ReadAccess,
    asset_id: AssetIdParam,
    _slot: LookupSlot,
    summary_format: Annotated[SummaryExport, Query(alias="format", description="What it is written as.")] = (
        SummaryExport.JSON
    ),
) -> SummaryShape | Response | None:
    """Show the summary that a job made of a video; null where none was made yet, which as a text is 404."""
    asset = require_asset(context.container.catalog, permissions, asset_id)
    summary = context.container.summarizing.cached(asset)
    if summary_format is SummaryExport.JSON:
        return None if summary is None else SummaryShape.of(asset, summary)
    if summary is None:
        raise AssetNotFound(f"{asset.name}: no summary was made yet")
    if summary_format is SummaryExport.MARKDOWN:
        return Response(format_markdown(asset, summary), media_type="text/markdown")
    return Response(format_webvtt(summary), media_type="text/vtt")
