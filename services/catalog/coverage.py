"""Coverage of the archive by what the settings switch on: lanes and readers that some assets were indexed without."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from indexer.errors import ArtifactError
from indexer.storage.artifacts import ArtifactStore
from services.catalog.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that the settings can switch on. `model` is its name in a manifest's `models`."""

    model: str
    name: str
    without: str
    remedy: str


CAPABILITIES = (
    Capability("visual", "visual lane", "have pictures in this lane", "afterimage reindex"),
    Capability("text", "text lane", "have texts in this lane", "afterimage reindex"),
    Capability("reader", "text in pictures", "were read for it", "afterimage index PATH"),
    Capability("speech", "speech", "were listened to", "afterimage index PATH"),
)
"""What depends on a model; `reindex` encodes what is stored, and only `index` reads sources again."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A capability that is switched on and that some assets were indexed without."""

    capability: Capability
    covered: int
    total: int

    def __str__(self) -> str:
        what = self.capability
        return f"{what.name}: {self.covered} of {self.total} assets {what.without}: {what.remedy}"


class Coverage:
    """Compares what is switched on (names of `models`) with what assets were made with.

    All assets of one version were made with the same models, so one manifest of each version is read.
    """

    def __init__(self, catalog: Catalog, artifacts: ArtifactStore, switched_on: Collection[str]) -> None:
        self._catalog, self._artifacts, self._switched_on = catalog, artifacts, switched_on

    def gaps(self, collections: Sequence[str] | None = None) -> list[Gap]:
        """Return the gaps of some collections (None: all). Errors: those of the catalog, BlobStoreUnavailable."""
        wanted = [capability for capability in CAPABILITIES if capability.model in self._switched_on]
        total, covered = 0, dict.fromkeys((capability.model for capability in wanted), 0)
        for version, (count, asset_id) in self._catalog.versions(collections).items():
            try:
                models = self._artifacts.read_manifest(asset_id, version).models
            except ArtifactError:  # its damage is told by other checks
                continue
            total += count
            for model in covered.keys() & models.keys():
                covered[model] += count
        return [
            Gap(capability, covered[capability.model], total)
            for capability in wanted
            if covered[capability.model] < total
        ]
