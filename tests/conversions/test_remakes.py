"""Re-making old uploads: in batches, behind a cursor, whatever dies or is changed on the way."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from conversions import backend, services
from conversions.models import (
    Conversion,
    ConversionState,
    Preset,
    Remake,
    RemakeState,
    Upload,
    UploadError,
    UploadState,
)
from conversions.selectors.remakes import remake_missing, remake_progress
from conversions.services import remakes
from conversions.services.remakes import Step
from tenants.errors import Refused
from tenants.models import AuditEntry, Tenant, TenantState
from tests.cast import Cast
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)


class Functions:
    """Stands where the functions' queue is: keeps what was asked for, and says how much waits."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.waiting = 0

    def send(self, *, uploads: Mapping[str, Sequence[str]], preset: Mapping[str, Any]) -> None:
        self.asked += [f"{name}-v{preset['version']}" for each in uploads.values() for name in each]

    def names(self, uploads: Sequence[Upload], version: int = 2) -> list[str]:
        return [f"{upload.uuid}-v{version}" for upload in uploads]


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Functions:
    functions = Functions()
    monkeypatch.setattr(remakes, "jobs_send", functions.send)
    monkeypatch.setattr(remakes, "work_waiting", lambda: functions.waiting)
    monkeypatch.setattr(remakes, "BATCH", 3)
    return functions


@pytest.fixture
def preset(cast: Cast) -> Preset:
    """A preset in its second version."""
    services.presets_seed(now=timezone.now())
    preset = Preset.objects.get(code="web")
    preset.width = 1000
    return services.preset_save(preset=preset, now=timezone.now())


def uploaded(tenant: Tenant, count: int = 1, **values: Any) -> list[Upload]:
    """Return uploads of a minute ago that have the preset's first version."""
    at = timezone.now() - timedelta(minutes=1)
    usual = {"state": UploadState.DONE, "format": "JPEG", "created_at": at}
    uploads = [
        Upload.objects.create(tenant=tenant, filename=f"{number}.jpg", **usual | values)
        for number in range(count)
    ]
    for upload in uploads:
        made(upload, version=1)
    return uploads


def made(upload: Upload, version: int, state: ConversionState = ConversionState.DONE) -> None:
    Conversion.objects.create(
        upload=upload,
        preset_code="web",
        preset_version=version,
        state=state,
        finished_at=timezone.now(),
    )


def start(preset: Preset, cast: Cast) -> Remake:
    return services.remake_start(preset=preset, actor=cast.alice, now=timezone.now())


def step(remake: Remake) -> Step:
    return services.remake_advance(remake_id=remake.pk, now=timezone.now())


def test_a_run_asks_for_what_is_missing_and_ends(
    preset: Preset, cast: Cast, functions: Functions, run_tasks: RunTasks
) -> None:
    mine, other = uploaded(cast.alice_corp, 5), uploaded(cast.charlie_corp, 3)
    made(mine[1], version=2)
    assert remake_missing(preset=preset, before=timezone.now()) == 7
    remake = start(preset, cast)
    run_tasks("default")
    remake.refresh_from_db()
    assert (remake.state, remake.total, remake.looked_at) == (RemakeState.DONE, 8, 8)
    assert remake.asked_for == 7
    assert functions.asked == functions.names([mine[0], *mine[2:], *other])
    acts = AuditEntry.objects.filter(action__startswith="remake.").order_by("id")
    assert [act.action for act in acts] == ["remake.started", "remake.done"]
    assert acts[0].actor == cast.alice


