"""The methods of both clients."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypedDict, Unpack
from urllib.parse import quote

from pydantic import TypeAdapter

from api.client.flows import (
    Endpoint,
    Flow,
    Listen,
    Param,
    Pause,
    ProblemError,
    Reply,
    Send,
    ServerUnavailable,
    Stream,
    passing,
)
from api.job_shapes import JobEventShape, JobShape
from api.replies import AskedShape, AssetDetail, CollectionShape, EvidenceEvent, PageShape, UsageShape
from api.schemas import AnswerShape, AssetShape, SearchShape, SentenceShape

Told: TypeAlias = EvidenceEvent | SentenceShape | AnswerShape | UsageShape
"""What an answer is told in, in this order."""
Happened: TypeAlias = JobEventShape | JobShape
"""What happens to a job; the job itself, last of all."""
Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes that have been sent, and how many there are."""

_TOLD: dict[str, type[Told]] = {
    "evidence": EvidenceEvent,
    "sentence": SentenceShape,
    "answer": AnswerShape,
    "usage": UsageShape,
}
_HAPPENED: dict[str, type[Happened]] = {"event": JobEventShape, "job": JobShape}
_COLLECTIONS, _JOBS = TypeAdapter(list[CollectionShape]), TypeAdapter(list[JobShape])
_PIECE_BYTES, _TRIES, _WAIT_S = 8 << 20, 8, 0.5
_TUS = {"tus-resumable": "1.0.0"}
_OFFSETS = "application/offset+octet-stream"


class Where(TypedDict, total=False):
    """Where to look; what is left out does not restrict. As in the API."""

    collections: Collection[str]
    kinds: Collection[str]
    assets: Collection[str]
    start_s: float
    end_s: float
    after: datetime
    before: datetime


