"""The JSON that requests bring."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Base64Bytes, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from indexer.types import AssetKind, SegmentFilter
from services.access.api_keys import Scope

MAX_QUERY_CHARS, _MAX_ITEMS = 2000, 1000
_ASSET_ID_PATTERN = r"^[0-9a-f]{64}$"


def _to_utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


AssetId = Annotated[str, StringConstraints(pattern=_ASSET_ID_PATTERN)]
CollectionName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]+$")]
"""The name of a collection."""
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
UtcDatetime = Annotated[datetime, AfterValidator(_to_utc)]


class Body(BaseModel):
    """What a request says. What it should not say is an error, so that a typing error is no silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _limit_sizes(cls, data: object) -> object:
        """Of what is too much, one error and not one for each."""
        for one in (data, *data.values()) if isinstance(data, dict) else ():
            if isinstance(one, dict | list) and len(one) > _MAX_ITEMS:
                raise ValueError(f"says more than {_MAX_ITEMS} things")
        return data


class Filter(Body):
    """Where to look; what is left out does not restrict. `start_s` and `end_s`: what is shown in `[start_s, end_s)` of
    a video; `after` and `before`: files of that date or later, and older files (UTC where no zone is named)."""

    collections: Annotated[frozenset[CollectionName], Field(max_length=100)] | None = None
    kinds: frozenset[AssetKind] | None = None
    assets: Annotated[frozenset[AssetId], Field(max_length=1000)] | None = None
    start_s: Seconds | None = None
    end_s: Seconds | None = None
    after: UtcDatetime | None = None
    before: UtcDatetime | None = None

    def to_segment_filter(self) -> SegmentFilter:
        """The same for the services."""
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
    """What to look for: words, a picture (a file of any kind that can be indexed, in base64), or both."""

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

    @model_validator(mode="after")
    def _require_query(self) -> SearchBody:
        if not self.question.strip() and self.image is None:
            raise ValueError("give a question, an image, or both")
        return self


class AskBody(Filter):
    """A question about what is in the archive."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"question": "What is the notice period once probation is over?"}]}
    )

    question: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS, pattern=r"\S")]


WebhookUrl = Annotated[str, Field(max_length=2000, description="A URL that is told, signed, when the job has ended.")]


class SummaryBody(Body):
    """A video to be summarized."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"asset": "0" * 64}]})

    asset: AssetId
    webhook: WebhookUrl | None = None


class ImportBody(Body):
    """A file or folder of the server (`/srv/films` or `file:///srv/films`, below one of the folders that its settings
    name), or a URL of one of the hosts that they name, to be indexed into a collection."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"source": "https://media.example.org/talk.mp4", "collection": "talks"}]}
    )

    source: Annotated[str, Field(min_length=1, max_length=4000)]
    collection: CollectionName
    name: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    webhook: WebhookUrl | None = None

    @property
    def uri(self) -> str:
        """The source as a URI."""
        return PurePosixPath(self.source).as_uri() if self.source.startswith("/") else self.source


class KeyBody(Body):
    """A key to be made. `collections` left out: all of them; `expires_at`: from when on it is refused."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "newsroom", "scopes": ["read"], "collections": ["default"]}]}
    )

    name: Annotated[str, Field(min_length=1, max_length=200)]
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    collections: Annotated[frozenset[CollectionName], Field(min_length=1, max_length=100)] | None = None
    expires_at: UtcDatetime | None = None
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
