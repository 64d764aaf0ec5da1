"""What is sold: plans with versioned prices, and packs of extra requests."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import SOLD, Meter, UsagePlan


class Currency(models.TextChoices):
    """ISO 4217 codes of the currencies that prices are set in."""

    USD = "USD", _("US dollar")
    JPY = "JPY", _("Japanese yen")


# The least that Stripe charges to a card, in minor units:
# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
SMALLEST_CHARGE: dict[str, int] = {Currency.USD: 50, Currency.JPY: 50}


def is_too_small(amount: int, currency: str) -> bool:
    """Say whether an amount in minor units is less than can be charged to a card."""
    return amount < SMALLEST_CHARGE[currency]


class Overage(models.TextChoices):
    """What happens to a request above those that the fee includes."""

    STOPPED = "stopped", _("stopped by the quota")
    PRICED = "priced", _("priced by tiers")


class Plan(models.Model):
    """What a tenant subscribes to: a usage plan plus a price."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("description"), max_length=200, blank=True)
    usage_plan = models.ForeignKey(
        UsagePlan, on_delete=models.PROTECT, related_name="plans", verbose_name=_("usage plan")
    )
    overage = models.CharField(
        _("above the included"), max_length=7, choices=Overage, default=Overage.STOPPED
    )
    is_public = models.BooleanField(_("public"), default=True)
    is_highlighted = models.BooleanField(_("highlighted"), default=False)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ["position", "code"]

    def __str__(self) -> str:
        return self.name


class PriceVersion(models.Model):
    """A plan's price in one currency. It never changes: editing makes the next number.

    `monthly_fee` and `setup_fee`, which is due once, with the first month, are in minor units. For
    `trial_days` from its start a new tenant's subscription costs nothing. Subscriptions keep their
    version until they are moved on purpose (PriceMove); new ones get the latest.
    """

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="prices")
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    number = models.PositiveIntegerField(_("version"))
    monthly_fee = models.PositiveBigIntegerField(_("monthly fee (minor units)"))
    setup_fee = models.PositiveBigIntegerField(_("setup fee (minor units)"), default=0)
    trial_days = models.PositiveSmallIntegerField(_("trial days"), default=0)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("price version")
        verbose_name_plural = _("price versions")
        ordering = ["plan", "currency", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "currency", "number"], name="price_version")
        ]

    def __str__(self) -> str:
        return f"{self.plan.code} {self.currency} v{self.number}"


class PriceTier(models.Model):
    """A step of a meter's graduated price. `up_to` is inclusive, a month's count; None: the last.

    `unit_amount` is in minor units per request, or whatever is counted, to four decimals.
    """

    price = models.ForeignKey(PriceVersion, on_delete=models.PROTECT, related_name="tiers")
    meter = models.CharField(
        _("meter"),
        max_length=20,
        choices=[(meter.value, meter.label) for meter in SOLD],
        default=Meter.REQUESTS,
    )
    up_to = models.PositiveBigIntegerField(_("up to"), null=True, blank=True)
    unit_amount = models.DecimalField(_("for each"), max_digits=12, decimal_places=4)

    class Meta:
        verbose_name = _("price tier")
        verbose_name_plural = _("price tiers")
        ordering = ["price", "meter", models.F("up_to").asc(nulls_last=True)]
        constraints = [
            models.UniqueConstraint(fields=["price", "meter", "up_to"], name="price_tier_up_to"),
            models.UniqueConstraint(
                fields=["price", "meter"],
                condition=models.Q(up_to=None),
                name="price_tier_one_last",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.meter}: {self.unit_amount} up to {self.up_to or '∞'}"


class Unused(models.TextChoices):
    """What becomes of a pack's requests that are left when its period ends."""

    EXPIRE = "expire", _("expire")
    ROLL_OVER = "roll_over", _("roll over once")


class ExtensionPack(models.Model):
    """A pack of extra requests for the current quota period."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    requests = models.PositiveIntegerField(_("requests"))
    unused = models.CharField(
        _("unused requests"), max_length=9, choices=Unused, default=Unused.EXPIRE
    )
    is_active = models.BooleanField(_("on sale"), default=True)

    class Meta:
        verbose_name = _("extension pack")
        verbose_name_plural = _("extension packs")
        ordering = ["requests"]

    def __str__(self) -> str:
        return self.name


class PackPrice(models.Model):
    """A pack's price in one currency, in minor units. Orders freeze what they were shown."""

    pack = models.ForeignKey(ExtensionPack, on_delete=models.CASCADE, related_name="prices")
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    amount = models.PositiveBigIntegerField(_("amount (minor units)"))

    class Meta:
        verbose_name = _("pack price")
        verbose_name_plural = _("pack prices")
        constraints = [
            models.UniqueConstraint(fields=["pack", "currency"], name="pack_price_per_currency")
        ]

    def __str__(self) -> str:
        return f"{self.pack.code} {self.amount} {self.currency}"
