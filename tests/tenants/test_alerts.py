"""Alerts of the quota and of unusual usage: once per crossing and period, whatever wobbles."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core import signing
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from tenants import services, unsubscribing
from tenants.alert_types import alert_type
from tenants.errors import Refused
from tenants.links import whose
from tenants.models import (
    Alert,
    AlertLevel,
    AuditEntry,
    Entitlement,
    GrantKind,
    LiveDay,
    Mail,
    Member,
    Meter,
    OutboxEvent,
    Role,
    Tenant,
    UsageDay,
    WebhookEndpoint,
)
from tenants.sentences import sentences
from tenants.services import alert_levels, alerts
from tenants.services.mails import TRIED_FOR, message
from tenants.services.quota_alerts import quota_alerts, quota_alerts_sweep
from tenants.services.usage_unusual import expected, is_unusual, usage_unusual
from tests.billing.races import at_once
from tests.cast import Cast
from tests.sessions import signed_in

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TODAY = NOW.date()
DECEMBER = datetime(2026, 12, 1, 0, 1, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant(cast: Cast) -> Tenant:
    """Alice's, with 100 requests a month and a webhook."""
    WebhookEndpoint.objects.create(
        tenant=cast.alice_corp, url="https://hooks.example.com/", created_at=NOW
    )
    Entitlement.objects.update_or_create(
        tenant=cast.alice_corp, period_start=date(2026, 11, 1), period_end=date(2026, 12, 1),
        defaults={"plan_requests": 100, "advance_requests": 20},
    )  # fmt: skip
    return cast.alice_corp


def use(tenant: Tenant, used: int, *, day: date = TODAY) -> None:
    """Have GetUsage say that so many requests were made on a day."""
    version = tenant.api_keys.get().versions.get()
    UsageDay.objects.update_or_create(
        tenant=tenant, version=version, meter=Meter.REQUESTS, day=day,
        defaults={"used": used, "read_at": NOW},
    )  # fmt: skip


def look(tenant: Tenant, used: int | None = None, *, now: datetime = NOW) -> list[int]:
    """Look at a tenant twice, and return the thresholds that it was told, of all times."""
    if used is not None:
        use(tenant, used, day=now.date())
    for _ in range(2):
        quota_alerts(tenant_ids=[tenant.pk], now=now)
    return told(tenant)


def told(tenant: Tenant) -> list[int]:
    return [each.data["threshold"] for each in Alert.objects.filter(tenant=tenant).order_by("pk")]


def buy(tenant: Tenant, requests: int) -> None:
    services.quota_grant(
        tenant=tenant, requests=requests, kind=GrantKind.EXTENSION, source=f"order:{requests}",
        period_start=date(2026, 11, 1), now=NOW,
    )  # fmt: skip