class Calls:
    """What can be asked of a server. Errors: ProblemError, ServerUnavailable."""

    @Endpoint
    def search(
        self, question: str = "", *, image: bytes | None = None, limit: int | None = None, **where: Unpack[Where]
    ) -> Flow[SearchShape]:
        """Moments, pages and pictures."""
        picture = None if image is None else base64.b64encode(image).decode()
        body = _said(question=question, image=picture, limit=limit, **where)
        return SearchShape.model_validate_json((yield Send("POST", "/v1/search", json=body)).checked().body)

    @Endpoint
    def ask(self, question: str, **where: Unpack[Where]) -> Flow[AskedShape]:
        """The whole answer."""
        reply = yield Send("POST", "/v1/ask", json=_said(question=question, **where))
        return AskedShape.model_validate_json(reply.checked().body)

    @Stream
    def told(self, question: str, **where: Unpack[Where]) -> Listen[Told]:
        """The answer while it is written: the evidence, each sentence, the answer, and what it took."""
        send = Send("POST", "/v1/ask", json=_said(question=question, **where))
        return Listen(send, lambda name, data: _TOLD[name].model_validate_json(data), "usage")

    @Endpoint
    def collections(self) -> Flow[list[CollectionShape]]:
        """The collections, by name."""
        return _COLLECTIONS.validate_json((yield Send("GET", "/v1/collections")).checked().body)

    @Endpoint
    def assets(
        self, collection: str | None = None, after: str | None = None, limit: int = 100
    ) -> Flow[PageShape[AssetShape]]:
        """A part of what is indexed, newest first; `after` of it asks for the next."""
        params = _given(collection=collection, after=after, limit=limit)
        reply = yield Send("GET", "/v1/assets", params)
        return PageShape[AssetShape].model_validate_json(reply.checked().body)

    @Endpoint
    def asset(self, asset_id: str) -> Flow[AssetDetail]:
        """All that is known of an asset."""
        return AssetDetail.model_validate_json((yield Send("GET", _asset(asset_id))).checked().body)

    @Endpoint
    def delete(self, asset_id: str, collection: str | None = None) -> Flow[list[JobShape]]:
        """Jobs that remove an asset from a collection, or from all."""
        reply = yield Send("DELETE", _asset(asset_id), _given(collection=collection))
        return _JOBS.validate_json(reply.checked().body)

    @Endpoint
    def frame(self, asset_id: str, time_s: float, max_px: int | None = None, form: str = "jpeg") -> Flow[bytes]:
        """The picture that shows a video at a time, as `jpeg` or `webp`."""
        params = _given(max_px=max_px, format=form)
        return (yield Send("GET", f"{_asset(asset_id)}/frames/{time_s}", params)).checked().body

    @Endpoint
    def page(self, asset_id: str, number: int, max_px: int | None = None, form: str = "jpeg") -> Flow[bytes]:
        """The picture of a page of a document."""
        params = _given(max_px=max_px, format=form)
        return (yield Send("GET", f"{_asset(asset_id)}/pages/{number}", params)).checked().body

    @Endpoint
    def clip(self, asset_id: str, start_s: float, end_s: float, max_px: int = 1280) -> Flow[bytes]:
        """What is seen and heard in `[start_s, end_s)`, as MP4."""
        params = {"start_s": start_s, "end_s": end_s, "max_px": max_px}
        return (yield Send("GET", f"{_asset(asset_id)}/clip", params)).checked().body

    @Endpoint
    def import_source(
        self,
        source: str,
        collection: str,
        name: str | None = None,
        webhook: str | None = None,
        once: str | None = None,
    ) -> Flow[JobShape]:
        """A job that indexes a path of the server or a URL; asked for again under the same `once`, the same job."""
        body = _said(source=source, collection=collection, name=name, webhook=webhook)
        return _job((yield Send("POST", "/v1/imports", json=body, headers=_named(once))))

    @Endpoint
    def upload(
        self,
        path: Path,
        collection: str,
        name: str | None = None,
        webhook: str | None = None,
        progress: Progress | None = None,
        once: str | None = None,
    ) -> Flow[JobShape]:
        """Send a file, piece by piece, and go on where it was cut off; the job that indexes it. Under the same `once`
        also another call goes on where this one came to, and gives the same job."""
        length = path.stat().st_size
        metadata = _metadata(collection=collection, filename=name or path.name, webhook=webhook)
        headers = {**_TUS, "upload-length": str(length), "upload-metadata": metadata, **_named(once)}
        reply = (yield Send("POST", "/v1/uploads/tus", headers=headers)).checked()
        address = "/v1/uploads/tus/" + reply.headers["location"].rpartition("/")[2]
        with path.open("rb") as file:
            while (job := reply.headers.get("afterimage-job")) is None:
                reply = yield from _next_piece(file, address)
                if progress is not None:
                    progress(int(reply.headers["upload-offset"]), length)
        return _job((yield Send("GET", f"/v1/jobs/{job}")))

    @Endpoint
    def summarize(self, asset_id: str, webhook: str | None = None, once: str | None = None) -> Flow[JobShape]:
        """A job whose result is the summary of a video; `once` as for `import_source`."""
        body = _said(asset=asset_id, webhook=webhook)
        return _job((yield Send("POST", "/v1/summaries", json=body, headers=_named(once))))

    @Endpoint
    def reindex(self, once: str | None = None) -> Flow[JobShape]:
        """A job that makes the index anew; `once` as for `import_source`."""
        return _job((yield Send("POST", "/v1/reindex", headers=_named(once))))

    @Endpoint
    def jobs(
        self,
        collection: str | None = None,
        after: str | None = None,
        limit: int = 100,
        states: Collection[str] = (),
    ) -> Flow[PageShape[JobShape]]:
        """A part of the jobs, newest first; `states`: only those in one of them, as `running`."""
        params = _given(collection=collection, after=after, limit=limit, state=sorted(states) or None)
        reply = yield Send("GET", "/v1/jobs", params)
        return PageShape[JobShape].model_validate_json(reply.checked().body)

    @Endpoint
    def job(self, job_id: str) -> Flow[JobShape]:
        """A job as it is now."""
        return _job((yield Send("GET", f"/v1/jobs/{quote(job_id)}")))

    @Stream
    def follow(self, job_id: str, after: int = 0) -> Listen[Happened]:
        """All that happens to a job, until it has come to its end; the server may be restarted meanwhile."""
        send = Send("GET", f"/v1/jobs/{quote(job_id)}/events", headers={"last-event-id": str(after)})
        return Listen(send, lambda name, data: _HAPPENED[name].model_validate_json(data), "job", resumes=True)

    @Endpoint
    def cancel(self, job_id: str) -> Flow[JobShape]:
        """End a job."""
        return _job((yield Send("POST", f"/v1/jobs/{quote(job_id)}/cancel")))

    @Endpoint
    def retry(self, job_id: str) -> Flow[JobShape]:
        """Have a job that failed or was cancelled done once more."""
        return _job((yield Send("POST", f"/v1/jobs/{quote(job_id)}/retry")))


def _next_piece(file: BinaryIO, address: str) -> Flow[Reply]:
    """Ask how far an upload is and send what comes next; both again where the line breaks."""
    for left in reversed(range(_TRIES)):
        try:
            reply = (yield Send("HEAD", address, headers=_TUS)).checked()
            if "afterimage-job" in reply.headers:
                return reply
            offset = reply.headers["upload-offset"]
            file.seek(int(offset))
            headers = {**_TUS, "upload-offset": offset, "content-type": _OFFSETS}
            return (yield Send("PATCH", address, content=file.read(_PIECE_BYTES), headers=headers)).checked()
        except (ServerUnavailable, ProblemError) as error:
            if not left or not passing(error):
                raise
            yield Pause(_WAIT_S)
    raise AssertionError("the last try returns or raises")


def _job(reply: Reply) -> JobShape:
    return JobShape.model_validate_json(reply.checked().body)


def _named(once: str | None) -> dict[str, str]:
    """The header under which a request is done once, however often it is sent."""
    return {} if once is None else {"idempotency-key": once}


def _asset(asset_id: str) -> str:
    return f"/v1/assets/{quote(asset_id)}"


def _given(**values: Param | None) -> dict[str, Param]:
    return {name: value for name, value in values.items() if value is not None}


def _said(**values: object) -> dict[str, object]:
    """A body without what was left out."""
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
    lists = (set, frozenset, tuple)
    return {name: list(v) if isinstance(v, lists) else v for name, v in plain.items() if v is not None}


def _metadata(**values: str | None) -> str:
    given = {name: base64.b64encode(value.encode()).decode() for name, value in values.items() if value is not None}
    return ",".join(f"{name} {value}" for name, value in given.items())
