"""An index in Qdrant made beside the one in use: other collections, and an alias that moves."""

from __future__ import annotations

from collections.abc import Callable

from indexer.indexes.qdrant.layout import Layout, Place, make, new_place, put_in_use
from indexer.indexes.qdrant.server import QdrantServer
from indexer.ports import SegmentIndex


class QdrantShadow:
    """`ShadowIndex` by an alias. `open_index(place)` opens the index whose collections those are."""

    def __init__(
        self,
        server: QdrantServer,
        prefix: str,
        open_index: Callable[[Place], SegmentIndex],
        layout: Layout | None = None,
    ) -> None:
        self._server, self._prefix, self._open_index = server, prefix, open_index
        self._layout = layout or Layout()
        self._begun: Place | None = None

    def begin(self) -> SegmentIndex:
        self._begun = new_place(self._prefix)
        make(self._server, self._begun, self._layout)
        return self._open_index(self._begun)

    def swap(self) -> None:
        if self._begun is None:
            raise ValueError("there is no shadow to swap in")
        put_in_use(self._server, self._prefix, self._begun)
        self._begun = None
