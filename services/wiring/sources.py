"""Build the resolver of sources: uploads, paths and URLs to local files."""

from __future__ import annotations

from pathlib import Path

from indexer.ports import BlobStore
from services.egress.http import OutboundClient
from services.egress.url_policy import UrlPolicy
from services.ingest.source_resolver import SourceResolver
from services.settings import IngestSettings

_HOSTS_SETTING = "AFTERIMAGE_INGEST__ALLOWED_HOSTS"


def make_source_resolver(settings: IngestSettings, blobs: BlobStore, incoming: Path) -> SourceResolver:
    """Make the resolver; files that it downloads are received in `incoming`."""
    policy = UrlPolicy(settings.allowed_hosts, settings.allowed_private_hosts, _HOSTS_SETTING)
    client = OutboundClient(policy, settings.read_timeout_s, settings.fetch_timeout_s)
    return SourceResolver(blobs, client, incoming, settings.allowed_roots, settings.max_bytes)
