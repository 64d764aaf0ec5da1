"""What a month, a bank or an operator does to tenants, done at once in a running installation.

Its own shell runs these, past the pages: `Stack.manage("shell", "--command", …)`.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils import timezone

import tenants.services
from billing import services
from billing.lines import Line
from billing.models import Currency, Invoice, InvoiceKind, Plan, Subscription
from billing.services.credit_notes import credit_note_issue
from billing.services.invoices import invoice_issue
from billing.services.refunds import credit_note_refund
from billing.usage_prices import steps_of
from portal.demo.story import PASSWORD
from tenants.models import Role, Tenant, User
from tenants.scopes import Scope
from tests.billing.conftest import becomes, buy, stripe_client
from tests.billing.dunned import use_card
from tests.billing.months import used
from tests.billing.saved_cards import save

DECLINES, LEAVES_REFUNDS_OPEN = "pm_card_chargeCustomerFail", "pm_card_pendingRefund"
SIX_HOURS = timedelta(hours=6)


def unpaid(name: str, *, card: str = "", days: int = 0, now: datetime | None = None) -> Invoice:
    """Issue an invoice that the saved card does not pay, and let `days` of dunning follow.

    `card` is charged from then on, as Stripe names its test cards; without one, the saved card.
    """
    tenant = Tenant.objects.get(name=name)
    now = now or timezone.now()
    if card:
        use_card(tenant, card)
    invoice = _issued(tenant, now)
    services.invoice_collect(invoice=invoice, now=now)
    dunned(now, days)
    return invoice


def dunned(since: datetime, days: int) -> None:
    for day in range(days):
        services.dun(now=since + timedelta(days=day))


def _issued(tenant: Tenant, now: datetime) -> Invoice:
    with transaction.atomic():
        return invoice_issue(
            tenant=tenant,
            kind=InvoiceKind.SUPPLEMENT,
            currency=tenant.customer.currency,
            period=(now.date().replace(day=1), now.date()),
            lines=[Line("Requests counted later", 14_500, Decimal("0.2"), 29_00)],
            now=now,
        )


def busy(mail: str, name: str) -> None:
    """Have a new user, whose mail is verified, own a tenant with something on each of its pages."""
    now = timezone.now()
    owner = User.objects.create_user(mail, PASSWORD)
    EmailAddress.objects.create(user=owner, email=mail, verified=True, primary=True)
    tenant = services.sign_up(
        user=owner, organization=name, plan_code="free", currency=Currency.USD, language="en",
        now=now - timedelta(days=40),
    ).tenant  # fmt: skip
    save(tenant, now=now)
    days = {(now - timedelta(days=ago)).date().isoformat(): 60 - ago for ago in range(40)}
    used(tenant, "free", days)
    order = services.extension_order(
        tenant=tenant, pack_code="extra-100", token="busy", actor=owner, now=now
    )
    buy(order, now=now)
    services.order_check(order=order, now=now)
    unpaid(name, card=DECLINES, now=now)
    period = {"period_start": f"{now:%Y-%m-01}", "period_end": f"{now:%Y-%m-28}"}
    for kind, key, data in (
        ("quota", "quota:80", {"threshold": 80, "used": 80, "limit": 100, **period}),
        ("unusual_usage", "unusual", {"day": f"{now:%Y-%m-%d}", "used": 4120, "expected": 980}),
    ):
        tenants.services.alert_raise(tenant=tenant, kind=kind, key=key, data=data, now=now)
    endpoint = tenants.services.webhook_endpoint_create(
        tenant=tenant, url="https://hooks.example.com/sekisho/events", description="Billing",
        event_types=["key.revoked"], actor=owner, now=now,
    )  # fmt: skip
    tenants.services.webhook_test_send(endpoint=endpoint, actor=owner, now=now)
    tenants.services.invitation_create(
        tenant=tenant, email=f"colleague.{mail}", role=Role.BILLING, actor=owner, now=now
    )
    tenants.services.api_token_create(
        tenant=tenant, user=None, name="nightly report", scopes={Scope.KEYS_READ}, days=30,
        actor=owner, now=now,
    )  # fmt: skip


def seed(mail: str) -> None:
    """Have a new user own a tenant in each state that money knows, with months behind them."""
    now = timezone.now()
    owner = User.objects.create_user(mail, PASSWORD)
    begun = datetime.combine(_month_before(now.date(), 2), datetime.min.time(), tzinfo=UTC)
    begun += timedelta(days=9)

    @transaction.atomic  # so that no webhook, and no sweep, meets what is ordered in the past
    def tenant(name: str, plan: str, at: datetime = begun, **more: str) -> Tenant:
        signed_up = services.sign_up(
            user=owner, organization=name, plan_code=plan, now=at,
            language="en", currency=more.get("currency", Currency.USD),
        )  # fmt: skip
        save(signed_up.tenant, now=at)
        if signed_up.order is not None:
            buy(signed_up.order, now=at)
            services.order_check(order=signed_up.order, now=at)
        if "card" in more:
            save(signed_up.tenant, more["card"], now=at)
        return signed_up.tenant

    steady = tenant("Steady KK", "starter", currency=Currency.JPY)
    for name in ("Late Ltd", "Stopped Ltd", "Disputed Ltd"):
        tenant(name, "starter")
    leaving = tenant("Leaving Ltd", "pro")
    tenant("Repaid Ltd", "starter", card=LEAVES_REFUNDS_OPEN)
    for ago in (1, 0):
        first = datetime.combine(_month_before(now.date(), ago), datetime.min.time(), tzinfo=UTC)
        services.close_month(now=first + SIX_HOURS)
        services.collect(now=first + SIX_HOURS)
    services.plan_change(
        tenant=leaving, plan_code="free", shown=0, token="leaves", actor=owner, now=now
    )
    unpaid("Stopped Ltd", card=DECLINES, days=14, now=now - timedelta(days=16))
    unpaid("Late Ltd", card=DECLINES, days=3, now=now - timedelta(days=2))
    _disputed(Tenant.objects.get(name="Disputed Ltd"))
    _repaid(Tenant.objects.get(name="Repaid Ltd"), owner, now)
    _capped(tenant("Capped Ltd", "payg", now), owner, now)
    _packed(tenant("Packed Ltd", "free"), owner, now)
    _waiting(tenant("Waiting Ltd", "free"), owner, now)
    _dearer(steady, owner, now)
    _on_trial(lambda: tenant("Trying Ltd", "pro", now), now)
    services.reconcile(now=now)


def _month_before(day: date, months: int) -> date:
    """Return the first of the month that is so many before the day's."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


