"""Pipeline stage: a thread pool with a bounded queue, which throttles the producer (backpressure)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from types import TracebackType
from typing import TypeVar

_T = TypeVar("_T")


class BoundedStage:
    """Thread pool of `workers` threads that accepts at most `depth` waiting or running tasks.

    Tasks start in the order of submission; with one worker they run one after the other. After a task failed, later
    tasks still run; the exception is raised by its future.
    """

    def __init__(self, name: str, depth: int, workers: int = 1) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._capacity = BoundedSemaphore(depth)

    def submit(self, task: Callable[[], _T]) -> Future[_T]:
        """Enqueue a task and return its future; block while `depth` tasks are waiting or running."""
        self._capacity.acquire()
        future = self._executor.submit(task)
        future.add_done_callback(lambda _: self._capacity.release())
        return future

    def __enter__(self) -> BoundedStage:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._executor.shutdown(wait=True, cancel_futures=kind is not None)
