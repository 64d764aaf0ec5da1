"""The test harness's own promises, where a quiet failure would make other tests prove nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import transaction

from portal.celery import GATEWAY_QUEUES, app
from portal.local.payments.server import LocalPayments
from tenants import key_values, queue
from tenants.models import ApiKeyVersion, VersionStatus
from tests.cast import Cast
from tests.conftest import Call, RunTasks


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
    run_tasks: RunTasks, seen: list[Any]
) -> None:
    with transaction.atomic():
        queue.on_commit("tests.record", {"tuple": (1,)}, queue="default")
        queue.on_commit("tests.record", 2, queue="gateway_urgent")
        assert run_tasks() == []

    assert run_tasks() == ["tests.record", "tests.record"]
    assert seen == [2, {"tuple": [1]}]  # what a worker would get: it came as JSON


def test_a_failed_task_is_raised_and_stays_queued(run_tasks: RunTasks, seen: list[Any]) -> None:
    queue.send("tests.record", "fail", queue="default")

    for _ in range(2):
        with pytest.raises(ValueError, match="asked to"):
            run_tasks()

    assert seen == []


@pytest.mark.parametrize("time", ["first", "second"])
def test_each_test_starts_with_an_empty_valkey(
    run_tasks: RunTasks, seen: list[Any], time: str
) -> None:
    assert cache.get("left-over") is None
    assert run_tasks() == []

    cache.set("left-over", time)
    queue.send("tests.record", time, queue="default")


def test_the_cast_has_keys_that_work_at_a_real_gateway(
    run_tasks: RunTasks,
    cast: Cast,
    call: Call,
) -> None:
    run_tasks(*GATEWAY_QUEUES)

    version = ApiKeyVersion.objects.get(api_key__tenant=cast.alice_corp)
    assert version.status == VersionStatus.ACTIVE
    value = key_values.derive(version.uuid, secret=settings.API_KEY_SECRET)
    assert call(value).status_code == 200
    assert call(None).status_code == 403


def test_settings_point_at_the_local_payments(local_payments: LocalPayments) -> None:
    assert local_payments.url == settings.STRIPE_API_BASE
    answer = httpx.get(
        f"{settings.STRIPE_API_BASE}/v1/customers", auth=(settings.STRIPE_SECRET_KEY, "")
    )
    assert answer.status_code == 200


class TestKeyOfStripesTestMode:
    """Nothing else notices: without a key the tests have the local payments."""

    def loaded_with(self, key: str) -> subprocess.CompletedProcess[str]:
        given = {**os.environ, "STRIPE_TEST_SECRET_KEY": key}
        given.pop("STRIPE_API_BASE")
        script = "import os, tests.env; print(os.environ['STRIPE_API_BASE'])"
        return subprocess.run(
            [sys.executable, "-c", script], env=given, capture_output=True, text=True, check=False
        )

    def test_leads_to_stripe(self) -> None:
        assert self.loaded_with("sk_test_somebodys").stdout == "https://api.stripe.com\n"

    def test_a_live_one_is_refused(self) -> None:
        refused = self.loaded_with("sk_live_somebodys")
        assert refused.returncode != 0
        assert "must be a key of the test mode" in refused.stderr


class TestMarkOfWhatRunsOnPostgreSQLToo:
    """CI runs nothing else there."""

    def test_a_fixture_asks_for_the_database(
        self, request: pytest.FixtureRequest, db: None
    ) -> None:
        assert is_marked(request)

    def test_a_fixture_asks_by_another(self, request: pytest.FixtureRequest, cast: Cast) -> None:
        assert is_marked(request)

    def test_a_fixture_asks_for_commits(
        self, request: pytest.FixtureRequest, transactional_db: None
    ) -> None:
        assert is_marked(request)

    @pytest.mark.django_db
    def test_a_mark_asks(self, request: pytest.FixtureRequest) -> None:
        assert is_marked(request)

    @pytest.mark.parametrize("case", [1, 2])
    def test_another_case_is_told_from_the_first(
        self, request: pytest.FixtureRequest, case: int
    ) -> None:
        assert is_marked(request, "another_case") == (case == 2)

    @pytest.mark.every_case
    @pytest.mark.parametrize("case", [1, 2])
    def test_not_where_each_has_statements_of_its_own(
        self, request: pytest.FixtureRequest, case: int
    ) -> None:
        assert not is_marked(request, "another_case")

    def test_nobody_asks(self, request: pytest.FixtureRequest, valkey: str) -> None:
        assert not is_marked(request)


def is_marked(request: pytest.FixtureRequest, name: str = "database") -> bool:
    return request.node.get_closest_marker(name) is not None
