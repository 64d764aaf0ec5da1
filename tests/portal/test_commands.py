"""`up`, `seed` and `sync_usage`: safe to repeat, and clear where something is not there."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from pytest_django import DjangoDbBlocker

from conversions import reference
from portal.celery import GATEWAY_QUEUES, SCHEDULE
from portal.management.commands import up
from tenants.models import MethodLimit, User
from tests.cast import Cast
from tests.conftest import RunTasks


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def empty_database(tmp_path: Path) -> Iterator[str]:
    """Yield the alias of a SQLite file of its own."""
    connections.databases["empty"] = {
        **connections["default"].settings_dict,
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": tmp_path / "db.sqlite3",
        "OPTIONS": {},
    }
    yield "empty"
    connections["empty"].close()
    del connections["empty"], connections.databases["empty"]


def test_tables_that_were_made_but_not_noted_keep_no_migration_from_going_on(
    empty_database: str, django_db_blocker: DjangoDbBlocker, settings: LazySettings
) -> None:
    settings.MIGRATION_MODULES = {}  # which says, among tests, that there are none
    first = {"app_label": "contenttypes", "migration_name": "0001"}
    with django_db_blocker.unblock():
        up.migrate(database=empty_database, **first)
        noted = MigrationRecorder(connections[empty_database]).migration_qs
        noted.all().delete()
        up.migrate(database=empty_database, **first)
        assert [each.name for each in noted] == ["0001_initial"]


@pytest.mark.usefixtures("db", "valkey")
class TestSeed:
    def test_it_makes_an_operator_and_tells_a_password_that_it_made_up(self) -> None:
        out = run("seed")

        operator = User.objects.get(email="operator@example.com")
        assert operator.is_superuser
        assert EmailAddress.objects.get(user=operator).verified
        assert operator.check_password(out.rsplit("password ", 1)[1].strip())

    @override_settings(OPERATOR_PASSWORD="chosen-by-somebody")
    def test_a_chosen_password_is_used_and_not_printed(self) -> None:
        assert "chosen-by-somebody" not in run("seed")
        assert User.objects.get(email="operator@example.com").check_password("chosen-by-somebody")

    def test_limits_of_methods_are_for_methods_that_are_sold_and_stay_an_operators(self) -> None:
        run("seed")
        for limit in MethodLimit.objects.all():
            assert limit.method.lower() in reference.document()["paths"][limit.path]
        jobs = MethodLimit.objects.get(usage_plan__code="free", path="/v1/jobs")
        assert (jobs.rate_limit, jobs.burst_limit) == (1, 2)
        MethodLimit.objects.all().delete()
        run("seed")
        assert not MethodLimit.objects.exists()

    def test_again_it_keeps_what_an_operator_changed(self) -> None:
        run("seed")
        operator = User.objects.get(email="operator@example.com")
        operator.set_password("their own")
        operator.save()
        hourly = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.HOURS)
        PeriodicTask.objects.filter(name="sync usage").update(interval=hourly, enabled=False)
        PeriodicTask.objects.create(name="mine", task="tests.mine", interval=hourly)

        run("seed")

        assert User.objects.get(email="operator@example.com").check_password("their own")
        kept = PeriodicTask.objects.get(name="sync usage")
        assert (kept.interval, kept.enabled) == (hourly, False)
        assert PeriodicTask.objects.filter(name="mine").exists()

    def test_the_schedule_is_followed_when_it_changes(self) -> None:
        run("seed")
        PeriodicTask.objects.filter(name="sync usage").update(task="tenants.tasks.renamed")
        PeriodicTask.objects.filter(name="relay news").update(name="no longer scheduled")

        run("seed")

        rows = dict(PeriodicTask.objects.values_list("name", "task"))
        assert rows == {name: task for name, (task, _) in SCHEDULE.items()}


class TestSyncUsage:
    def test_it_says_how_many_keys_each_plan_has(
        self, run_tasks: RunTasks, cast: Cast, gateway_api: str
    ) -> None:
        run_tasks(*GATEWAY_QUEUES)

        assert run("sync_usage").splitlines() == [
            "free (primary): 2 keys",
            "free (secondary): 0 keys",
        ]

    def test_an_unreachable_gateway_is_a_clear_failure(
        self, run_tasks: RunTasks, cast: Cast, gateway_api: str
    ) -> None:
        run_tasks(*GATEWAY_QUEUES)
        with (
            override_settings(AWS_ENDPOINT_URL="http://127.0.0.1:1"),
            pytest.raises(CommandError, match=r"free \(primary\) cannot be read: get_usage"),
        ):
            run("sync_usage")

    @pytest.mark.usefixtures("db")
    def test_without_plans_it_says_so(self) -> None:
        assert "nothing to read" in run("sync_usage")
