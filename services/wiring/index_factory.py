"""Open the segment index that the settings name, and the shadow index beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.errors import AfterimageError, ModelError
from indexer.indexes.faiss.shadow import FolderShadow, ensure_index_folder
from indexer.ports import SegmentIndex, ShadowIndex
from indexer.types import Lane
from services.settings import IndexSettings
from services.wiring.models import Models

if TYPE_CHECKING:
    from indexer.indexes.qdrant.collections import CollectionOptions, CollectionPair
    from indexer.indexes.qdrant.connection import QdrantConnection

_INDEX_FOLDER, _QDRANT_FOLDER = "index", "qdrant"


class IndexFactory:
    """Opens indexes of FAISS below `home`, or of Qdrant. Adapters are imported when they are needed.

    Errors: ModelError, StorageFull, IndexUnavailable.
    """

    def __init__(
        self,
        settings: IndexSettings,
        home: Path,
        ensure_home: Callable[[], Path],
        models: Models,
    ) -> None:
        self._settings, self._home, self._ensure_home, self._models = settings, home, ensure_home, models

    def open_index(self) -> SegmentIndex:
        """Open the index in use."""
        match self._settings.kind:
            case "faiss":
                return self._open_faiss(self._ensure_index_folder())
            case "qdrant":
                return self._open_qdrant(None)

    def open_shadow(self) -> ShadowIndex:
        """Open the shadow index, which a reindex fills beside the one in use."""
        match self._settings.kind:
            case "faiss":
                return FolderShadow(self._ensure_index_folder(), self._open_faiss)
            case "qdrant":
                from indexer.indexes.qdrant.shadow import QdrantShadow

                return QdrantShadow(self._qdrant, self._settings.prefix, self._open_qdrant, self._layout)

    def lane_model_ids(self) -> dict[Lane, str]:
        """Return the model id of each lane that the settings switch on.

        Errors: ModelError that names the weights that are missing, and those that the index was made with.
        """
        ids = {Lane.VISUAL: self._model_id(Lane.VISUAL), Lane.TEXT: self._model_id(Lane.TEXT)}
        return {lane: model_id for lane, model_id in ids.items() if model_id is not None}

    def stored_model_ids(self) -> dict[Lane, str]:
        """Return the id of the model that made each lane's stored vectors, whatever the settings name now."""
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
        """Close the connection to Qdrant."""
        if "_qdrant" in self.__dict__:
            self._qdrant.close()

    def _model_id(self, lane: Lane) -> str | None:
        try:
            encoder = self._models.image_text_encoder if lane is Lane.VISUAL else self._models.sentence_encoder
            return None if encoder is None else encoder.model_id
        except ModelError as error:
            raise ModelError(f"{error}{self._describe_stored_model(lane)}") from error

    def _describe_stored_model(self, lane: Lane) -> str:
        try:
            model_id = self.stored_model_ids().get(lane)
        except AfterimageError:  # the error to tell is that of the missing weights
            model_id = None
        return f" (the index was made by {model_id})" if model_id else ""

    def _ensure_index_folder(self) -> Path:
        folder = self._ensure_home() / _INDEX_FOLDER
        ensure_index_folder(folder)
        return folder

    def _open_faiss(self, folder: Path) -> SegmentIndex:
        from indexer.indexes.faiss.index import FaissIndex

        return FaissIndex(folder, model_ids=self.lane_model_ids(), exact_up_to=self._settings.exact_up_to)

    def _open_qdrant(self, place: CollectionPair | None) -> SegmentIndex:
        from indexer.indexes.qdrant.index import QdrantIndex

        settings = self._settings
        return QdrantIndex(
            self._qdrant,
            settings.prefix,
            self.lane_model_ids(),
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
