"""A stage of the pipeline: one thread or a few, with a small bounded inbox."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from types import TracebackType
from typing import TypeVar

_T = TypeVar("_T")


class BoundedStage:
    """Runs tasks in threads of its own, begun in the order they were handed in; one after the other with one worker.

    `submit` blocks while `depth` tasks are waiting or running, which is how a slow stage holds back the decoder. After
    a task failed, the ones behind it still run; whoever asks for a result gets the error.
    """

    def __init__(self, name: str, depth: int, workers: int = 1) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._capacity = BoundedSemaphore(depth)

    def submit(self, task: Callable[[], _T]) -> Future[_T]:
        self._capacity.acquire()
        future = self._executor.submit(task)
        future.add_done_callback(lambda _: self._capacity.release())
        return future

    def __enter__(self) -> BoundedStage:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._executor.shutdown(wait=True, cancel_futures=kind is not None)
