"""The alerts' pages and their management API: seen, settings, and whom each is for."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing import services as billing_services
from billing.models import Currency
from tenants import services
from tenants.alert_types import alert_types
from tenants.models import Alert, AlertSettings, AuditEntry, Member, Role, Tenant
from tenants.scopes import Scope
from tenants.webhook_types import event_types
from tests.cast import Cast

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def tell(tenant: Tenant, threshold: int) -> Alert:
    alert = services.alert_raise(
        tenant=tenant, kind="quota", key=f"quota:{threshold}", now=NOW,
        data={
            "threshold": threshold, "used": threshold, "limit": 100,
            "period_start": "2026-11-01", "period_end": "2026-11-30",
        },
    )  # fmt: skip
    assert alert is not None
    return alert


class TestPage:
    def test_an_empty_one_says_what_would_be_told(self, cast: Cast) -> None:
        page = client_of(cast.alice).get("/alerts/").content.decode()
        assert "Nothing to tell" in page
        assert "When a part of a period’s requests is used." in page
        assert "bell__count" not in page

    def test_what_was_told_with_the_way_to_buy_until_it_was_seen(self, cast: Cast) -> None:
        first, second = tell(cast.alice_corp, 80), tell(cast.alice_corp, 100)
        alice = client_of(cast.alice)
        page = alice.get("/alerts/").content.decode()
        assert "80 % of this period’s requests are used" in page
        assert page.count('href="/billing/extensions/">Buy more requests') == 2
        assert "Alerts: 2 not seen" in page
        assert alice.post(f"/alerts/{first.uuid}/seen/").status_code == 302
        assert "Alerts: 1 not seen" in alice.get("/dashboard/").content.decode()
        charlie = client_of(cast.charlie)
        assert charlie.post(f"/alerts/{second.uuid}/seen/").status_code == 404
        charlie.post("/alerts/seen/")
        assert Alert.objects.filter(seen_at=None).get() == second
        for _again in range(2):
            alice.post("/alerts/seen/")
        seen = AuditEntry.objects.filter(tenant=cast.alice_corp, action="alerts.seen")
        assert list(seen.order_by("pk").values_list("actor", "target", "data")) == [
            (cast.alice.pk, "quota:80", {"count": 1}), (cast.alice.pk, "", {"count": 1}),
        ]  # fmt: skip
        page = alice.get("/alerts/").content.decode()
        assert "bell__count" not in page
        assert "80 % of this" in page  # the history stays

    def test_older_ones_are_on_further_pages(self, cast: Cast) -> None:
        Alert.objects.bulk_create(
            Alert(
                tenant=cast.alice_corp, kind="unusual_usage", key=str(number), raised_at=NOW,
                data={"day": "2026-11-26", "used": number, "expected": 1},
            )
            for number in range(30)
        )  # fmt: skip
        alice = client_of(cast.alice)
        page = alice.get("/alerts/")
        assert len(page.context["alerts"]) == 25
        older = alice.get("/alerts/", {"before": page.context["older"].uuid})
        seen = [row["alert"].key for row in (*page.context["alerts"], *older.context["alerts"])]
        assert seen == [str(number) for number in range(29, -1, -1)]
        assert older.context["older"] is None


class TestSettings:
    def test_each_form_is_for_whom_it_concerns(self, cast: Cast) -> None:
        billing_services.seed(now=timezone.now())
        tenant = billing_services.sign_up(
            user=cast.charlie, organization="Yen", plan_code="free", currency=Currency.JPY,
            now=timezone.now(), language="en",
        ).tenant  # fmt: skip
        Member.objects.filter(tenant=tenant).update(role=Role.BILLING)
        Member.objects.filter(user=cast.charlie).exclude(tenant=tenant).delete()
        charlie = client_of(cast.charlie)
        money = {"spending_percents": "90", "amount_0": "5000", "amount_2": "100"}
        assert charlie.post("/settings/alerts/spending/", money).status_code == 302
        found = AlertSettings.objects.get(tenant=tenant)
        assert (found.spending_percents, found.spending_amounts) == ([90], [100, 5000])
        page = charlie.get("/settings/alerts/").content.decode()
        assert 'value="5000"' in page
        assert charlie.post("/settings/alerts/", {}).status_code == 403
        refused = charlie.post("/settings/alerts/spending/", {"amount_0": "0.5"})
        assert "Write an amount like 50." in refused.content.decode()

    def test_thresholds_are_typed_and_what_makes_no_sense_is_said(self, cast: Cast) -> None:
        alice = client_of(cast.alice)
        page = alice.get("/settings/alerts/").content.decode()
        assert 'value="50, 80, 100"' in page
        form = {"quota_percents": " 90、75 %,", "mailed": ["quota"]}
        assert alice.post("/settings/alerts/", form).status_code == 302
        found = AlertSettings.objects.get()
        assert (found.quota_percents, services.kinds_mailed(found)) == ([75, 90], ["quota"])
        for typed, said in (("some", "Write whole percents"), ("101", "from 1 to 100")):
            refused = alice.post("/settings/alerts/", {"quota_percents": typed})
            assert refused.status_code == 400
            assert said in refused.content.decode()
            assert f'value="{typed}"' in refused.content.decode()


class TestApi:
    def test_alerts_are_listed_by_pages_and_marked_as_seen(self, cast: Cast) -> None:
        first, second = tell(cast.alice_corp, 80), tell(cast.alice_corp, 100)
        bob = client_of(cast.bob)
        page = bob.get("/api/v1/alerts/", {"limit": 1})
        (listed,) = page.json()
        assert (listed["id"], listed["seen_at"]) == (str(second.uuid), None)
        assert listed["figures"]["threshold"] == 100
        assert listed["title"] == "All requests of this period are used"
        older = bob.get("/api/v1/alerts/" + page.headers["Link"][1:].partition(">")[0])
        assert [each["id"] for each in older.json()] == [str(first.uuid)]
        seen = bob.post(f"/api/v1/alerts/{second.uuid}/seen/").json()["seen_at"]
        assert bob.post(f"/api/v1/alerts/{second.uuid}/seen/").json()["seen_at"] == seen
        unseen = bob.get("/api/v1/alerts/", {"unseen": "true"}).json()
        assert [each["id"] for each in unseen] == [str(first.uuid)]
        assert client_of(cast.charlie).post(f"/api/v1/alerts/{first.uuid}/seen/").status_code == 404

    def test_settings_are_changed_as_they_were_read_and_by_role(self, cast: Cast) -> None:
        alice, path = client_of(cast.alice), "/api/v1/alerts/settings/"
        read = alice.get(path)
        assert read.json() == {
            "quota_percents": [50, 80, 100], "spending_percents": [50, 80, 100],
            "spending_amounts": [], "mailed": ["quota", "unusual_usage", "spending"],
        }  # fmt: skip

        def change(client: Client, body: dict[str, Any], **headers: str) -> Any:
            return client.patch(path, body, "application/json", headers=headers)

        known = {"If-Match": read.headers["ETag"]}
        changed = change(alice, {"quota_percents": [95], "spending_amounts": [10]}, **known)
        assert changed.json()["quota_percents"] == [95]
        assert change(alice, {"mailed": []}, **known).status_code == 412
        assert change(alice, {"quota_percents": [0]}).status_code == 400
        wrong = [{"mailed": ["nothing"]}, {"quota_percents": [*range(1, 12)]}]
        pointers = [change(alice, each).json()["errors"][0]["pointer"] for each in wrong]
        assert pointers == ["#/mailed", "#/quota_percents"]
        Member.objects.filter(user=cast.bob).update(role=Role.BILLING)
        bob = client_of(cast.bob)
        assert change(bob, {"quota_percents": [10]}).status_code == 403
        assert change(bob, {"spending_amounts": [20]}).json()["spending_amounts"] == [20]
        _token, value = services.api_token_create(
            tenant=cast.alice_corp, user=None, name="robot", days=1, actor=cast.alice,
            scopes={Scope.ALERTS_WRITE, Scope.SETTINGS_WRITE}, now=timezone.now(),
        )  # fmt: skip
        robot = Client(headers={"authorization": f"Bearer {value}"})
        assert change(robot, {"spending_amounts": [30]}).json()["scope"] == "billing:write"
        assert change(robot, {"quota_percents": [90]}).status_code == 200
        assert AlertSettings.objects.get().spending_amounts == [20]

    def test_each_member_chooses_their_own_mails(self, cast: Cast) -> None:
        path = "/api/v1/alerts/mails/"

        def caller(user: Any, *scopes: Scope) -> Client:
            _token, value = services.api_token_create(
                tenant=cast.alice_corp, user=user, name="t", scopes=set(scopes), days=1,
                actor=cast.alice if user is None else user, now=timezone.now(),
            )  # fmt: skip
            return Client(headers={"authorization": f"Bearer {value}"})

        both = (Scope.ALERTS_READ, Scope.ALERTS_WRITE)
        bob = caller(cast.bob, *both)
        assert bob.get(path).json() == {"wanted": True}
        assert bob.put(path, {}, "application/json").status_code == 400
        for _again in range(2):
            answer = bob.put(path, {"wanted": False}, "application/json")
            assert answer.json() == {"wanted": False}
        assert [each.user for each in Member.objects.filter(alert_mails=False)] == [cast.bob]
        entry = AuditEntry.objects.get(action="alerts.mails_stopped")
        assert (entry.tenant, entry.actor) == (cast.alice_corp, cast.bob)
        assert bob.get(path).json() == {"wanted": False}
        reader = caller(cast.bob, Scope.ALERTS_READ)
        refused = reader.put(path, {"wanted": True}, "application/json")
        assert refused.json()["scope"] == "alerts:write"
        machine = caller(None, *both)
        for answer in (machine.get(path), machine.put(path, {"wanted": True}, "application/json")):
            assert answer.status_code == 403
            assert "A machine gets no mails" in answer.json()["detail"]

    def test_what_an_alert_says_takes_the_scope_of_what_it_is_about(self, cast: Cast) -> None:
        now, path = timezone.now(), "/api/v1/alerts/"
        figures = {
            "percent": 80, "amount": None, "spent": 4010, "cap": 5000, "currency": "USD",
            "month": "2026-11",
        }  # fmt: skip
        tell(cast.alice_corp, 80)
        for kind, data in (
            ("spending", figures),
            ("payment_failed", {"invoice": "2026-1", "amount": 2900, "currency": "USD"}),
            ("key_expires", {"name": "secret project", "last_day": "2026-12-01"}),
        ):
            services.alert_raise(tenant=cast.alice_corp, kind=kind, key=kind, data=data, now=now)

        def robot(*scopes: Scope) -> Client:
            _token, value = services.api_token_create(
                tenant=cast.alice_corp, user=None, name="robot", scopes=set(scopes), days=1,
                actor=cast.alice, now=now,
            )  # fmt: skip
            return Client(headers={"authorization": f"Bearer {value}"})

        def told(client: Client) -> set[str]:
            listed = client.get(path).json()
            assert len(listed) == 4
            for each in listed:
                assert (each["figures"] is None) == (each["title"] is None)
            return {each["kind"] for each in listed if each["title"]}

        assert told(robot(Scope.ALERTS_READ)) == {"quota"}
        assert told(robot(Scope.ALERTS_READ, Scope.KEYS_READ)) == {"quota", "key_expires"}
        buyer = robot(Scope.ALERTS_READ, Scope.BILLING_READ)
        assert told(buyer) == {"quota", "spending", "payment_failed"}
        for person in (cast.alice, cast.bob):  # every role may see what things cost
            assert len(told(client_of(person))) == 4
            assert "80 % of your spending cap" in client_of(person).get("/alerts/").content.decode()

        clerk = robot(Scope.ALERTS_WRITE, Scope.ALERTS_READ)
        spending = Alert.objects.get(kind="spending")
        seen = clerk.post(f"{path}{spending.uuid}/seen/").json()
        assert (seen["figures"], seen["title"]) == (None, None)
        assert seen["seen_at"]
        assert clerk.get(f"{path}settings/").json().keys() == {"quota_percents", "mailed"}
        assert "spending_amounts" in buyer.get(f"{path}settings/").json()
        hears = {each.name: each.scope for each in event_types()}
        for each in alert_types():
            if each.news:
                assert hears[each.news] == each.scope
