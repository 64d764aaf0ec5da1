"""The test harness's own promises, where a quiet failure would make other tests prove nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction

from portal.celery import app
from tenants import queue


@pytest.fixture
def seen() -> Iterator[list[Any]]:
    """The arguments that the task `tests.record` was run with."""
    seen: list[Any] = []

    @app.task(name="tests.record")
    def record(argument: Any) -> None:
        if argument == "fail":
            raise ValueError("asked to")
        seen.append(argument)

    yield seen
    app.tasks.unregister("tests.record")


def test_tasks_run_after_the_commit_and_urgent_ones_first(
    run_tasks: Callable[[], list[str]], seen: list[Any]
) -> None:
    with transaction.atomic():
        queue.on_commit("tests.record", {"tuple": (1,)}, queue="default")
        queue.on_commit("tests.record", 2, queue="gateway_urgent")
        assert run_tasks() == []

    assert run_tasks() == ["tests.record", "tests.record"]
    assert seen == [2, {"tuple": [1]}]  # what a worker would get: it came as JSON


def test_a_failed_task_is_raised_and_stays_queued(
    run_tasks: Callable[[], list[str]], seen: list[Any]
) -> None:
    queue.send("tests.record", "fail", queue="default")

    for _ in range(2):
        with pytest.raises(ValueError, match="asked to"):
            run_tasks()

    assert seen == []


@pytest.mark.parametrize("time", ["first", "second"])
def test_each_test_starts_with_an_empty_valkey(
    run_tasks: Callable[[], list[str]], seen: list[Any], time: str
) -> None:
    assert cache.get("left-over") is None
    assert run_tasks() == []

    cache.set("left-over", time)
    queue.send("tests.record", time, queue="default")