def test_only_what_can_be_made_and_is_wanted_is_asked_for(
    preset: Preset, cast: Cast, functions: Functions, run_tasks: RunTasks
) -> None:
    now = timezone.now()
    wanted = [
        *uploaded(cast.alice_corp, state=UploadState.PROCESSING),
        *uploaded(cast.alice_corp, requested=" thumb web "),
        *uploaded(cast.alice_corp, state=UploadState.FAILED, error_code=UploadError.GAVE_UP),
    ]
    uploaded(cast.alice_corp, deleted_at=now)
    uploaded(cast.alice_corp, state=UploadState.FAILED, error_code=UploadError.DAMAGED)
    uploaded(cast.alice_corp, state=UploadState.WAITING, format="")
    uploaded(cast.alice_corp, requested=" webp thumb ")
    uploaded(cast.alice_corp, file_type="pdf", format="PDF")
    uploaded(cast.alice_corp, created_at=now + timedelta(hours=1))  # the new preset made it
    uploaded(cast.charlie_corp)
    Tenant.objects.filter(pk=cast.charlie_corp.pk).update(state=TenantState.CLOSING)
    start(preset, cast)
    run_tasks("default")
    assert functions.asked == functions.names(wanted)


@pytest.mark.parametrize(("code", "source"), [("json", "CSV"), ("csv", "JSON"), ("utf8", None)])
def test_only_tables_of_the_right_format_become_others(
    cast: Cast, functions: Functions, run_tasks: RunTasks, code: str, source: str | None
) -> None:
    services.presets_seed(now=timezone.now())
    preset = Preset.objects.get(code=code)
    texts = [
        *uploaded(cast.alice_corp, file_type="text", format="TEXT"),
        *uploaded(cast.alice_corp, file_type="text", format="CSV", is_table=True),
        *uploaded(cast.alice_corp, file_type="text", format="JSON", is_table=True),
        *uploaded(cast.alice_corp, file_type="text", format="JSON", is_table=False),
    ]
    wanted = [
        each for each in texts if source is None or (each.format, each.is_table) == (source, True)
    ]
    assert remake_missing(preset=preset, before=timezone.now()) == len(wanted)
    start(preset, cast)
    run_tasks("default")
    assert functions.asked == functions.names(wanted, version=1)


def test_a_step_that_died_before_it_noted_its_batch_is_taken_again(
    preset: Preset, cast: Cast, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_args: object, **_options: object) -> Step:
        raise Killed

    uploads = uploaded(cast.alice_corp, 5)
    remake = start(preset, cast)
    with monkeypatch.context() as deadly:
        deadly.setattr(remakes, "_noted", die)
        with pytest.raises(Killed):
            step(remake)
    assert functions.asked == functions.names(uploads[:3])
    assert services.remakes_abandoned(now=timezone.now()) == []
    later = timezone.now() + remakes.ABANDONED_AFTER * 2
    assert services.remakes_abandoned(now=later) == [remake.pk]
    assert [step(remake), step(remake), step(remake)] == [Step.MORE, Step.OVER, Step.OVER]
    assert functions.asked == functions.names([*uploads[:3], *uploads])
    remake.refresh_from_db()
    assert (remake.state, remake.looked_at, remake.asked_for) == (RemakeState.DONE, 5, 5)


