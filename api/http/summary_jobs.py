"""Jobs that requests ask for."""

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
    """A job that summarizes a video, on its way; it is of the first collection that shows the video. Of a request that
    is sent again, `once`, it is the job that it made before.

    Errors: QueryError for what is no video, NotAllowed for a webhook that may not be told.
    """
    if asset.kind is not AssetKind.VIDEO:
        raise InvalidInput(f"{asset.name}: only videos can be summarized")
    collections = collections_holding(container.catalog, permissions, asset)
    if not collections:  # it was deleted just now
        raise AssetNotFound(f"no asset {asset.asset_id!r}")
    return container.dispatcher.submit(
        NewJob(SummarizeRequest(asset.asset_id), collections[0], permissions.key_id, webhook), idempotency_key
    )