def _disputed(tenant: Tenant) -> None:
    invoice = Invoice.objects.filter(tenant=tenant).latest("pk")
    intent = stripe_client().v1.payment_intents.retrieve(invoice.payments.get().payment_intent_id)
    becomes(str(intent.latest_charge), "fraudulent")


def _repaid(tenant: Tenant, owner: User, now: datetime) -> None:
    invoice = Invoice.objects.filter(tenant=tenant).latest("pk")
    note = credit_note_issue(
        invoice=invoice, reason="As agreed by mail", actor=owner, now=now, amount=invoice.total // 2
    )
    credit_note_refund(credit_note=note, actor=owner, now=now)


def _capped(tenant: Tenant, owner: User, now: datetime) -> None:
    services.cap_set(tenant=tenant, amount=50_00, actor=owner, now=now)
    used(tenant, "payg", {now.date().isoformat(): 25_400})


def _packed(tenant: Tenant, owner: User, now: datetime) -> None:
    for code in ("extra-100", "extra-1k", "extra-10k"):
        order = services.extension_order(
            tenant=tenant, pack_code=code, token=code, actor=owner, now=now
        )
        if code != "extra-10k":
            buy(order, now=now)
            order = services.order_check(order=order, now=now)
        if code == "extra-1k":
            services.order_take_back(order=order, actor=owner, now=now)
    used(tenant, "free", {now.date().isoformat(): 140})
    services.auto_top_up_set(
        tenant=tenant, pack_code="extra-100", percent=40, most_per_period=2, actor=owner, now=now
    )


def _waiting(tenant: Tenant, owner: User, now: datetime) -> None:
    shown = services.plan_offer(tenant=tenant, plan_code="pro", now=now).amount
    services.plan_change(
        tenant=tenant, plan_code="pro", shown=shown, token="waits", actor=owner, now=now
    )


def _dearer(tenant: Tenant, owner: User, now: datetime) -> None:
    """Raise the price that a tenant pays, and tell it."""
    subscription = Subscription.objects.get(tenant=tenant, ends_on=None, starts_on__isnull=False)
    price = subscription.price
    services.price_set(
        plan=price.plan, currency=price.currency, monthly_fee=price.monthly_fee + 500,
        steps=steps_of(price), now=now,
    )  # fmt: skip
    services.price_moves_schedule(
        subscriptions=[subscription],
        takes_effect_on=services.price_move_first_day(now=now),
        actor=owner,
        now=now,
    )


def _on_trial(sign_up: Callable[[], Tenant], now: datetime) -> None:
    """Let the plan `pro` begin with a trial and a setup fee, and somebody try it."""
    plan = Plan.objects.get(code="pro")
    services.price_set(
        plan=plan, currency=Currency.USD, monthly_fee=199_00, steps={}, setup_fee=50_00,
        trial_days=14, now=now,
    )  # fmt: skip
    sign_up()