def test_without_the_queue_nothing_is_noted(
    preset: Preset, cast: Cast, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded(cast.alice_corp)
    remake = start(preset, cast)

    def away(**_options: object) -> None:
        raise backend.BackendUnavailable("send jobs: nobody answers")

    monkeypatch.setattr(remakes, "jobs_send", away)
    with pytest.raises(backend.BackendUnavailable):
        step(remake)
    remake.refresh_from_db()
    assert (remake.state, remake.looked_at) == (RemakeState.RUNNING, 0)


def test_a_run_rests_while_much_work_waits(
    preset: Preset, cast: Cast, functions: Functions
) -> None:
    uploads = uploaded(cast.alice_corp)
    remake = start(preset, cast)
    functions.waiting = remakes.MOST_WAITING
    assert step(remake) is Step.REST
    assert functions.asked == []
    functions.waiting -= 1
    assert step(remake) is Step.OVER
    assert functions.asked == functions.names(uploads)


def test_a_run_rests_while_much_is_awaited_but_not_for_what_is_lost(
    preset: Preset, cast: Cast, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remakes, "MOST_AWAITED", 3)
    uploads = uploaded(cast.alice_corp, 9)
    remake = start(preset, cast)
    assert [step(remake), step(remake)] == [Step.MORE, Step.REST]
    assert functions.asked == functions.names(uploads[:3])  # the queues are empty, for all SQS says
    made(uploads[1], version=2)
    assert [step(remake), step(remake)] == [Step.MORE, Step.REST]
    remake.refresh_from_db()
    later = remake.moved_at + remakes.LOST_AFTER
    assert services.remake_advance(remake_id=remake.pk, now=later) is Step.MORE
    assert functions.asked == functions.names(uploads)
    for upload in uploads[6:]:
        made(upload, version=2)
    assert step(remake) is Step.OVER  # what was lost is not counted again


def test_a_run_rests_for_what_others_await(
    preset: Preset, cast: Cast, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remakes, "MOST_AWAITED", 2)
    uploaded(cast.alice_corp, 2)
    assert step(start(preset, cast)) is Step.OVER
    other = start(Preset.objects.get(code="thumb"), cast)
    assert step(other) is Step.REST
    services.remakes_settle(now=timezone.now())
    services.remakes_settle(now=timezone.now() + remakes.LOST_AFTER * 2)
    assert step(other) is Step.OVER


def test_a_run_that_is_cancelled_in_the_middle_asks_for_no_more(
    preset: Preset, cast: Cast, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded(cast.alice_corp, 7)
    remake = start(preset, cast)
    assert step(remake) is Step.MORE
    send = functions.send

    def cancel_meanwhile(**asked: Any) -> None:
        send(**asked)
        services.remake_cancel(remake=remake, actor=cast.alice, now=timezone.now())

    monkeypatch.setattr(remakes, "jobs_send", cancel_meanwhile)
    assert [step(remake), step(remake)] == [Step.OVER, Step.OVER]
    assert len(functions.asked) == 6
    remake.refresh_from_db()
    assert (remake.state, remake.looked_at, remake.asked_for) == (RemakeState.CANCELLED, 6, 6)
    finished = remake.finished_at
    services.remake_cancel(remake=remake, actor=cast.alice, now=timezone.now())
    remake.refresh_from_db()
    assert remake.finished_at == finished
    assert AuditEntry.objects.filter(action="remake.cancelled", actor=cast.alice).count() == 1


@pytest.mark.parametrize("change", [{"width": 900}, {"is_active": False}])
def test_a_change_of_the_preset_ends_its_run_as_superseded(
    preset: Preset, cast: Cast, functions: Functions, change: dict[str, Any]
) -> None:
    uploaded(cast.alice_corp, 4)
    remake = start(preset, cast)
    assert step(remake) is Step.MORE
    for name, value in change.items():
        setattr(preset, name, value)
    services.preset_save(preset=preset, now=timezone.now())
    assert step(remake) is Step.OVER
    remake.refresh_from_db()
    assert remake.state == RemakeState.SUPERSEDED
    assert len(functions.asked) == 3


def test_a_run_of_the_next_version_ends_the_older_one_at_once(
    preset: Preset, cast: Cast, functions: Functions
) -> None:
    uploaded(cast.alice_corp)
    older = start(preset, cast)
    with pytest.raises(Refused, match="already"):
        start(preset, cast)
    preset.width = 900
    services.preset_save(preset=preset, now=timezone.now())
    newer = start(preset, cast)
    older.refresh_from_db()
    assert (older.state, newer.preset_version) == (RemakeState.SUPERSEDED, 3)
    preset.is_active = False
    services.preset_save(preset=preset, now=timezone.now())
    with pytest.raises(Refused, match="not active"):
        start(preset, cast)


def test_two_workers_move_a_run_on_once(
    preset: Preset, cast: Cast, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = uploaded(cast.alice_corp, 4)
    remake = start(preset, cast)
    both, send = Barrier(2), functions.send

    def send_together(**asked: Any) -> None:
        send(**asked)
        both.wait(timeout=20)

    monkeypatch.setattr(remakes, "jobs_send", send_together)

    def work() -> Step:
        try:
            return step(remake)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        steps = [future.result() for future in [pool.submit(work), pool.submit(work)]]
    assert sorted(one.value for one in steps) == ["more", "over"]
    assert sorted(functions.asked) == sorted(functions.names(uploads[:3]) * 2)
    remake.refresh_from_db()
    assert (remake.looked_at, remake.asked_for) == (3, 3)


def test_the_bar_counts_what_was_there_what_is_made_and_what_failed(
    preset: Preset, cast: Cast, functions: Functions
) -> None:
    uploads = uploaded(cast.alice_corp, 4)
    made(uploads[0], version=2)
    remake = start(preset, cast)

    def percent() -> tuple[int, bool]:
        remake.refresh_from_db()
        progress = remake_progress(remake=remake)
        return progress.percent, progress.is_moving

    assert percent() == (0, True)
    assert step(remake) is Step.MORE
    assert percent() == (25, True)  # the one that has it already
    assert step(remake) is Step.OVER
    made(uploads[1], version=2)
    assert percent() == (50, True)
    made(uploads[2], version=2, state=ConversionState.FAILED)
    made(uploads[3], version=2)
    assert percent() == (100, False)


def test_what_was_deleted_or_refused_since_is_not_waited_for(
    preset: Preset, cast: Cast, functions: Functions
) -> None:
    gone, broken, there = uploaded(cast.alice_corp, 3)
    remake = start(preset, cast)
    while step(remake) is not Step.OVER:
        continue
    made(there, version=2)
    Upload.objects.filter(pk=gone.pk).update(deleted_at=timezone.now())
    Upload.objects.filter(pk=broken.pk).update(
        state=UploadState.FAILED, error_code=UploadError.DAMAGED
    )
    remake.refresh_from_db()
    progress = remake_progress(remake=remake)
    assert (progress.made, progress.percent, progress.is_moving) == (1, 100, False)


def test_a_run_without_news_moves_no_more_and_keeps_its_figures(
    preset: Preset, cast: Cast, functions: Functions, django_assert_num_queries: Any
) -> None:
    uploads = uploaded(cast.alice_corp, 2)
    remake = start(preset, cast)
    assert step(remake) is Step.OVER
    made(uploads[0], version=2)
    now = timezone.now()

    def moving(at: datetime) -> bool:
        services.remakes_settle(now=at)
        remake.refresh_from_db()
        return remake_progress(remake=remake).is_moving

    assert moving(now)
    assert moving(now + remakes.LOST_AFTER / 2)
    assert not moving(now + remakes.LOST_AFTER)
    with django_assert_num_queries(0):
        progress = remake_progress(remake=remake)
    assert (progress.made, progress.failed, progress.percent) == (1, 0, 50)


def test_a_run_is_settled_soon_after_all_was_reported(
    preset: Preset, cast: Cast, functions: Functions
) -> None:
    (upload,) = uploaded(cast.alice_corp)
    made(upload, version=2, state=ConversionState.FAILED)  # by an earlier run
    remake = start(preset, cast)
    assert step(remake) is Step.OVER
    now = timezone.now()
    services.remakes_settle(now=now)
    Conversion.objects.filter(upload=upload, preset_version=2).update(
        state=ConversionState.DONE, finished_at=now
    )
    for minutes in range(3):
        services.remakes_settle(now=now + remakes.SETTLED_AFTER * minutes)
    remake.refresh_from_db()
    assert remake.settled_at is not None
    assert (remake.made, remake.failed, remake.missing) == (1, 0, 0)


def test_a_step_costs_the_same_however_many_uploads_it_looks_at(
    preset: Preset,
    cast: Cast,
    functions: Functions,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: Any,
) -> None:
    uploaded(cast.alice_corp, 30)
    remake = start(preset, cast)
    for batch in (3, 20):
        monkeypatch.setattr(remakes, "BATCH", batch)
        with django_assert_num_queries(12):
            assert step(remake) is Step.MORE
