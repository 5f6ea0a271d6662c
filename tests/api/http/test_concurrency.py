"""Concurrency slots of routes: how many run, how many wait, and what gives a slot back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace

import anyio
import httpx2
import pytest
from anyio import to_thread
from anyio.abc import TaskStatus
from fastapi import FastAPI

from api.http.concurrency import ConcurrencyLimits, Overloaded
from api.http.context import _get_context
from api.http.slots import SearchSlot
from services.settings import ServeSettings

TIMEOUT_S = 10.0


class SlowServer:
    """An app with a route that runs until `release` is set, one at a time, with one more request waiting."""

    def __init__(self) -> None:
        self.limits = ConcurrencyLimits.from_settings(ServeSettings(max_concurrent_searches=1, max_queued=1))
        self.release, self.runs = threading.Event(), 0
        app = FastAPI()
        app.dependency_overrides[_get_context] = lambda: SimpleNamespace(limits=self.limits)
        app.get("/work")(self.work)
        self.client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://server")

    def work(self, _slot: SearchSlot, fail: bool = False) -> str:
        self.runs += 1
        assert self.release.wait(TIMEOUT_S)
        if fail:
            raise LookupError("the work has failed")
        return "done"

    def send(self, path: str = "/work") -> asyncio.Task[httpx2.Response]:
        return asyncio.create_task(self.client.get(path))


async def _send_in_scope(server: SlowServer, *, task_status: TaskStatus[anyio.CancelScope]) -> None:
    with anyio.CancelScope() as scope:
        task_status.started(scope)
        await server.client.get("/work")


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():
            await asyncio.sleep(0.01)


def test_more_requests_than_slots_wait_and_more_than_may_wait_are_refused() -> None:
    async def scenario() -> None:
        server = SlowServer()
        searches = server.limits.searches
        running = server.send()
        await _until(lambda: searches.running == 1)
        waiting = server.send()
        await _until(lambda: searches.waiting == 1)
        with pytest.raises(Overloaded, match="1 searches are waiting"):
            await server.send()
        assert server.runs == 1
        server.release.set()
        assert [(await task).status_code for task in (running, waiting)] == [200, 200]
        assert (server.runs, searches.running, searches.waiting) == (2, 0, 0)

    asyncio.run(scenario())


def test_a_slot_is_given_back_when_the_work_fails() -> None:
    async def scenario() -> None:
        server = SlowServer()
        server.release.set()
        with pytest.raises(LookupError):
            await server.send("/work?fail=true")
        assert server.limits.searches.running == 0
        assert (await server.send()).status_code == 200

    asyncio.run(scenario())


def test_a_request_that_is_cancelled_while_it_waits_leaves_the_queue() -> None:
    async def scenario() -> None:
        server = SlowServer()
        searches = server.limits.searches
        running = server.send()
        await _until(lambda: searches.running == 1)
        waiting = server.send()
        await _until(lambda: searches.waiting == 1)
        waiting.cancel()
        await _until(lambda: searches.waiting == 0)
        server.release.set()
        assert (await running).status_code == 200
        assert (server.runs, searches.running) == (1, 0)

    asyncio.run(scenario())


def test_work_that_has_begun_keeps_its_slot_until_it_ends_though_its_request_is_cancelled() -> None:
    async def scenario() -> None:
        server = SlowServer()
        searches = server.limits.searches
        async with anyio.create_task_group() as group:
            scope = await group.start(_send_in_scope, server)
            await _until(lambda: server.runs == 1)
            scope.cancel()
            waiting = server.send()
            await _until(lambda: searches.waiting == 1)
            assert (searches.running, server.runs) == (1, 1)
            server.release.set()
            assert (await waiting).status_code == 200
        assert searches.running == 0

    asyncio.run(scenario())


def test_the_thread_pool_has_a_thread_for_every_slot() -> None:
    async def scenario() -> float:
        limits = ConcurrencyLimits.from_settings(
            ServeSettings(max_concurrent_searches=50, max_concurrent_lookups=100, max_concurrent_clips=10)
        )
        limits.size_thread_pool()
        return to_thread.current_default_thread_limiter().total_tokens

    assert asyncio.run(scenario()) >= 160
