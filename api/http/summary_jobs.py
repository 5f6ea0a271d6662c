"""Submission of summary jobs, for the HTTP route and the MCP tool."""

from __future__ import annotations

from indexer.errors import AssetNotFound, InvalidInput
from indexer.types import AssetKind
from services.access.permissions import Permissions
from services.access.scoping import collections_holding
from services.catalog.types import Asset
from services.container import Container
from services.database.idempotency import IdempotencyKey
from services.jobs.types import Job, NewJob, SummarizeRequest


def submit_summary(
    container: Container,
    permissions: Permissions,
    asset: Asset,
    webhook: str | None = None,
    idempotency_key: IdempotencyKey | None = None,
) -> Job:
    """Submit a job that summarizes a video, in the first collection that shows it; a retried request gets the same job.

    Errors: InvalidInput for an asset that is no video, SourceForbidden for a webhook that the URL policy forbids.
    """
    if asset.kind is not AssetKind.VIDEO:
        raise InvalidInput(f"{asset.name}: only videos can be summarized")
    collections = collections_holding(container.catalog, permissions, asset)
    if not collections:  # deleted since it was read
        raise AssetNotFound(f"no asset {asset.asset_id!r}")
    return container.background.dispatcher.submit(
        NewJob(SummarizeRequest(asset.asset_id), collections[0], permissions.key_id, webhook), idempotency_key
    )
