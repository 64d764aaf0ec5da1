"""How long files are kept: what tenants are told is what the sweep does, to the second."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversions import selectors, services
from conversions.models import Retention, Upload, UploadState
from conversions.services import retention as retention_service
from tenants.models import AuditEntry, PlanSpan, Tenant, UsagePlan, User
from tenants.services import tenant_change_plan, usage_plan_save
from tests.cast import PASSWORD, Cast, usage_plan_free

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def days(number: int) -> timedelta:
    return timedelta(days=number)


def a_plan(code: str, kept: int | None, set_on: date = date(2026, 1, 1)) -> UsagePlan:
    """Make a usage plan whose files are kept for so many days, None for good."""
    plan = UsagePlan.objects.filter(code=code).first() or usage_plan_save(
        usage_plan=UsagePlan(code=code, name=code, rate_limit=1, burst_limit=1, quota_limit=100),
        now=NOON,
    )
    if kept is not None:
        Retention.objects.create(usage_plan=plan, days=kept, set_on=set_on)
    return plan


def an_upload(tenant: Tenant, at: datetime, state: str = UploadState.DONE) -> Upload:
    return Upload.objects.create(tenant=tenant, state=state, filename="a.jpg", created_at=at)


def held(tenant: Tenant, *spans: tuple[str, date]) -> None:
    """Write which plan the tenant held from when on; the last one is held now."""
    tenant.plan_spans.all().delete()
    ends: list[date | None] = [day for _code, day in spans[1:]]
    for (code, starts_on), ends_on in zip(spans, [*ends, None], strict=True):
        plan = UsagePlan.objects.get(code=code)
        PlanSpan.objects.create(
            tenant=tenant, usage_plan=plan, starts_on=starts_on, ends_on=ends_on
        )
        tenant.usage_plan = plan
    tenant.save()


MIDNIGHT = NOON.replace(hour=0)
LONG_AGO, ON_20TH = date(2026, 1, 1), date(2026, 11, 20)
END_OF_GRACE = datetime(2026, 11, 28, tzinfo=UTC)  # seven whole days after the 20th


@pytest.mark.parametrize(
    ("spans", "age", "until"),
    [
        ([("short", LONG_AGO)], 9, NOON + days(1)),
        ([("short", LONG_AGO)], 10, NOON),
        # A longer plan counts at once, for what was uploaded before, too.
        ([("short", LONG_AGO), ("long", ON_20TH)], 9, NOON + days(91)),
        # After a shorter one nothing goes for seven days.
        ([("long", LONG_AGO), ("short", ON_20TH)], 50, END_OF_GRACE),
        ([("long", LONG_AGO), ("short", ON_20TH)], 1, NOON + days(9)),
        ([("long", LONG_AGO), ("short", date(2026, 11, 16))], 50, MIDNIGHT),
        # To and fro keeps nothing for longer than the longest retention and seven days.
        ([("long", LONG_AGO), ("short", LONG_AGO), ("long", ON_20TH)], 105, NOON + days(2)),
        ([("short", ON_20TH)], 10, NOON),  # a new tenant's first plan is no change
    ],
)  # fmt: skip
def test_the_page_tells_what_the_sweep_does(
    cast: Cast, spans: list[tuple[str, date]], age: int, until: datetime
) -> None:
    a_plan("free", 1)
    a_plan("short", 10)
    a_plan("long", 100)
    held(cast.alice_corp, *spans)
    upload = an_upload(cast.alice_corp, NOON - days(age))
    told = selectors.kept_until(tenant=cast.alice_corp, uploads=[upload], now=NOON)
    assert told == {upload.pk: until}
    assert services.retention_sweep(now=until - SECOND) == 0
    assert services.retention_sweep(now=until) == 1
    upload.refresh_from_db()
    assert upload.deleted_at == until


def test_without_a_retention_files_are_kept_for_good(cast: Cast) -> None:
    a_plan("short", 10)
    upload = an_upload(cast.alice_corp, NOON - days(3000))
    assert selectors.kept_until(tenant=cast.alice_corp, uploads=[upload], now=NOON) == {}
    assert services.retention_sweep(now=NOON) == 0


def test_an_operators_change_deletes_nothing_for_seven_days(cast: Cast) -> None:
    upload = an_upload(cast.alice_corp, NOON - days(50))
    a_plan("free", 300)
    row = Retention.objects.get()
    row.days = 3  # and it was to be 30
    services.retention_save(retention=row, now=NOON)
    until = datetime(2026, 12, 2, tzinfo=UTC)
    told = selectors.kept_until(tenant=cast.alice_corp, uploads=[upload], now=NOON)
    assert told == {upload.pk: until}
    assert services.retention_sweep(now=until - SECOND) == 0
    assert services.retention_sweep(now=until) == 1


def test_a_change_of_plan_by_the_service_spares_what_is_there(cast: Cast) -> None:
    short = a_plan("short", 10)
    upload = an_upload(cast.alice_corp, NOON - days(50))
    PlanSpan.objects.update(starts_on=LONG_AGO)
    tenant = tenant_change_plan(tenant=cast.alice_corp, usage_plan=short, now=NOON)
    told = selectors.kept_until(tenant=tenant, uploads=[upload], now=NOON)
    assert told == {upload.pk: datetime(2026, 12, 2, tzinfo=UTC)}


class TestSweep:
    @pytest.fixture
    def due(self, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> list[Upload]:
        """Five uploads of two tenants, in batches of two."""
        monkeypatch.setattr(retention_service, "BATCH", 2)
        a_plan("free", 10)
        owners = [cast.alice_corp, cast.charlie_corp, cast.alice_corp]
        return [an_upload(owners[n % 3], NOON - days(11)) for n in range(5)]

    def test_each_batch_is_in_the_audit_trail_of_its_tenants(
        self, cast: Cast, due: list[Upload]
    ) -> None:
        assert services.retention_sweep(now=NOON) == 5
        assert services.retention_sweep(now=NOON) == 0
        entries = AuditEntry.objects.filter(action="uploads.expired")
        counts: dict[Tenant | None, int] = {}
        for entry in entries:
            counts[entry.tenant] = counts.get(entry.tenant, 0) + entry.data["uploads"]
            assert (entry.data["days"], entry.actor, entry.at) == (10, None, NOON)
        assert counts == {cast.alice_corp: 3, cast.charlie_corp: 2}

    def test_what_is_worked_on_is_left_alone_until_it_is_finished(
        self, cast: Cast, due: list[Upload]
    ) -> None:
        busy = [UploadState.WAITING, UploadState.PROCESSING]
        for upload, state in zip(due, busy, strict=False):
            Upload.objects.filter(pk=upload.pk).update(state=state)
        assert services.retention_sweep(now=NOON) == 3
        Upload.objects.update(state=UploadState.FAILED)
        assert services.retention_sweep(now=NOON) == 2

    def test_a_run_that_dies_keeps_its_batches_and_the_next_one_does_the_rest(
        self, due: list[Upload], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written: list[object] = []

        def dying(**entry: Any) -> None:
            written.append(entry)
            if len(written) == 2:
                raise RuntimeError("killed")

        with monkeypatch.context() as patch:
            patch.setattr(retention_service, "audit_record", dying)
            with pytest.raises(RuntimeError, match="killed"):
                services.retention_sweep(now=NOON)
        left = Upload.objects.filter(deleted_at=None).count()
        assert 0 < left < 5
        assert services.retention_sweep(now=NOON) == left

    @pytest.mark.parametrize("act", ["lengthened", "taken away"])
    def test_an_operators_change_counts_from_the_next_batch_on(
        self, due: list[Upload], monkeypatch: pytest.MonkeyPatch, act: str
    ) -> None:
        def meanwhile(**_entry: Any) -> None:
            if act == "lengthened":
                Retention.objects.update(days=300)
            else:
                Retention.objects.all().delete()

        monkeypatch.setattr(retention_service, "audit_record", meanwhile)
        assert services.retention_sweep(now=NOON) == 2

    def test_the_functions_are_told_as_of_any_deletion(self, due: list[Upload]) -> None:
        newer = int(NOON.timestamp() * 1000) + 7
        Upload.objects.filter(pk=due[0].pk).update(revision=newer)
        services.retention_sweep(now=NOON)
        revisions = Upload.objects.order_by("id").values_list("revision", flat=True)
        assert list(revisions) == [newer + 1, *[newer - 7] * 4]

    def test_what_was_deleted_already_keeps_its_day(self, due: list[Upload]) -> None:
        Upload.objects.filter(pk=due[0].pk).update(deleted_at=NOON - days(1))
        services.retention_sweep(now=NOON)
        due[0].refresh_from_db()
        assert due[0].deleted_at == NOON - days(1)


class TestSeed:
    def found(self) -> dict[str, int]:
        return dict(Retention.objects.values_list("usage_plan__code", "days"))

    def test_a_fresh_installation_has_two_and_an_operators_changes_stay(self, valkey: str) -> None:
        call_command("seed")
        assert self.found() == {"free": 30, "starter": 180}
        Retention.objects.filter(usage_plan__code="free").delete()
        Retention.objects.update(days=90)
        call_command("seed")
        assert self.found() == {"starter": 90}

    def test_an_older_installation_begins_to_delete_nothing(self, valkey: str) -> None:
        usage_plan_free(now=NOON)
        call_command("seed")
        assert self.found() == {"starter": 180}


class TestAdmin:
    @pytest.fixture
    def operator(self, cast: Cast, client: Client) -> Client:
        client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
        return client

    def test_set_change_and_take_away(self, cast: Cast, operator: Client) -> None:
        add = reverse("admin:conversions_retention_add")
        plan = cast.alice_corp.usage_plan
        assert operator.post(add, {"usage_plan": plan.pk, "days": 30}).status_code == 302
        row = Retention.objects.get()
        assert (row.days, row.set_on) == (30, timezone.now().date())
        Retention.objects.update(set_on=LONG_AGO)
        change = reverse("admin:conversions_retention_change", args=[row.pk])
        for number, set_on in ((30, LONG_AGO), (40, timezone.now().date())):
            assert operator.post(change, {"days": number}).status_code == 302
            row.refresh_from_db()
            assert (row.days, row.set_on) == (number, set_on)
        chosen = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        operator.post(reverse("admin:conversions_retention_changelist"), chosen)
        assert not Retention.objects.exists()
        acts = AuditEntry.objects.filter(target=plan.code, actor__isnull=False).order_by("id")
        assert [(act.action, act.data["days"]) for act in acts] == [
            ("retention.saved", 30), ("retention.saved", 30), ("retention.saved", 40),
            ("retention.deleted", 40),
        ]  # fmt: skip

    @pytest.mark.parametrize("number", [0, 36_501])
    def test_days_out_of_range_are_refused(self, cast: Cast, number: int) -> None:
        row = Retention(usage_plan=cast.alice_corp.usage_plan, days=number)
        with pytest.raises(ValidationError):
            services.retention_save(retention=row, now=NOON)


def test_the_price_list_says_for_how_long(valkey: str, client: Client) -> None:
    call_command("seed")
    cards = {card.code: card.features for card in client.get("/plans/").context["plans"]}
    assert cards["free"][-1] == "Files are kept for 30 days"
    assert cards["payg"][-1] == "Files are kept until you delete them"


def test_an_upload_says_until_when_it_is_kept(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    an_upload(cast.alice_corp, datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert "kept-until" not in client.get(reverse("uploads")).content.decode()
    a_plan("free", 400)
    assert "kept until Dec. 25, 2027" in client.get(reverse("uploads")).content.decode()
