"""Jobs that requests ask for."""

from __future__ import annotations

from api.visible import holding
from indexer.errors import AssetNotFound, QueryError
from indexer.types import AssetKind
from services.catalog import Asset
from services.container import Container
from services.jobs.types import Job, NewJob, SummarizeRequest
from services.repeats import Repeatable
from services.rights import Rights


def summary_job(
    container: Container, rights: Rights, asset: Asset, webhook: str | None = None, once: Repeatable | None = None
) -> Job:
    """A job that summarizes a video, on its way; it is of the first collection that shows the video. Of a request that
    is sent again, `once`, it is the job that it made before.

    Errors: QueryError for what is no video, NotAllowed for a webhook that may not be told.
    """
    if asset.kind is not AssetKind.VIDEO:
        raise QueryError(f"{asset.name}: only videos can be summarized")
    held = holding(container.catalog, rights, asset)
    if not held:  # it was deleted just now
        raise AssetNotFound(f"no asset {asset.asset_id!r}")
    return container.dispatch.submit(NewJob(SummarizeRequest(asset.asset_id), held[0], rights.key_id, webhook), once)
