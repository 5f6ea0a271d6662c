"""`Indexes`: opens the segment index that the settings name, and what makes another one beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.indexes.faiss.shadow import FolderShadow, ensure_index_folder
from indexer.ports import SegmentIndex, ShadowIndex
from indexer.types import Lane
from services.settings import IndexSettings

if TYPE_CHECKING:
    from indexer.indexes.qdrant.collections import CollectionOptions, CollectionPair
    from indexer.indexes.qdrant.connection import QdrantConnection

_INDEX_FOLDER, _QDRANT_FOLDER = "index", "qdrant"


class IndexFactory:
    """Below `home`, or in Qdrant. `models` names the encoder of each lane. Adapters are imported when they are needed.

    Errors: ModelError, StorageFull, and those of Qdrant.
    """

    def __init__(
        self,
        settings: IndexSettings,
        home: Path,
        ensure_home: Callable[[], Path],
        lane_model_ids: Callable[[], dict[Lane, str]],
    ) -> None:
        self._settings, self._home, self._ensure_home, self._lane_model_ids = (
            settings,
            home,
            ensure_home,
            lane_model_ids,
        )

    def open_index(self) -> SegmentIndex:
        """The index in use."""
        match self._settings.kind:
            case "faiss":
                return self._open_faiss(self._ensure_index_folder())
            case "qdrant":
                return self._open_qdrant(None)

    def open_shadow(self) -> ShadowIndex:
        """What makes another index beside the one in use."""
        match self._settings.kind:
            case "faiss":
                return FolderShadow(self._ensure_index_folder(), self._open_faiss)
            case "qdrant":
                from indexer.indexes.qdrant.shadow import QdrantShadow

                return QdrantShadow(self._qdrant, self._settings.prefix, self._open_qdrant, self._layout)

    def stored_model_ids(self) -> dict[Lane, str]:
        """The encoders whose vectors are stored, whatever `models` names now."""
        match self._settings.kind:
            case "faiss" if (self._home / _INDEX_FOLDER).exists():
                from indexer.indexes.faiss.index import FaissIndex

                index = FaissIndex(self._home / _INDEX_FOLDER)
                models = index.stored_model_ids()
                index.close()
                return models
            case "qdrant":
                from indexer.indexes.qdrant.index import QdrantIndex

                return QdrantIndex(self._qdrant, self._settings.prefix, options=self._layout).stored_model_ids()
        return {}

    def close(self) -> None:
        """Give the connection to Qdrant back."""
        if "_qdrant" in self.__dict__:
            self._qdrant.close()

    def _ensure_index_folder(self) -> Path:
        folder = self._ensure_home() / _INDEX_FOLDER
        ensure_index_folder(folder)
        return folder

    def _open_faiss(self, folder: Path) -> SegmentIndex:
        from indexer.indexes.faiss.index import FaissIndex

        return FaissIndex(folder, model_ids=self._lane_model_ids(), exact_up_to=self._settings.exact_up_to)

    def _open_qdrant(self, place: CollectionPair | None) -> SegmentIndex:
        from indexer.indexes.qdrant.index import QdrantIndex

        settings = self._settings
        return QdrantIndex(
            self._qdrant,
            settings.prefix,
            self._lane_model_ids(),
            self._layout,
            exact_up_to=settings.exact_up_to,
            pair=place,
        )

    @cached_property
    def _qdrant(self) -> QdrantConnection:
        from indexer.indexes.qdrant.connection import QdrantConnection

        if self._settings.url:
            return QdrantConnection.connect(self._settings.url, self._settings.api_key.get_secret_value())
        return QdrantConnection.in_folder(self._ensure_home() / _QDRANT_FOLDER)

    @property
    def _layout(self) -> CollectionOptions:
        from indexer.indexes.qdrant.collections import CollectionOptions

        return CollectionOptions(self._settings.quantized, self._settings.shards, self._settings.replicas)
