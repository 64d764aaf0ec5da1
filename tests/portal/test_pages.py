"""Who sees what: members, other roles, strangers, nobody."""

import uuid
from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone

import billing.services
from billing.models import Order, Plan
from conversions.models import Upload
from tenants.models import ApiKey, Member, Meter, Role, UsageDay, VersionStatus
from tenants.services import usage_record
from tests.cast import PASSWORD, Cast

MEMBER_PAGES = (
    "/dashboard/", "/dashboard/usage/", "/dashboard/live/", "/dashboard/key/", "/keys/",
    "/usage/", "/usage.csv",
    "/billing/", "/billing/extensions/", "/billing/invoices/", "/billing/details/",
    "/billing/invoices.csv", "/team/", "/settings/", "/settings/tokens/",
    "/api/v1/keys/", "/api/v1/usage/", "/api/v1/invoices/",
)  # fmt: skip
PUBLIC_PAGES = ("/", "/plans/", "/plans/?currency=JPY", "/docs/", "/healthz", "/accounts/login/")

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(cast: Cast) -> Cast:
    billing.services.seed(now=timezone.now())
    return cast


def as_(email: str) -> Client:
    client = Client()
    assert client.login(email=email, password=PASSWORD)
    return client


@pytest.mark.parametrize("address", PUBLIC_PAGES)
def test_anybody_may_see(cast: Cast, client: Client, address: str) -> None:
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("address", MEMBER_PAGES)
def test_members_only(cast: Cast, client: Client, address: str) -> None:
    assert client.get(address).status_code in {302, 401}
    assert as_("alice@example.com").get(address).status_code == 200
    assert as_("bob@example.com").get(address).status_code == 200


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_footer_says_the_name_in_its_own_script_once(
    cast: Cast, client: Client, language: str
) -> None:
    page = client.get("/accounts/login/", headers={"Accept-Language": language}).content.decode()
    assert page.partition('class="footer"')[2].count("関所") == 1


def test_what_a_fresh_installation_sells_is_described_in_the_readers_language(
    cast: Cast, client: Client
) -> None:
    page = client.get("/plans/", headers={"Accept-Language": "ja"}).content.decode()
    descriptions = Plan.objects.values_list("description", flat=True)
    assert [text for text in descriptions if not text or text in page] == []


