"""Work on the process's threads, the most pressing first.

Pillow lets go of Python's lock while it resizes and encodes, so that as many threads as there are
processors keep all of them busy. The threads are the process's, however many pictures are in work.
"""

import heapq
import itertools
import math
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from queue import SimpleQueue
from typing import Generic, TypeVar

Result = TypeVar("Result")

_MEGABYTES_PER_PROCESSOR = 1_769  # of Lambda, which sells processors by the memory


class Work(Generic[Result]):
    """Tasks that belong together. One gives a result, or None where it only adds further ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: list[tuple[float, int, Callable[[], Result | None]]] = []
        self._number = itertools.count()
        self._turns: list[Future[None]] = []
        self._outcomes: SimpleQueue[Result | BaseException] = SimpleQueue()
        self._over = False

    def add(self, task: Callable[[], Result | None], *, pressing: float) -> None:
        """Have a task done before those that are less pressing. May be called by a task."""
        with self._lock:
            if not self._over:
                heapq.heappush(self._tasks, (-pressing, next(self._number), task))
                self._turns.append(_threads().submit(self._take_turn))

    def results(self, count: int) -> Iterator[Result]:
        """Yield as many results, each as soon as it is there. Raise what a task raised.

        When this ends, by whatever cause, no task runs any more.
        """
        try:
            for _ in range(count):
                outcome = self._outcomes.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                yield outcome
        finally:
            self.end()

    def end(self) -> None:
        """Drop the tasks that wait, and wait for those that run."""
        with self._lock:
            self._over = True
            self._tasks.clear()
        for turn in self._turns:
            turn.cancel()
        wait(self._turns)

    def _take_turn(self) -> None:
        """Do the most pressing task. There are as many turns as tasks, but tasks may be dropped."""
        with self._lock:
            if not self._tasks:
                return
            _, _, task = heapq.heappop(self._tasks)
        try:
            result = task()
        except BaseException as error:  # raised where results are waited for
            self._outcomes.put(error)
        else:
            if result is not None:
                self._outcomes.put(result)


def beside(task: Callable[[], Result]) -> "Future[Result]":
    """Have a task done on another thread, at once if one is free."""
    return _threads().submit(task)


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:  # not on macOS
        count = os.cpu_count() or 1
    memory = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    return min(count, math.ceil(int(memory) / _MEGABYTES_PER_PROCESSOR)) if memory else count


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(processors(), thread_name_prefix="imaging")


if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_threads.cache_clear)
