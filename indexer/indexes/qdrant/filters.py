"""Translation of search filters to Qdrant's filter conditions."""

from __future__ import annotations

from collections.abc import Iterable

from qdrant_client import models

from indexer.types import SegmentFilter


def passes_nothing(filters: SegmentFilter) -> bool:
    """Return True if a set of the filter is empty; to Qdrant an empty list would be no condition."""
    return any(field is not None and not field for field in (filters.collections, filters.kinds, filters.assets))


def to_qdrant_filter(filters: SegmentFilter, excluded_puts: Iterable[str]) -> models.Filter:
    """Translate a filter to conditions on payload fields that exclude the points of some puts."""
    must: list[models.Condition] = [
        _match_any(field, values)
        for field, values in (
            ("collections", filters.collections),
            ("kind", filters.kinds),
            ("asset_id", filters.assets),
        )
        if values is not None
    ]
    if filters.file_after is not None or filters.file_before is not None:
        must.append(_match_range("file_time", models.Range(gte=filters.file_after, lt=filters.file_before)))
    if filters.start_s is not None:
        must.append(_match_range("end_s", models.Range(gt=filters.start_s)))
    if filters.end_s is not None:
        must.append(_match_range("start_s", models.Range(lt=filters.end_s)))
    return models.Filter(must=must or None, must_not=_match_puts(excluded_puts))


def field_equals(field: str, value: str, excluded_puts: Iterable[str] = ()) -> models.Filter:
    """Build a filter for points with a value in a payload field, excluding the points of some puts."""
    return models.Filter(must=[_match_any(field, [value])], must_not=_match_puts(excluded_puts))


def _match_puts(puts: Iterable[str]) -> list[models.Condition] | None:
    values = list(puts)
    return [_match_any("put", values)] if values else None


def _match_any(field: str, values: Iterable[str]) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchAny(any=sorted(str(value) for value in values)))


def _match_range(field: str, bounds: models.Range) -> models.FieldCondition:
    return models.FieldCondition(key=field, range=bounds)