def test_every_page_forbids_inline_script(cast: Cast, client: Client) -> None:
    policy = client.get("/")["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy


class TestStrangers:
    def test_another_tenants_key_does_not_exist(self, cast: Cast) -> None:
        key = ApiKey.objects.get(tenant=cast.alice_corp)
        charlie = as_("charlie@example.com")
        for act in ("edit", "rotate", "end-old", "retry", "revoke"):
            assert charlie.post(f"/keys/{key.uuid}/{act}/").status_code == 404
        for act in ("rotate", "end-old", "revoke"):
            assert charlie.post(f"/api/v1/keys/{key.uuid}/{act}/").status_code == 404
        key.refresh_from_db()
        assert key.revoked_at is None
        assert (
            charlie.get(f"/usage/?start=2026-11-01&end=2026-11-02&key={key.uuid}").status_code
            == 400
        )

    def test_another_tenants_order_and_invoice_do_not_exist(self, cast: Cast) -> None:
        order = billing.services.extension_order(
            tenant=cast.alice_corp, pack_code="extra-100", token="t", actor=cast.alice,
            now=timezone.now(),
        )  # fmt: skip
        charlie = as_("charlie@example.com")
        for address in (
            f"/billing/checkout/{order.uuid}/",
            f"/billing/checkout/{order.uuid}/return/",
            f"/billing/checkout/{uuid.uuid4()}/",
            "/billing/invoices/2026-000001.pdf",
            "/billing/invoices/none.pdf",
        ):
            assert charlie.get(address).status_code == 404

    def test_another_tenants_upload_does_not_exist(self, cast: Cast) -> None:
        upload = Upload.objects.create(
            tenant=cast.alice_corp, filename="a.jpg", declared_size=1, created_at=timezone.now()
        )
        answer = as_("charlie@example.com").post("/uploads/delete/", {"upload": upload.uuid})
        assert answer.status_code == 404
        assert Upload.objects.filter(deleted_at=None).count() == 1

    def test_nobody_switches_into_another_tenant(self, cast: Cast) -> None:
        charlie = as_("charlie@example.com")
        answer = charlie.post("/tenants/switch/", {"tenant": str(cast.alice_corp.uuid)})
        assert answer.status_code == 404
        assert charlie.post("/tenants/switch/", {"tenant": "no-uuid"}).status_code == 404

    def test_a_user_without_a_tenant_is_told_so(self, cast: Cast) -> None:
        Member.objects.filter(user=cast.bob).delete()
        assert as_("bob@example.com").get("/dashboard/").status_code == 404


class TestRoles:
    def test_billing_people_do_not_handle_keys(self, cast: Cast) -> None:
        Member.objects.filter(user=cast.bob).update(role=Role.BILLING)
        bob = as_("bob@example.com")
        assert bob.post("/keys/create/", {"name": "x"}).status_code == 403
        assert bob.post("/api/v1/keys/", {"name": "x"}).status_code == 403
        assert ApiKey.objects.filter(tenant=cast.alice_corp).count() == 1
        # Nor does their visit use up the one time that the value is shown.
        assert bob.get("/dashboard/").context["key_value"] is None
        assert as_("alice@example.com").get("/dashboard/").context["key_value"]

    def test_developers_do_not_buy(self, cast: Cast) -> None:
        answer = as_("bob@example.com").post("/billing/extensions/buy/", {"pack": "extra-100"})
        assert answer.status_code == 403
        assert not Order.objects.exists()


class TestKeys:
    def test_a_new_value_is_shown_once(self, cast: Cast) -> None:
        alice = as_("alice@example.com")
        alice.get("/dashboard/")
        page = alice.post("/keys/create/", {"name": "production"}, follow=True)
        assert page.context["new_value"].startswith("sks")
        assert alice.get("/keys/").context["new_value"] is None

    def test_a_taken_name_is_told_on_the_form(self, cast: Cast) -> None:
        page = as_("alice@example.com").post("/keys/create/", {"name": "default"})
        assert page.status_code == 400
        assert "already have a key" in str(page.context["form"].errors["name"])

    def test_the_api_gives_the_value_in_the_answer_alone(self, cast: Cast) -> None:
        alice = as_("alice@example.com")
        created = alice.post("/api/v1/keys/", {"name": "ci"}, content_type="application/json")
        assert created.status_code == 201
        body = created.json()
        assert body["value"].endswith(body["last_four"])
        listed = alice.get("/api/v1/keys/").json()
        assert [row["name"] for row in listed] == ["default", "ci"]
        assert all("value" not in row for row in listed)
        again = alice.post("/api/v1/keys/", {"name": "ci"}, content_type="application/json")
        assert again.status_code == 409
        bad = alice.post("/api/v1/keys/", {}, content_type="application/json")
        assert bad.status_code == 400

    def test_revoking_twice_is_no_error(self, cast: Cast) -> None:
        alice = as_("alice@example.com")
        key = ApiKey.objects.get(tenant=cast.alice_corp)
        for _ in range(2):
            assert alice.post(f"/keys/{key.uuid}/revoke/").status_code == 302
        assert key.versions.get().status == VersionStatus.REVOKED
        assert alice.get("/dashboard/").status_code == 200  # with no key at all


class TestUsage:
    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("", 200),
            ("?start=2026-11-01&end=2026-11-30", 200),
            ("?start=2026-11-30&end=2026-11-01", 400),
            ("?start=2020-01-01&end=2026-11-01", 400),
            ("?start=yesterday", 400),
            ("?key=nonsense", 400),
            ("?meter=conversions", 200),
            ("?meter=nonsense", 400),
        ],
    )
    def test_any_range_or_a_clear_message(self, cast: Cast, query: str, status: int) -> None:
        alice = as_("alice@example.com")
        assert alice.get(f"/usage/{query}").status_code == status
        assert alice.get(f"/usage.csv{query}").status_code == status

    def test_csv_has_the_tables_columns(self, cast: Cast) -> None:
        now = timezone.now()
        today, yesterday = now.date(), now.date() - timedelta(days=1)
        key = ApiKey.objects.get(tenant=cast.alice_corp)
        for day, used in ((today, 3), (yesterday, 5)):
            UsageDay.objects.create(
                tenant=cast.alice_corp, version=key.versions.get(), meter=Meter.REQUESTS,
                day=day, used=used, read_at=now,
            )  # fmt: skip
        alice, query = as_("alice@example.com"), f"?start={today}&end={today}&key={key.uuid}"
        header, row = alice.get(f"/usage.csv{query}").content.decode().splitlines()
        assert header == "day,used,remaining,conversions,used_so_far,quota,before_day,before"
        assert row == f"{today},3,,0,,,,"
        ApiKey.objects.update(created_at=now - timedelta(days=2))
        assert alice.get(f"/usage.csv{query}").content.decode().endswith(f"{yesterday},5\r\n")

    def test_conversions_are_shown_where_there_are_any(self, cast: Cast) -> None:
        alice, query = as_("alice@example.com"), "?start=2026-11-01&end=2026-11-03"
        assert "Conversions</th>" not in alice.get(f"/usage/{query}").content.decode()
        for day, quantity in ((1, 5), (3, 1_200), (4, 9)):
            usage_record(
                tenant=cast.alice_corp, meter=Meter.CONVERSIONS, key=str(day), quantity=quantity,
                day=date(2026, 11, day), now=timezone.now(),
            )  # fmt: skip
        page = alice.get(f"/usage/{query}")
        assert [row.conversions for row in page.context["rows"]] == [1_200, 0, 5]
        assert [row.used for row in page.context["rows"]] == [0, 0, 0]
        text = page.content.decode()
        assert "Conversions</th>" in text
        assert "1,205 conversions" in text
        rows = alice.get(f"/usage.csv{query}").content.decode().splitlines()
        assert [row.split(",")[3] for row in rows] == ["conversions", "5", "0", "1200"]
        days = alice.get(f"/api/v1/usage/{query}").json()["days"]
        assert [day["conversions"] for day in days] == [5, 0, 1_200]
        key = ApiKey.objects.get(tenant=cast.alice_corp)
        of_key = alice.get(f"/usage/{query}&key={key.uuid}")
        assert of_key.context["totals"]["conversions"] == 0

        chosen = alice.get(f"/usage/{query}&meter=conversions")
        assert chosen.context["chart"]["used"] == [5, 0, 1_200]
        assert page.context["chart"]["used"] == [0, 0, 0]
        text = chosen.content.decode()
        assert '<option value="conversions" selected>Conversions</option>' in text
        for of_requests in ("live-panel", "Remaining</th>"):
            assert of_requests not in text
        refused = alice.get(f"/usage/{query}&meter=conversions&key={key.uuid}")
        assert refused.status_code == 400
        assert "Conversions are counted for all keys together." in refused.content.decode()


def test_uploads_answer_with_a_reason(cast: Cast) -> None:
    alice = as_("alice@example.com")
    for form, text in (
        ({"name": "a.jpg", "size": "0"}, "empty"),
        ({"name": "a.jpg", "size": "999999999"}, "too large"),
        ({"name": "a.jpg"}, "missing"),
        ({"size": "1"}, "no name"),
    ):
        answer = alice.post("/uploads/create/", form)
        assert answer.status_code == 400
        assert text in answer.json()["error"]


def test_a_webhook_without_a_signature_is_refused(client: Client) -> None:
    answer = client.post("/webhooks/stripe/", "{}", content_type="application/json")
    assert answer.status_code == 400
    assert client.get("/webhooks/stripe/").status_code == 405
