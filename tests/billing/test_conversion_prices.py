"""Conversions with a price: beside requests, to the cent, each in the month of its report."""

import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

import conversions.services
from billing import services
from billing.forms import NewPriceForm
from billing.models import Invoice, Plan, PriceVersion, Subscription
from billing.pdf import invoice_pdf
from billing.selectors import plans_public, price_steps
from billing.tiers import Tier
from conversions.models import Upload
from tenants.models import ApiKeyVersion, GatewayPlan, Meter, Tenant, UsageDay, User
from tenants.services import usage_record
from tests.billing.conftest import SignUpCall, close_and_collect, subscribe

pytestmark = pytest.mark.django_db(transaction=True)
FIRST = datetime(2026, 12, 1, 12, tzinfo=UTC)
SECOND = datetime(2026, 12, 2, 6, tzinfo=UTC)
SIX_HOURS = timedelta(hours=6)
NOVEMBER_30 = date(2026, 11, 30)
HELD = "2026-11-24 – 2026-11-30"
FIRST_100_FREE = {
    "USD": [Tier(100, Decimal(0)), Tier(None, Decimal("0.1"))],
    "JPY": [Tier(100, Decimal(0)), Tier(None, Decimal("0.15"))],
}


def give_price(code: str, currency: str = "USD") -> PriceVersion:
    """Give a plan's conversions a price; its fee and its requests' prices stay."""
    plan = Plan.objects.get(code=code)
    latest = PriceVersion.objects.filter(plan=plan, currency=currency).latest("number")
    steps = price_steps(plan=plan, currency=currency)
    return services.price_set(
        plan=plan,
        currency=currency,
        monthly_fee=latest.monthly_fee,
        steps={**steps, Meter.CONVERSIONS: FIRST_100_FREE[currency]},
        now=timezone.now(),
    )


@pytest.fixture
def payg(shop: None, sign_up: SignUpCall) -> Tenant:
    give_price("payg")
    return subscribe(sign_up, "payg")


def requests(tenant: Tenant, used: int, *, at: datetime) -> None:
    """Let the gateway's answer be that `used` requests passed on the 30th."""
    tenant.refresh_from_db()
    mirror = GatewayPlan.objects.get(usage_plan=tenant.usage_plan, slot="primary")
    UsageDay.objects.update_or_create(
        tenant=tenant,
        version=ApiKeyVersion.objects.get(api_key__tenant=tenant),
        gateway_plan=mirror,
        meter=Meter.REQUESTS,
        day=NOVEMBER_30,
        defaults={"used": used, "read_at": at},
    )
    GatewayPlan.objects.filter(pk=mirror.pk).update(read_at=at)


def conversions_made(tenant: Tenant, quantity: int, *, day: date = NOVEMBER_30) -> None:
    usage_record(
        tenant=tenant,
        meter=Meter.CONVERSIONS,
        key=str(uuid.uuid4()),
        day=day,
        now=timezone.now(),
        quantity=quantity,
    )


def bill(now: datetime) -> list[Invoice]:
    run = close_and_collect(now)
    assert run.failed == {}
    return [invoice for invoice in run.written if invoice.kind == "usage"]


def lines(invoice: Invoice) -> list[tuple[str, int, str, int]]:
    found = invoice.lines.values_list("description", "quantity", "unit_amount", "amount")
    return [(text, quantity, str(unit), amount) for text, quantity, unit, amount in found]


@pytest.mark.parametrize(
    ("currency", "expected", "total"),
    [
        (
            "USD",
            [
                (f"Requests 1 to 1,000, {HELD}", 1_000, "0.0000", 0),
                (f"Requests 1,001 to 100,000, {HELD}", 99_000, "0.2000", 198_00),
                (f"Requests 100,001 to 150,000, {HELD}", 50_000, "0.1000", 50_00),
                (f"Conversions 1 to 100, {HELD}", 100, "0.0000", 0),
                (f"Conversions 101 to 1,300, {HELD}", 1_200, "0.1000", 1_20),
            ],
            249_20,
        ),
        (
            "JPY",
            [
                (f"Requests 1 to 1,000, {HELD}", 1_000, "0.0000", 0),
                (f"Requests 1,001 to 100,000, {HELD}", 99_000, "0.3000", 29_700),
                (f"Requests 100,001 to 150,000, {HELD}", 50_000, "0.1500", 7_500),
                (f"Conversions 1 to 100, {HELD}", 100, "0.0000", 0),
                (f"Conversions 101 to 1,300, {HELD}", 1_200, "0.1500", 180),
            ],
            37_380,
        ),
    ],
)
def test_a_month_has_lines_of_both_meters(
    sign_up: SignUpCall, currency: str, expected: list[tuple[str, int, str, int]], total: int
) -> None:
    give_price("payg", currency)
    tenant = subscribe(sign_up, "payg", currency=currency)
    conversions_made(tenant, 1_300)
    requests(tenant, 150_000, at=SECOND)
    assert bill(SECOND) == []
    requests(tenant, 150_000, at=SECOND + SIX_HOURS)
    (invoice,) = bill(SECOND + SIX_HOURS)
    assert lines(invoice) == expected
    assert (invoice.total, invoice.currency) == (total, currency)
    assert invoice_pdf(invoice).startswith(b"%PDF")
    assert bill(SECOND + 2 * SIX_HOURS) == []


