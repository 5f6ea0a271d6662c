"""`Indexes`: opens the segment index that the settings name, and what makes another one beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.indexes.index_folder import FolderShadow, ensure_folder
from indexer.ports import SegmentIndex, ShadowIndex
from indexer.types import Lane
from services.settings import IndexSettings

if TYPE_CHECKING:
    from indexer.indexes.qdrant.layout import Layout, Place
    from indexer.indexes.qdrant.server import QdrantServer

_FOLDER, _QDRANT = "index", "qdrant"


class Indexes:
    """Below `home`, or in Qdrant. `models` names the encoder of each lane. Adapters are imported when they are needed.

    Errors: ModelError, StorageFull, and those of Qdrant.
    """

    def __init__(
        self, settings: IndexSettings, home: Path, made_home: Callable[[], Path], models: Callable[[], dict[Lane, str]]
    ) -> None:
        self._settings, self._home, self._made_home, self._models = settings, home, made_home, models

    def open(self) -> SegmentIndex:
        """The index in use."""
        match self._settings.kind:
            case "faiss":
                return self._open_faiss(self._made_folder())
            case "qdrant":
                return self._open_qdrant(None)

    def shadow(self) -> ShadowIndex:
        """What makes another index beside the one in use."""
        match self._settings.kind:
            case "faiss":
                return FolderShadow(self._made_folder(), self._open_faiss)
            case "qdrant":
                from indexer.indexes.qdrant.shadows import QdrantShadow

                return QdrantShadow(self._qdrant, self._settings.prefix, self._open_qdrant, self._layout)

    def made_by(self) -> dict[Lane, str]:
        """The encoders whose vectors are stored, whatever `models` names now."""
        match self._settings.kind:
            case "faiss" if (self._home / _FOLDER).exists():
                from indexer.indexes.faiss import FaissIndex

                index = FaissIndex(self._home / _FOLDER)
                models = index.made_by()
                index.close()
                return models
            case "qdrant":
                from indexer.indexes.qdrant.index import QdrantIndex

                return QdrantIndex(self._qdrant, self._settings.prefix, layout=self._layout).made_by()
        return {}

    def close(self) -> None:
        """Give the connection to Qdrant back."""
        if "_qdrant" in self.__dict__:
            self._qdrant.close()

    def _made_folder(self) -> Path:
        folder = self._made_home() / _FOLDER
        ensure_folder(folder)
        return folder

    def _open_faiss(self, folder: Path) -> SegmentIndex:
        from indexer.indexes.faiss import FaissIndex

        return FaissIndex(folder, models=self._models(), exact_up_to=self._settings.exact_up_to)

    def _open_qdrant(self, place: Place | None) -> SegmentIndex:
        from indexer.indexes.qdrant.index import QdrantIndex

        settings = self._settings
        return QdrantIndex(
            self._qdrant,
            settings.prefix,
            self._models(),
            self._layout,
            exact_up_to=settings.exact_up_to,
            place=place,
        )

    @cached_property
    def _qdrant(self) -> QdrantServer:
        from indexer.indexes.qdrant.server import QdrantServer

        if self._settings.url:
            return QdrantServer.at(self._settings.url, self._settings.api_key.get_secret_value())
        return QdrantServer.in_folder(self._made_home() / _QDRANT)

    @property
    def _layout(self) -> Layout:
        from indexer.indexes.qdrant.layout import Layout

        return Layout(self._settings.quantized, self._settings.shards, self._settings.replicas)
