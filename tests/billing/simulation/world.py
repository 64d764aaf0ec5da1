"""A shop with a few tenants of both currencies, and a clock that Stripe and the portal share."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import httpx
import stripe

from billing import services
from billing.models import Currency, OrderState, Overage, Plan
from billing.services.taxes import exchange_rate_set
from billing.tiers import Tier
from tenants.errors import Refused
from tenants.models import ApiKeyVersion, GatewayPlan, Meter, Tenant, UsageDay, UsagePlan, User
from tenants.services import usage_plan_save
from tests.billing.conftest import BACK, stripe_client

VISA = "pm_card_visa"
GOOD = "4242424242424242"
_SIGNED_UP = (("starter", Currency.USD), ("payg", Currency.JPY), ("metered", Currency.USD))


class Draw:
    """The choices of one act, all of them told by a number."""

    def __init__(self, number: int) -> None:
        self._random = Random(number)

    def below(self, count: int) -> int:
        return self._random.randrange(count)

    def of(self, choices: Iterable[Any]) -> Any:
        """Return one of these. Raise Refused where there are none."""
        found = list(choices)
        if not found:
            raise Refused("There is none.")
        return self._random.choice(found)


class World:
    """The tenants sign up on `now`. `browser` is at the local payments."""

    def __init__(self, browser: httpx.Client, now: datetime) -> None:
        self.browser, self.now, self.closed_at = browser, now, now
        self.forms = 0
        self.told: set[str] = set()  # the events that were delivered, or lost for good
        # Whether Stripe's balance was read to the end, and what the last look at Stripe found.
        self.is_fetched, self.differences = True, list[str]()
        self.is_proved = False  # since the last thing that was written of the books
        self.references = 0
        self.clock_set()
        services.seed(now=now)
        exchange_rate_set(
            currency="USD", home_currency="JPY", day=now.date(), rate=Decimal(150), source="a bank",
            now=now,
        )  # fmt: skip
        _metered_seed(now)
        self.tenants = [self._sign_up(plan, currency) for plan, currency in _SIGNED_UP]
        self.read()

    def _sign_up(self, plan: str, currency: Currency) -> Tenant:
        email = f"{plan}@example.org"
        signed_up = services.sign_up(
            user=User.objects.create_user(email, "barrier-station-53"), organization=plan,
            plan_code=plan, currency=currency, now=self.now, language="en",
        )  # fmt: skip
        order = signed_up.order
        assert order is not None
        self.pay(services.checkout_start(order=order, now=self.now, **pages()), GOOD)
        order.refresh_from_db()
        order = services.order_check(order=order, now=self.now)
        assert order.state == OrderState.FULFILLED
        return signed_up.tenant

    def clock_set(self) -> None:
        self.control("clock", now=self.now.isoformat())

    def control(self, name: str, **what: object) -> Any:
        """Have something happen at the local payments; return the answer."""
        answer = self.browser.post(f"/_sekisho/{name}", json=what)
        assert answer.is_success, answer.text
        return answer.json()

    def wait(self, delta: timedelta) -> None:
        self.now += delta
        self.clock_set()

    @property
    def today(self) -> date:
        return self.now.date()

    def form(self) -> str:
        """Return the token of a form that was not sent before."""
        self.forms += 1
        return f"form {self.forms}"

    def read(self) -> None:
        """The gateway tells what was used by now."""
        GatewayPlan.objects.update(read_at=self.now)

    @property
    def used(self) -> dict[tuple[int, str, date], int]:
        """What the gateway told, by tenant, the plan under which it counted, and the UTC day."""
        rows = UsageDay.objects.values_list(
            "tenant_id", "gateway_plan__usage_plan__code", "day", "used"
        )
        return {(tenant_id, plan, day): used for tenant_id, plan, day, used in rows}

    def use(self, tenant: Tenant, plan: str, day: date, by: int) -> None:
        """Have the gateway count more on a day, or fewer: it revises what it told."""
        used = max(0, self.used.get((tenant.pk, plan, day), 0) + by)
        UsageDay.objects.update_or_create(
            version=ApiKeyVersion.objects.get(api_key__tenant=tenant),
            gateway_plan=GatewayPlan.objects.get(usage_plan__plans__code=plan, slot="primary"),
            meter=Meter.REQUESTS,
            day=day,
            defaults={"tenant": tenant, "used": used, "read_at": self.now},
        )

    def pay(self, url: str, card: str, *, passes: bool = True) -> None:
        """Type a card in at Checkout; answer the bank where it asks."""
        form = {"card_number": card, "exp": "12 / 40", "cvc": "123", "name": "Alice"}
        answer = self.browser.post(httpx.URL(url).path, data=form)
        asked = httpx.URL(answer.headers.get("Location", ""))
        if asked.path.startswith("/authenticate/"):
            self.browser.post(asked.path, data={"outcome": "complete" if passes else "fail"})

    def events(self) -> list[stripe.Event]:
        """Return what happened at Stripe and was not told yet, oldest first."""
        found = stripe_client().v1.events.list({"limit": 100}).auto_paging_iter()
        return [event for event in found if event.id not in self.told][::-1]


def pages() -> dict[str, Any]:
    """Return where Checkout leads back to."""
    return {"success_url": BACK, "cancel_url": BACK}


def _metered_seed(now: datetime) -> None:
    """Sell a plan of everything: a fee, a setup fee, a trial, and requests by tiers."""
    usage_plan = usage_plan_save(
        usage_plan=UsagePlan(
            code="metered", name="Metered", rate_limit=10, burst_limit=20,
            quota_limit=1_000_000_000, is_prorated=False, is_unlimited=True,
        ),
        now=now,
    )  # fmt: skip
    plan = Plan.objects.create(
        code="metered", name="Metered", usage_plan=usage_plan, overage=Overage.PRICED, position=9
    )
    tiers = [Tier(500, Decimal("0.3333")), Tier(None, Decimal("0.1250"))]
    for currency, fee, setup in ((Currency.USD, 10_00, 25_00), (Currency.JPY, 1_499, 3_000)):
        services.price_set(
            plan=plan, currency=currency, monthly_fee=fee, setup_fee=setup, trial_days=14,
            steps={Meter.REQUESTS: tiers}, now=now,
        )  # fmt: skip