@pytest.mark.parametrize(("made", "total"), [(104, 0), (105, 1), (114, 1), (115, 2)])
def test_a_line_is_rounded_once_half_up(payg: Tenant, made: int, total: int) -> None:
    conversions_made(payg, made)
    for at in (SECOND, SECOND + SIX_HOURS):
        requests(payg, 1_000, at=at)
        written = bill(at)
    assert [invoice.total for invoice in written] == ([total] if total else [])


def test_conversions_wait_for_the_requests_that_are_billed_with_them(payg: Tenant) -> None:
    conversions_made(payg, 1_100)
    assert bill(SECOND) == []  # the gateway was never asked
    for hours, used, written in ((0, 0, 0), (5, 2_000, 0), (11, 2_000, 1)):
        at = SECOND + timedelta(hours=hours)
        requests(payg, used, at=at)
        assert len(bill(at)) == written, hours
    assert Invoice.objects.get(kind="usage").total == 2_00 + 1_00


def test_where_requests_stop_at_the_quota_the_2nd_is_enough(sign_up: SignUpCall) -> None:
    give_price("starter")
    conversions_made(subscribe(sign_up), 600)
    assert bill(FIRST) == []
    (invoice,) = bill(SECOND)
    assert [line[1:] for line in lines(invoice)] == [(100, "0.0000", 0), (500, "0.1000", 50)]


def test_a_subscription_keeps_the_price_it_has(sign_up: SignUpCall) -> None:
    tenant = subscribe(sign_up)
    give_price("starter")
    conversions_made(tenant, 600)
    assert bill(SECOND) == []


def test_only_what_was_made_under_the_subscription_is_billed(sign_up: SignUpCall) -> None:
    give_price("starter")
    tenant = subscribe(sign_up)
    conversions_made(tenant, 500, day=date(2026, 11, 23))  # the day before it began
    conversions_made(tenant, 500, day=date(2026, 11, 24))
    assert [invoice.total for invoice in bill(SECOND)] == [40]


class TestLateReports:
    """A report that comes after midnight belongs to the day, and the bill, on which it came."""

    def report(self, upload: Upload, preset: str, *, at: datetime) -> None:
        name = f"{preset}-v1.webp"
        conversions.services.result_apply(
            body={
                "kind": "variant",
                "tenant": str(upload.tenant.uuid),
                "upload": str(upload.uuid),
                "expected": [name],
                "preset": preset,
                "version": 1,
                "of": '"red"',
                "variant_key": f"variants/{upload.tenant.uuid}/{upload.uuid}/{name}",
                "variant_bytes": 1,
                "variant_width": 1,
                "variant_height": 1,
            },
            now=at,
        )

    def test_it_is_billed_once_in_the_next_month(self, sign_up: SignUpCall) -> None:
        give_price("starter")
        tenant = subscribe(sign_up)
        conversions_made(tenant, 600 - 1)
        last_second = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
        upload = Upload.objects.create(tenant=tenant, filename="a.jpg", created_at=last_second)
        midnight = last_second + timedelta(seconds=1)
        self.report(upload, "web", at=last_second)
        self.report(upload, "web", at=midnight)  # the queue delivers it twice
        self.report(upload, "thumb", at=midnight)
        (november,) = bill(SECOND)
        assert november.total == 50
        self.report(upload, "thumb", at=SECOND)
        self.report(upload, "avif", at=SECOND + SIX_HOURS)  # after November was closed
        assert bill(SECOND + SIX_HOURS) == []
        conversions_made(tenant, 598, day=date(2026, 12, 31))
        (december,) = bill(datetime(2027, 1, 2, tzinfo=UTC))
        assert lines(december)[1] == ("Conversions 101 to 600, 2026-12", 500, "0.1000", 50)
        november.refresh_from_db()
        assert november.total == 50