class TestQuota:
    def test_each_threshold_once_and_again_once_more_was_bought(self, tenant: Tenant) -> None:
        steps = [(49, []), (50, [50]), (79, [50]), (80, [50, 80]), (99, [50, 80])]
        for used, thresholds in steps:
            assert look(tenant, used) == thresholds
        assert look(tenant, 100) == [50, 80, 100]
        buy(tenant, 150)  # 100 of 250: all are armed again
        assert look(tenant) == [50, 80, 100]
        assert look(tenant, 125) == [50, 80, 100, 50]
        assert len(set(Alert.objects.values_list("key", flat=True))) == 4

    def test_of_several_at_once_only_the_highest(self, tenant: Tenant) -> None:
        assert look(tenant, 99) == [80]
        assert look(tenant, 100) == [80, 100]

    def test_figures_that_wobble_tell_nothing(self, tenant: Tenant) -> None:
        for used in (80, 79, 80, 40, 81, 80):
            assert look(tenant, used) == [80]

    def test_less_quota_crosses_too(self, tenant: Tenant) -> None:
        assert look(tenant, 45) == []
        Entitlement.objects.update(plan_requests=50)
        assert look(tenant) == [80]

    def test_another_period_begins_with_nothing_told(self, tenant: Tenant) -> None:
        assert look(tenant, 85) == [80]
        assert look(tenant, 10, now=DECEMBER) == [80]
        assert look(tenant, 80, now=DECEMBER) == [80, 80]
        assert look(tenant) == [80, 80]  # a worker whose clock still says November
        assert AlertLevel.objects.count() == 2
        assert alert_levels.alert_levels_prune(before=DECEMBER.date() + timedelta(days=1)) == 1

    def test_what_the_live_meter_counted_today_is_known_before_getusage_tells(
        self, tenant: Tenant
    ) -> None:
        use(tenant, 30, day=date(2026, 11, 2))
        use(tenant, 10)
        version = tenant.api_keys.get().versions.get()
        live = LiveDay.objects.create(
            version=version, day=TODAY, requests=19, throttled=0, refused=0
        )
        assert look(tenant) == []
        LiveDay.objects.filter(pk=live.pk).update(requests=20)
        assert look(tenant) == [50]
        LiveDay.objects.create(
            version=version, day=date(2026, 11, 2), requests=500, throttled=0, refused=0
        )  # long ago: GetUsage has told of it
        assert look(tenant) == [50]

    def test_nothing_without_a_limit_or_thresholds(self, tenant: Tenant) -> None:
        services.alert_settings_update(tenant=tenant, quota_percents=[], actor=None, now=NOW)
        assert look(tenant, 100) == []
        services.alert_settings_update(tenant=tenant, quota_percents=[90], actor=None, now=NOW)
        Entitlement.objects.update(cap_requests=0)
        assert look(tenant) == []
        Entitlement.objects.update(cap_requests=None)
        assert look(tenant) == [90]

    def test_one_tenants_failure_stops_no_others(
        self, tenant: Tenant, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = alerts.alert_raise

        def failing(**asked: Any) -> Alert | None:
            if asked["tenant"] == tenant:
                raise RuntimeError("no room")
            return real(**asked)

        use(tenant, 80)
        use(cast.charlie_corp, 80)
        with monkeypatch.context() as patch:
            patch.setattr("tenants.services.alert_levels.alert_raise", failing)
            assert quota_alerts_sweep(now=NOW) == 1
        assert (told(tenant), told(cast.charlie_corp)) == ([], [80])
        assert quota_alerts_sweep(now=NOW) == 1

    def test_a_few_queries_however_many_tenants(self, tenant: Tenant, cast: Cast) -> None:
        for each in (tenant, cast.charlie_corp):
            use(each, 40)
        counts = []
        for ids in ([tenant.pk], [tenant.pk, cast.charlie_corp.pk]):
            with CaptureQueriesContext(connection) as queries:
                quota_alerts(tenant_ids=ids, now=NOW)
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 10

    def test_who_is_told_with_others_is_read_with_others(self, tenant: Tenant, cast: Cast) -> None:
        counts = []
        for used, each in ((50, [tenant]), (80, [tenant, cast.charlie_corp])):
            for one in each:
                use(one, used)
            with CaptureQueriesContext(connection) as queries:
                quota_alerts(tenant_ids=[one.pk for one in each], now=NOW)
            counts.append(sum("SAVEPOINT" not in query["sql"] for query in queries))
        assert counts[1] - counts[0] <= 8  # what is written, and to whom mails go


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_tell_once(tenant: Tenant) -> None:
    use(tenant, 80)
    at_once(*[lambda: quota_alerts(tenant_ids=[tenant.pk], now=NOW)] * 4)
    assert told(tenant) == [80]
    assert Mail.objects.count() == OutboxEvent.objects.filter(kind="quota.threshold").count() == 1


class TestTelling:
    def test_a_mail_to_those_who_may_buy_and_an_event(self, tenant: Tenant, cast: Cast) -> None:
        Member.objects.create(tenant=tenant, user=cast.charlie, role=Role.BILLING, created_at=NOW)
        Tenant.objects.filter(pk=tenant.pk).update(language="ja")
        look(tenant, 1000 // 10)
        mails = Mail.objects.order_by("to")
        assert [mail.to for mail in mails] == [cast.alice.email, cast.charlie.email]
        made = message(mails[0])
        assert made.subject == "この期間のリクエストをすべて使いました"
        assert "100 リクエストのうち 100 を使いました。期間は2026年11月30日（UTC）まで" in made.body
        for link in ("/billing/extensions/", "/settings/alerts/"):
            assert f"http://localhost:8000{link}{whose(tenant)}\n" in made.body
        html = str(made.alternatives[0][0])
        assert f'/billing/extensions/{whose(tenant)}">リクエストを追加購入' in html
        news = OutboxEvent.objects.get(kind="quota.threshold")
        assert news.payload == {
            "alert": str(Alert.objects.get().uuid), "threshold": 100, "used": 100, "limit": 100,
            "period_start": "2026-11-01", "period_end": "2026-11-30",
        }  # fmt: skip

    def test_no_mail_of_kinds_that_are_not_wanted(self, tenant: Tenant) -> None:
        services.alert_settings_update(tenant=tenant, mailed=["unusual_usage"], actor=None, now=NOW)
        assert look(tenant, 80) == [80]
        assert not Mail.objects.exists()


class TestSettings:
    def test_are_in_order_and_in_the_audit_trail(self, tenant: Tenant, cast: Cast) -> None:
        for _ in range(2):
            services.alert_settings_update(
                tenant=tenant, quota_percents=[90, 75, 90], mailed=[], actor=cast.alice, now=NOW
            )
        found = tenant.alert_settings
        assert (found.quota_percents, services.kinds_mailed(found)) == ([75, 90], [])
        assert found.spending_percents == [50, 80, 100]
        entry = AuditEntry.objects.get(action="alerts.changed")
        assert (entry.actor, entry.data["quota_percents"]) == (cast.alice, [75, 90])

    @pytest.mark.parametrize(
        ("asked", "why"),
        [
            ({"quota_percents": [0]}, "from 1 to 100"),
            ({"spending_percents": [101]}, "from 1 to 100"),
            ({"quota_percents": range(1, 12)}, "At most 10"),
            ({"spending_amounts": [-1]}, "more than nothing"),
            ({"spending_amounts": [1, 2, 3, 4]}, "At most 3"),
            ({"mailed": ["key_expires"]}, "no such alerts"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, tenant: Tenant, asked: dict[str, Any], why: str
    ) -> None:
        with pytest.raises(Refused, match=why):
            services.alert_settings_update(tenant=tenant, actor=None, now=NOW, **asked)
        with pytest.raises(ObjectDoesNotExist):
            assert tenant.alert_settings


class TestUnusual:
    def past(self, *weeks: int) -> dict[date, int]:
        """Return requests of the same weekday, the last one first."""
        return {TODAY - timedelta(weeks=number): used for number, used in enumerate(weeks, start=1)}

    def test_the_rule(self) -> None:
        steady = self.past(100, 120, 80, 110)
        assert expected(steady, TODAY) == 105
        assert is_unusual(steady, TODAY, 316)
        assert not is_unusual(steady, TODAY, 315)
        monthly = {**steady, TODAY - timedelta(days=20): 5_000}
        assert not is_unusual(monthly, TODAY, 4_000)  # a run that comes once a month
        assert expected(self.past(50), TODAY) is None  # a week of history
        assert expected({}, TODAY) is None
        assert not is_unusual(self.past(1, 1), TODAY, 99)
        assert is_unusual(self.past(1, 1), TODAY, 100)

    def test_once_a_day_with_what_was_expected(self, tenant: Tenant, cast: Cast) -> None:
        for day, used in self.past(100, 100, 100, 100).items():
            use(tenant, used, day=day)
        use(tenant, 300)
        assert usage_unusual(tenant_ids=[tenant.pk], now=NOW) == 0
        for used in (301, 400):
            use(tenant, used)
            usage_unusual(tenant_ids=[tenant.pk, cast.charlie_corp.pk], now=NOW)
        alert = Alert.objects.get()
        assert alert.data == {"day": "2026-11-26", "used": 301, "expected": 100}
        mails = Mail.objects.order_by("to")
        assert [mail.to for mail in mails] == ["alice@example.com", "bob@example.com"]
        made = message(mails[0])
        assert "301 requests have come so far. Usual on that weekday are 100" in made.body
        assert f"http://localhost:8000/usage/{whose(tenant)}" in made.body.splitlines()
        assert OutboxEvent.objects.filter(kind="usage.unusual").count() == 1


def test_sentences_meet_as_the_language_has_it() -> None:
    with override("en"):
        assert sentences("One.", "Two.", "Three.") == "One. Two. Three."
    with override("ja"):
        assert sentences("一。", "二。", "三。") == "一。二。三。"
    data = {"threshold": 100, "used": 100, "limit": 100, "period_end": "2026-11-30"}
    money = {"spent": 100, "cap": 100, "currency": "JPY"}
    with override("en"):
        assert "(UTC). Until then" in alert_type("quota").text(data)
        assert "tax. Your" in alert_type("spending").text(money)
    with override("ja"):
        for text in (alert_type("quota").text(data), alert_type("spending").text(money)):
            assert text.count("。") >= 2
            assert "。 " not in text


class TestUnsubscribing:
    def test_one_click_in_a_mail_program_stops_them_for_its_reader_alone(
        self, tenant: Tenant
    ) -> None:
        Member.objects.filter(user__email="bob@example.com").update(role=Role.BILLING)
        look(tenant, 85)
        mail = message(Mail.objects.get(to="bob@example.com"))
        link = mail.extra_headers["List-Unsubscribe"].strip("<>")
        assert mail.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert link in str(mail.body)
        path = link.partition(settings.SITE_URL)[2]
        program = Client(enforce_csrf_checks=True)  # it has no cookies
        page = program.get(path).content.decode()  # as a scanner of links does, too
        assert "No more alerts of Alice Corp by mail?" in page
        assert not Member.objects.filter(alert_mails=False).exists()
        for _again in range(2):
            done = program.post(path, {"List-Unsubscribe": "One-Click"})
            assert done.status_code == 200
            assert "No more alerts of Alice Corp come by mail" in done.content.decode()
        on = Mail.objects.filter(tried_until=NOW + TRIED_FOR)  # Bob's that waits is given up
        assert [waits.to for waits in on] == ["alice@example.com"]
        (entry,) = AuditEntry.objects.filter(action="alerts.mails_stopped")
        assert (entry.tenant, entry.actor_name) == (tenant, "bob@example.com")
        look(tenant, 100)
        sent = Mail.objects.order_by("id").values_list("to", flat=True)
        assert list(sent) == ["alice@example.com", "bob@example.com", "alice@example.com"]

        bob = signed_in(Member.objects.get(user__email="bob@example.com").user)
        assert "Send me them again" in bob.get("/settings/alerts/").content.decode()
        bob.post("/settings/alerts/mails/", {"wanted": "yes"})
        assert not Member.objects.filter(alert_mails=False).exists()
        assert AuditEntry.objects.filter(action="alerts.mails_resumed").count() == 1

    def test_no_link_but_ours_and_of_no_other_mail(self, cast: Cast) -> None:
        member = Member.objects.get(user=cast.bob)
        token = unsubscribing.token_of(member_id=member.pk)
        # Cut, with more, and signed for another use.
        for each in (token[:-1], f"{token}x", signing.Signer().sign(str(member.pk))):
            assert Client().post(f"/alerts/unsubscribe/{each}/").status_code == 404
        assert Member.objects.get(pk=member.pk).alert_mails
        services.tenant_leave(tenant=cast.alice_corp, actor=cast.alice, now=NOW)
        mail = message(Mail.objects.get(kind="tenants.closing"))
        assert mail.extra_headers == {}

    def test_who_has_left_is_told_that_none_come(self, cast: Cast) -> None:
        """A mail program's button works on, and says nothing of the organisation."""
        member = Member.objects.get(user=cast.bob)
        path = f"/alerts/unsubscribe/{unsubscribing.token_of(member_id=member.pk)}/"
        services.account_delete(user=cast.bob, now=NOW)
        for answer in (Client().get(path), Client(enforce_csrf_checks=True).post(path)):
            assert answer.status_code == 200
            page = answer.content.decode()
            assert "does not belong to the organisation any more" in page
            assert "Alice Corp" not in page
        assert not AuditEntry.objects.filter(action="alerts.mails_stopped").exists()

    def test_of_several_organisations_the_link_is_of_one_and_leads_to_its_settings(
        self, cast: Cast
    ) -> None:
        theirs = Member.objects.create(
            tenant=cast.charlie_corp, user=cast.alice, role=Role.ADMIN, created_at=NOW
        )
        browser = signed_in(cast.alice)
        path = f"/alerts/unsubscribe/{unsubscribing.token_of(member_id=theirs.pk)}/"
        page = browser.post(path).content.decode()
        assert "No more alerts of Charlie Corp come by mail" in page
        stopped = Member.objects.filter(alert_mails=False)
        assert [member.tenant for member in stopped] == [cast.charlie_corp]
        chosen = {"tenant": str(cast.charlie_corp.uuid), "to": "alert-settings"}
        assert f'name="tenant" value="{chosen["tenant"]}"' in page
        landed = browser.post("/tenants/switch/", chosen, follow=True)
        assert landed.redirect_chain == [("/settings/alerts/", 302)]
        assert landed.context["member"] == theirs
        assert "Send me them again" in landed.content.decode()
        other = signed_in(cast.charlie).get(path).content.decode()  # whose link it is not
        assert 'name="to"' not in other
