"""JSON shapes of request bodies."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import (
    AfterValidator,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from indexer.types import AssetKind, SegmentFilter
from services.access.api_keys import Scope

MAX_QUERY_CHARS = 2000
"""Chosen: longer than any text encoder reads; bounds the cost of a query."""
_MAX_ITEMS = 1000
"""Chosen: items of one field; bounds validation and its error messages."""
_MAX_PREVIOUS = 20
"""Chosen: questions of a conversation before the last one; hardly any points back further than to the one before."""
_ASSET_ID_PATTERN = r"^[0-9a-f]{64}$"
_TIME_PATTERN = r"T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
_DATE_PATTERN = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}({_TIME_PATTERN})?$"
"""Source: ISO 8601, a date or a date with a time; Pydantic takes numbers and other forms, too."""


def _require_date(value: object) -> object:
    if not isinstance(value, datetime) and not (isinstance(value, str) and re.fullmatch(_DATE_PATTERN, value)):
        raise ValueError("is no date such as 2026-11-29 or 2026-11-29T08:30:00Z")
    return value


def _to_utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


AssetId = Annotated[str, StringConstraints(pattern=_ASSET_ID_PATTERN)]
CollectionName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]+$")]
"""Name of a collection: no control characters, no slashes."""
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
UtcDatetime = Annotated[
    datetime,
    BeforeValidator(_require_date, json_schema_input_type=Annotated[str, Field(pattern=_DATE_PATTERN)]),
    AfterValidator(_to_utc),
]
"""A date, or a date with a time (`2026-11-29T08:30:00Z`); UTC where no zone is named."""


class Body(BaseModel):
    """Base of request bodies. Unknown fields are errors, so that a misspelt one is not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _limit_sizes(cls, data: object) -> object:
        """Raise one error for a field with too many items, instead of one for each item."""
        for value in (data, *data.values()) if isinstance(data, dict) else ():
            if isinstance(value, dict | list) and len(value) > _MAX_ITEMS:
                raise ValueError(f"holds more than {_MAX_ITEMS} items")
        return data


class Filter(Body):
    """Filters of a query; one that is left out does not restrict. `start_s` and `end_s`: only `[start_s, end_s)` of a
    video; `after` and `before`: files of that date or later, and older files (UTC where no zone is named)."""

    collections: Annotated[frozenset[CollectionName], Field(max_length=100)] | None = None
    kinds: frozenset[AssetKind] | None = None
    assets: Annotated[frozenset[AssetId], Field(max_length=1000)] | None = None
    start_s: Seconds | None = None
    end_s: Seconds | None = None
    after: UtcDatetime | None = None
    before: UtcDatetime | None = None

    def to_segment_filter(self) -> SegmentFilter:
        """Return the filter of the services."""
        return SegmentFilter(
            collections=self.collections,
            kinds=self.kinds,
            assets=self.assets,
            start_s=self.start_s,
            end_s=self.end_s,
            file_after=None if self.after is None else self.after.timestamp(),
            file_before=None if self.before is None else self.before.timestamp(),
        )


class SearchBody(Filter):
    """Query of a search: words, an image (a file of any format that can be indexed, in base64), or both.

    `weaker`: results that are no better than what unrelated questions find follow, with scores of at most 0.5.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"question": "price of the mooring rope", "limit": 5},
                {"question": "fire truck", "collections": ["default"], "kinds": ["video"], "start_s": 60},
            ]
        }
    )

    question: Annotated[str, Field(max_length=MAX_QUERY_CHARS)] = ""
    image: Base64Bytes | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] | None = None
    weaker: bool = False

    @model_validator(mode="after")
    def _require_query(self) -> SearchBody:
        if not self.question.strip() and self.image is None:
            raise ValueError("give a question, an image, or both")
        return self


class AskBody(Filter):
    """Question to the archive."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"question": "What is the notice period once probation is over?"}]}
    )

    question: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS, pattern=r"\S")]
    previous: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS)]],
        Field(
            max_length=_MAX_PREVIOUS,
            description="Earlier questions of the conversation, the oldest first. A question that points back is "
            "searched for together with them.",
        ),
    ] = []


class SessionBody(Body):
    """Request to sign in with an API key."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"key": "ai_0123456789ab_…"}]})

    key: Annotated[SecretStr, Field(min_length=1, max_length=200)]


WebhookUrl = Annotated[str, Field(max_length=2000, description="A URL that is told, signed, when the job has ended.")]


class SummaryBody(Body):
    """Request to summarize a video."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"asset": "0" * 64}]})

    asset: AssetId
    webhook: WebhookUrl | None = None


class ImportBody(Body):
    """Request to index into a collection: a file or folder of the server (`/srv/films` or `file:///srv/films`) below
    one of the folders that the settings allow, or a URL of one of the hosts that they allow."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"source": "https://media.example.org/talk.mp4", "collection": "talks"}]}
    )

    source: Annotated[str, Field(min_length=1, max_length=4000)]
    collection: CollectionName
    name: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    webhook: WebhookUrl | None = None

    @property
    def uri(self) -> str:
        """URI of the source."""
        return PurePosixPath(self.source).as_uri() if self.source.startswith("/") else self.source


class KeyBody(Body):
    """Request to create an API key. Without `collections` it covers all; from `expires_at` on it is refused."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "newsroom", "scopes": ["read"], "collections": ["default"]}]}
    )

    name: Annotated[str, Field(min_length=1, max_length=200)]
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    collections: Annotated[frozenset[CollectionName], Field(min_length=1, max_length=100)] | None = None
    expires_at: UtcDatetime | None = None
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