class TestPages:
    def test_the_price_list_says_what_a_conversion_costs(self, shop: None) -> None:
        give_price("payg")
        give_price("starter")
        cards = {card.code: card for card in plans_public(currency="USD")}
        words = ["first 100 conversions free", "then $0.001 a conversion"]
        assert cards["payg"].features[-2:] == words
        assert "then $0.001 a request" in cards["payg"].features
        assert cards["starter"].features[0] == "Requests stop at the quota"
        assert cards["starter"].features[-2:] == words
        assert cards["starter"].period_display == "a month, plus usage"
        assert cards["pro"].features[-1] == "Image conversion included"

    def test_the_billing_page_says_what_it_comes_to_so_far(
        self, sign_up: SignUpCall, owner: User, client: Client
    ) -> None:
        give_price("starter")
        tenant = subscribe(sign_up)
        today = timezone.now().date()
        Subscription.objects.filter(tenant=tenant).update(starts_on=today)
        conversions_made(tenant, 1_300, day=today)
        client.force_login(owner)
        page = client.get(reverse("billing"))
        assert page.context["subscription"]["usage"] == [
            {
                "meter": "conversions",
                "prices": ["first 100 conversions free", "then $0.001 a conversion"],
                "used": 1_300,
                "amount": "$1.20",
            }
        ]
        assert "1,300 so far: $1.20" in page.content.decode()

    def test_a_plan_without_a_fee_asks_for_a_card_where_conversions_cost(
        self, sign_up: SignUpCall
    ) -> None:
        plan = Plan.objects.get(code="starter")
        services.price_set(
            plan=plan,
            currency="USD",
            monthly_fee=0,
            steps={Meter.CONVERSIONS: FIRST_100_FREE["USD"]},
            now=timezone.now(),
        )
        assert sign_up("starter").order is not None


class TestForm:
    def form(self, plan: Plan, **more: object) -> NewPriceForm:
        kept = {name: getattr(plan, name) for name in ("code", "name", "overage", "position")}
        data = {**kept, "usage_plan": plan.usage_plan_id, "new_currency": "USD", **more}
        return NewPriceForm(data, instance=plan)

    @pytest.mark.parametrize(
        ("typed", "conversions"),
        [
            ({"new_conversion_tiers": "50 0\n* 0.5"}, [("50", "0"), ("None", "0.5")]),
            ({"new_tiers": "* 1"}, [("100", "0.0000"), ("None", "0.1000")]),
            ({"new_conversion_tiers": "* 0"}, [("None", "0")]),
        ],
    )
    def test_what_is_not_typed_anew_stays(
        self, shop: None, owner: User, typed: dict[str, str], conversions: list[tuple[str, str]]
    ) -> None:
        give_price("payg")
        plan = Plan.objects.get(code="payg")
        form = self.form(plan, new_monthly_fee=0, **typed)
        assert form.is_valid(), form.errors
        form.save_price(plan=plan, actor=owner, now=timezone.now())
        price = PriceVersion.objects.filter(plan=plan, currency="USD").latest("number")
        assert price.number == 3
        steps = price.tiers.filter(meter=Meter.CONVERSIONS)
        assert [(str(step.up_to), step.unit_amount) for step in steps] == [
            (up_to, Decimal(amount)) for up_to, amount in conversions
        ]
        of_requests = 1 if "new_tiers" in typed else 3
        assert price.tiers.filter(meter=Meter.REQUESTS).count() == of_requests

    def test_prices_of_conversions_alone_are_half_a_price(self, shop: None) -> None:
        form = self.form(Plan.objects.get(code="pro"), new_currency="", new_conversion_tiers="* 1")
        assert "both a currency and a fee" in str(form.non_field_errors())

    def test_free_again_is_no_price(self, shop: None) -> None:
        plan = Plan.objects.get(code="pro")
        steps = {Meter.CONVERSIONS: [Tier(None, Decimal(0))]}
        services.price_set(
            plan=plan, currency="USD", monthly_fee=1, steps=steps, now=timezone.now()
        )
        cards = {card.code: card for card in plans_public(currency="USD")}
        assert cards["pro"].features[-1] == "Image conversion included"


def test_the_seeds_leave_the_price_of_a_conversion_to_the_operator(shop: None) -> None:
    tiers = PriceVersion.objects.values_list("plan__code", "tiers__meter", "tiers__unit_amount")
    metered = {(code, meter) for code, meter, _amount in tiers if meter is not None}
    assert metered == {("payg", Meter.REQUESTS)}
