"""Build search and the calibration of its scores."""

from __future__ import annotations

from collections.abc import Mapping

from indexer.ports import BlobStore, SegmentIndex
from indexer.types import Lane
from services.catalog.catalog import Catalog
from services.reading.answer_finder import AnswerFinder, AnswerFinderSettings
from services.search.calibration import Calibration
from services.search.fusion import FusionSettings
from services.search.retrieval import Retrieval, RetrievalSettings
from services.settings import AnswerSettings, SearchSettings
from services.wiring.models import Models


def make_calibration(
    settings: SearchSettings, index: SegmentIndex, models: Models, model_ids: Mapping[Lane, str], blobs: BlobStore
) -> Calibration:
    """Make the calibration; `model_ids` are those of the lanes that are on. Encoders are loaded when needed."""
    ids = {lane.value: model_id for lane, model_id in model_ids.items()}
    if Lane.TEXT in model_ids and (text := models.sentence_encoder) is not None:
        ids["queries"] = text.query_model_id
    return Calibration(
        index,
        lambda: models.image_text_encoder,
        lambda: models.sentence_encoder,
        ids,
        blobs,
        settings.null_quantile,
        _fusion(settings),
    )


def make_retrieval(
    settings: SearchSettings, index: SegmentIndex, catalog: Catalog, calibration: Calibration, models: Models
) -> Retrieval:
    """Make the search in all lanes. Encoders are loaded when they are needed."""
    return Retrieval(
        index,
        catalog,
        calibration,
        lambda: models.image_text_encoder,
        lambda: models.sentence_encoder,
        RetrievalSettings(_fusion(settings), settings.merge_gap_s),
    )


def make_answer_finder(settings: AnswerSettings, models: Models) -> AnswerFinder:
    """Make the reading of found passages. The reader is loaded when it is needed."""
    return AnswerFinder(lambda: models.answer_reader, AnswerFinderSettings(settings.min_probability))


def _fusion(settings: SearchSettings) -> FusionSettings:
    return FusionSettings(settings.top_k_per_lane, settings.weights)
