"""Operations of the API as flows: the methods of both clients."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypedDict, Unpack
from urllib.parse import quote

from pydantic import TypeAdapter

from api.client.protocol import (
    Endpoint,
    Flow,
    ParamValue,
    Pause,
    ProblemError,
    Reply,
    Request,
    ServerUnavailable,
    StreamEndpoint,
    Subscription,
    is_retryable,
)
from api.schemas.jobs import JobEventShape, JobShape
from api.schemas.responses import AskResponse, AssetDetail, CollectionShape, EvidenceEvent, PageShape, UsageShape
from api.schemas.results import AnswerShape, AssetShape, SearchShape, SentenceShape

AnswerEvent: TypeAlias = EvidenceEvent | SentenceShape | AnswerShape | UsageShape
"""Events of a streamed answer, in this order."""
JobUpdate: TypeAlias = JobEventShape | JobShape
"""Events of a job; the job itself, last of all."""
UploadProgress: TypeAlias = Callable[[int, int], None]
"""Called with the number of bytes sent and the size of the file."""

_ANSWER_EVENTS: dict[str, type[AnswerEvent]] = {
    "evidence": EvidenceEvent,
    "sentence": SentenceShape,
    "answer": AnswerShape,
    "usage": UsageShape,
}
_JOB_UPDATES: dict[str, type[JobUpdate]] = {"event": JobEventShape, "job": JobShape}
_COLLECTION_LIST, _JOB_LIST = TypeAdapter(list[CollectionShape]), TypeAdapter(list[JobShape])
_CHUNK_BYTES = 8 << 20
"""Chosen: bytes of one request of an upload: what is sent again where the line breaks, against round trips."""
_MAX_ATTEMPTS = 8
"""Chosen: attempts to send one chunk of an upload; with the delay between them a server may restart meanwhile."""
_RETRY_DELAY_S = 0.5
"""Chosen: seconds between two attempts."""
_TUS_HEADERS = {"tus-resumable": "1.0.0"}
_CHUNK_MEDIA_TYPE = "application/offset+octet-stream"


class FilterArguments(TypedDict, total=False):
    """Filters of a search, as in the API; a filter that is left out does not restrict."""

    collections: Collection[str]
    kinds: Collection[str]
    assets: Collection[str]
    start_s: float
    end_s: float
    after: datetime
    before: datetime


class Operations:
    """Operations of a server. Errors of all: ProblemError, ServerUnavailable."""

    @Endpoint
    def search(
        self,
        question: str = "",
        *,
        image: bytes | None = None,
        limit: int | None = None,
        weaker: bool = False,
        **filters: Unpack[FilterArguments],
    ) -> Flow[SearchShape]:
        """Find moments, pages and pictures; with `weaker` also those that are no better than unrelated ones."""
        picture = None if image is None else base64.b64encode(image).decode()
        body = _json_body(question=question, image=picture, limit=limit, weaker=weaker, **filters)
        return SearchShape.model_validate_json(
            (yield Request("POST", "/v1/search", json=body)).raise_for_problem().body
        )

    @Endpoint
    def ask(self, question: str, **filters: Unpack[FilterArguments]) -> Flow[AskResponse]:
        """Answer a question."""
        reply = yield Request("POST", "/v1/ask", json=_json_body(question=question, **filters))
        return AskResponse.model_validate_json(reply.raise_for_problem().body)

    @StreamEndpoint
    def ask_stream(self, question: str, **filters: Unpack[FilterArguments]) -> Subscription[AnswerEvent]:
        """Stream an answer while it is generated: the evidence, each sentence, the answer, the usage."""
        request = Request("POST", "/v1/ask", json=_json_body(question=question, **filters))
        return Subscription(request, lambda name, data: _ANSWER_EVENTS[name].model_validate_json(data), "usage")

    @Endpoint
    def list_collections(self) -> Flow[list[CollectionShape]]:
        """List collections by name."""
        return _COLLECTION_LIST.validate_json((yield Request("GET", "/v1/collections")).raise_for_problem().body)

    @Endpoint
    def list_assets(
        self, collection: str | None = None, after: str | None = None, limit: int = 100
    ) -> Flow[PageShape[AssetShape]]:
        """List assets, newest first, in pages; `after` of one page requests the next."""
        params = _query_params(collection=collection, after=after, limit=limit)
        reply = yield Request("GET", "/v1/assets", params)
        return PageShape[AssetShape].model_validate_json(reply.raise_for_problem().body)

    @Endpoint
    def get_asset(self, asset_id: str) -> Flow[AssetDetail]:
        """Describe an asset in full."""
        return AssetDetail.model_validate_json((yield Request("GET", _asset_path(asset_id))).raise_for_problem().body)

    @Endpoint
    def delete_asset(self, asset_id: str, collection: str | None = None) -> Flow[list[JobShape]]:
        """Submit jobs that remove an asset from a collection, or from all."""
        reply = yield Request("DELETE", _asset_path(asset_id), _query_params(collection=collection))
        return _JOB_LIST.validate_json(reply.raise_for_problem().body)

    @Endpoint
    def get_frame(
        self, asset_id: str, time_s: float, max_px: int | None = None, image_format: str = "jpeg"
    ) -> Flow[bytes]:
        """Return the key frame that shows a video at a time, as `jpeg` or `webp`."""
        params = _query_params(max_px=max_px, format=image_format)
        return (yield Request("GET", f"{_asset_path(asset_id)}/frames/{time_s}", params)).raise_for_problem().body

    @Endpoint
    def get_page(
        self, asset_id: str, number: int, max_px: int | None = None, image_format: str = "jpeg"
    ) -> Flow[bytes]:
        """Return the picture of a page of a document, as `jpeg` or `webp`."""
        params = _query_params(max_px=max_px, format=image_format)
        return (yield Request("GET", f"{_asset_path(asset_id)}/pages/{number}", params)).raise_for_problem().body

    @Endpoint
    def get_clip(self, asset_id: str, start_s: float, end_s: float, max_px: int = 1280) -> Flow[bytes]:
        """Return a clip of `[start_s, end_s)` of a video, as MP4."""
        params = {"start_s": start_s, "end_s": end_s, "max_px": max_px}
        return (yield Request("GET", f"{_asset_path(asset_id)}/clip", params)).raise_for_problem().body

    @Endpoint
    def import_source(
        self,
        source: str,
        collection: str,
        name: str | None = None,
        webhook: str | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[JobShape]:
        """Submit a job that indexes a path of the server or a URL; with the same `idempotency_key`, the same job."""
        body = _json_body(source=source, collection=collection, name=name, webhook=webhook)
        return _parse_job(
            (yield Request("POST", "/v1/imports", json=body, headers=_idempotency_header(idempotency_key)))
        )

    @Endpoint
    def upload(
        self,
        path: Path,
        collection: str,
        name: str | None = None,
        webhook: str | None = None,
        progress: UploadProgress | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[JobShape]:
        """Upload a file in chunks, resuming where the line breaks; return the job that indexes it.

        With the same `idempotency_key` another call resumes where this one ended, and returns the same job.
        """
        length = path.stat().st_size
        metadata = _encode_metadata(collection=collection, filename=name or path.name, webhook=webhook)
        headers = {
            **_TUS_HEADERS,
            "upload-length": str(length),
            "upload-metadata": metadata,
            **_idempotency_header(idempotency_key),
        }
        reply = (yield Request("POST", "/v1/uploads/tus", headers=headers)).raise_for_problem()
        address = "/v1/uploads/tus/" + reply.headers["location"].rpartition("/")[2]
        with path.open("rb") as file:
            while (job := reply.headers.get("afterimage-job")) is None:
                reply = yield from _send_next_chunk(file, address)
                if progress is not None:
                    progress(int(reply.headers["upload-offset"]), length)
        return _parse_job((yield Request("GET", f"/v1/jobs/{job}")))

    @Endpoint
    def summarize(
        self, asset_id: str, webhook: str | None = None, idempotency_key: str | None = None
    ) -> Flow[JobShape]:
        """Submit a job whose result is the summary of a video; `idempotency_key` as for `import_source`."""
        body = _json_body(asset=asset_id, webhook=webhook)
        return _parse_job(
            (yield Request("POST", "/v1/summaries", json=body, headers=_idempotency_header(idempotency_key)))
        )

    @Endpoint
    def reindex(self, idempotency_key: str | None = None) -> Flow[JobShape]:
        """Submit a job that rebuilds the index; `idempotency_key` as for `import_source`."""
        return _parse_job((yield Request("POST", "/v1/reindex", headers=_idempotency_header(idempotency_key))))

    @Endpoint
    def list_jobs(
        self,
        collection: str | None = None,
        after: str | None = None,
        limit: int = 100,
        states: Collection[str] = (),
    ) -> Flow[PageShape[JobShape]]:
        """List jobs, newest first, in pages; `states`: only those in one of them, as `running`."""
        params = _query_params(collection=collection, after=after, limit=limit, state=sorted(states) or None)
        reply = yield Request("GET", "/v1/jobs", params)
        return PageShape[JobShape].model_validate_json(reply.raise_for_problem().body)

    @Endpoint
    def get_job(self, job_id: str) -> Flow[JobShape]:
        """Describe a job."""
        return _parse_job((yield Request("GET", f"/v1/jobs/{quote(job_id)}")))

    @StreamEndpoint
    def follow_job(self, job_id: str, after: int = 0) -> Subscription[JobUpdate]:
        """Stream the events of a job until it ends; the server may be restarted meanwhile."""
        request = Request("GET", f"/v1/jobs/{quote(job_id)}/events", headers={"last-event-id": str(after)})
        return Subscription(
            request, lambda name, data: _JOB_UPDATES[name].model_validate_json(data), "job", resumable=True
        )

    @Endpoint
    def cancel_job(self, job_id: str) -> Flow[JobShape]:
        """Cancel a job."""
        return _parse_job((yield Request("POST", f"/v1/jobs/{quote(job_id)}/cancel")))

    @Endpoint
    def retry_job(self, job_id: str) -> Flow[JobShape]:
        """Submit a job again that failed or was cancelled."""
        return _parse_job((yield Request("POST", f"/v1/jobs/{quote(job_id)}/retry")))


def _send_next_chunk(file: BinaryIO, address: str) -> Flow[Reply]:
    """Ask for the offset of an upload and send its next chunk; retry both where the line breaks."""
    for attempts_left in reversed(range(_MAX_ATTEMPTS)):
        try:
            reply = (yield Request("HEAD", address, headers=_TUS_HEADERS)).raise_for_problem()
            if "afterimage-job" in reply.headers:
                return reply
            offset = reply.headers["upload-offset"]
            file.seek(int(offset))
            headers = {**_TUS_HEADERS, "upload-offset": offset, "content-type": _CHUNK_MEDIA_TYPE}
            return (
                yield Request("PATCH", address, content=file.read(_CHUNK_BYTES), headers=headers)
            ).raise_for_problem()
        except (ServerUnavailable, ProblemError) as error:
            if not attempts_left or not is_retryable(error):
                raise
            yield Pause(_RETRY_DELAY_S)
    raise AssertionError("the last attempt returns or raises")


def _parse_job(reply: Reply) -> JobShape:
    return JobShape.model_validate_json(reply.raise_for_problem().body)


def _idempotency_header(idempotency_key: str | None) -> dict[str, str]:
    """Return the `Idempotency-Key` header, if there is a key."""
    return {} if idempotency_key is None else {"idempotency-key": idempotency_key}


def _asset_path(asset_id: str) -> str:
    return f"/v1/assets/{quote(asset_id)}"


def _query_params(**values: ParamValue | None) -> dict[str, ParamValue]:
    return {name: value for name, value in values.items() if value is not None}


def _json_body(**values: object) -> dict[str, object]:
    """Return a JSON object without the values that are None."""
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
    lists = (set, frozenset, tuple)
    return {name: list(v) if isinstance(v, lists) else v for name, v in plain.items() if v is not None}


def _encode_metadata(**values: str | None) -> str:
    """Encode `Upload-Metadata` (tus 1.0, creation): pairs of a name and a base64 value."""
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in values.items() if value is not None}
    return ",".join(f"{name} {value}" for name, value in encoded.items())
