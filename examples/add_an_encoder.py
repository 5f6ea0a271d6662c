"""Add an adapter: a sentence encoder without a model, by feature hashing (Weinberger et al., 2009).

`CONTRIBUTING.md` says what else an adapter needs; its contract is in `tests/support/contract_encoders.py`. Run it as
`python examples/add_an_encoder.py FOLDER "mooring rope"`.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path

import numpy as np

from indexer.text.tokenizer import tokenize
from indexer.types import SegmentFilter, Vectors
from services.container import Container
from services.search.types import Query
from services.settings import load_settings
from services.wiring.models import Models


class HashingEncoder:
    """Each token adds +1 or -1 to one of `dim` dimensions, both chosen by its hash; rows are L2-normalised."""

    dim = 512
    model_id = query_model_id = "example:feature-hashing-512"  # names the vectors: an index refuses another model's

    def encode(self, texts: Sequence[str]) -> Vectors:
        """`[n, dim]` float32, in the order of the texts; a text without tokens gives the last unit vector."""
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for token in tokenize(text):
                position, sign = divmod(int(hashlib.sha256(token.encode()).hexdigest()[:8], 16), 2)
                row[position % (self.dim - 1)] += 1 - 2 * sign
            row[-1] = not row.any()
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    encode_queries = encode  # one way for both


class HashingModels(Models):  # all models that the settings name, but another sentence encoder
    @cached_property
    def sentence_encoder(self) -> HashingEncoder:
        return HashingEncoder()


def main(folder: str, query: str) -> None:
    """Index a folder with the encoder and search it."""
    with closing(Container(models=HashingModels(load_settings()))) as container:
        list(container.indexing.index_paths([Path(folder)], "default"))
        for moment in container.retrieval.search(Query(query), SegmentFilter(), limit=5):
            print(f"{moment.score:.2f} {moment.asset.name}: {moment.best_segment.text}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
