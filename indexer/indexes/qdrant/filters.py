"""Filters as Qdrant takes them."""

from __future__ import annotations

from collections.abc import Iterable

from qdrant_client import models

from indexer.types import SegmentFilter


def passes_nothing(where: SegmentFilter) -> bool:
    """Whether a field of the filter is empty, not None: Qdrant would take an empty list for no condition."""
    return any(field is not None and not field for field in (where.collections, where.kinds, where.assets))


def filter_of(where: SegmentFilter, left_out: Iterable[str]) -> models.Filter:
    """A filter as conditions on payload fields, without the points of the puts `left_out`."""
    must: list[models.Condition] = [
        _any(field, values)
        for field, values in (("collections", where.collections), ("kind", where.kinds), ("asset_id", where.assets))
        if values is not None
    ]
    if where.file_after is not None or where.file_before is not None:
        must.append(_range("file_time", models.Range(gte=where.file_after, lt=where.file_before)))
    if where.start_s is not None:
        must.append(_range("end_s", models.Range(gt=where.start_s)))
    if where.end_s is not None:
        must.append(_range("start_s", models.Range(lt=where.end_s)))
    return models.Filter(must=must or None, must_not=_puts(left_out))


def holding(field: str, value: str, left_out: Iterable[str] = ()) -> models.Filter:
    """What holds a value in a field."""
    return models.Filter(must=[_any(field, [value])], must_not=_puts(left_out))


def _puts(puts: Iterable[str]) -> list[models.Condition] | None:
    named = list(puts)
    return [_any("put", named)] if named else None


def _any(field: str, values: Iterable[str]) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchAny(any=sorted(str(value) for value in values)))


def _range(field: str, bounds: models.Range) -> models.FieldCondition:
    return models.FieldCondition(key=field, range=bounds)
