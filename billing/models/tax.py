"""Tax: rates by country, what an invoice needs to know of a tenant, and rates of exchange."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import Tenant


class TaxRate(models.Model):
    """A country's standard rate, in percent, on days (of the issuer's time zone) from `valid_from`
    on. The newest that has begun counts; where `valid_until`, its last day, is over, there is none.

    `country` is an ISO 3166-1 alpha-2 code. `name` is what the country calls the tax, in English;
    invoices print it translated.
    """

    country = models.CharField(_("country"), max_length=2)
    name = models.CharField(_("name"), max_length=40)
    rate = models.DecimalField(_("rate (%)"), max_digits=5, decimal_places=2)
    valid_from = models.DateField(_("valid from"))
    valid_until = models.DateField(_("valid until"), null=True, blank=True)

    class Meta:
        verbose_name = _("tax rate")
        verbose_name_plural = _("tax rates")
        ordering = ["country", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["country", "valid_from"], name="tax_rate_per_day")
        ]

    def __str__(self) -> str:
        return f"{self.country} {self.rate} %"


class ExchangeRate(models.Model):
    """What one unit of a currency (not its minor one) was worth in another on a day."""

    currency = models.CharField(_("currency"), max_length=3)
    home_currency = models.CharField(_("home currency"), max_length=3)
    rate = models.DecimalField(_("rate of exchange"), max_digits=18, decimal_places=8)
    day = models.DateField(_("rate of the day"))
    source = models.CharField(_("source of the rate"), max_length=80)

    class Meta:
        verbose_name = _("exchange rate")
        verbose_name_plural = _("exchange rates")
        ordering = ["-day", "currency", "home_currency"]
        constraints = [
            models.UniqueConstraint(
                fields=["currency", "home_currency", "day"], name="exchange_rate_per_day"
            )
        ]

    def __str__(self) -> str:
        return f"1 {self.currency} = {self.rate} {self.home_currency} ({self.day})"


class TaxDetails(models.Model):
    """What a tenant says of itself for its invoices. Each invoice freezes it.

    `tax_id` is a business's own: in the EU the VAT number with its prefix, in Japan T and 13
    digits. `reference` is printed on invoices, for example a purchase order's number.
    """

    tenant = models.OneToOneField(
        Tenant, on_delete=models.CASCADE, related_name="tax_details", verbose_name=_("tenant")
    )
    legal_name = models.CharField(_("legal name"), max_length=200)
    address = models.TextField(_("address"), max_length=500)
    country = models.CharField(_("country"), max_length=2)
    tax_id = models.CharField(_("tax number"), max_length=20, blank=True)
    email = models.EmailField(_("email for invoices"), blank=True)
    reference = models.CharField(_("your reference"), max_length=60, blank=True)
    saved_at = models.DateTimeField(_("saved at"))

    class Meta:
        verbose_name = _("tax details")
        verbose_name_plural = _("tax details")

    def __str__(self) -> str:
        return self.legal_name


class ViesConfirmation(models.Model):
    """That VIES, the EU's register, knew a tenant's VAT number on a day: the proof for a reverse
    charge, so what it says is never changed or deleted.

    `name` and `address` are those that VIES gave. `request_id` is its consultation number. It
    counts until `ended_at`, when VIES knew the number no more.
    """

    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        related_name="vies_confirmations",
        verbose_name=_("tenant"),
    )
    tax_id = models.CharField(_("tax number"), max_length=20)
    name = models.CharField(_("name"), max_length=200)
    address = models.TextField(_("address"), max_length=500, blank=True)
    request_id = models.CharField(_("consultation number"), max_length=40)
    confirmed_at = models.DateTimeField(_("confirmed at"))
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("confirmed by"),
    )
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("VIES confirmation")
        verbose_name_plural = _("VIES confirmations")
        ordering = ["-confirmed_at", "-id"]

    def __str__(self) -> str:
        return f"{self.tax_id} {self.request_id}"


class ViesOutcome(models.TextChoices):
    """What came of asking VIES about a number."""

    WAITING = "waiting", _("to be asked")
    CONFIRMED = "confirmed", _("confirmed")
    UNKNOWN = "unknown", _("not known")
    OTHER_NAME = "other_name", _("known under another name")
    NO_NAME = "no_name", _("known, but the member state tells no name")


class ViesCheck(models.Model):
    """That VIES is to be asked by a machine about the number that a tenant gave last, under its
    name of then; and what came of it.

    `due_at` is when it is asked, or asked again, also about what it answered. `error` is why it
    could not tell when it was asked last, in VIES's own words.
    """

    tenant = models.OneToOneField(
        Tenant, on_delete=models.CASCADE, related_name="vies_check", verbose_name=_("tenant")
    )
    tax_id = models.CharField(_("tax number"), max_length=20)
    name = models.CharField(_("name"), max_length=200)
    outcome = models.CharField(
        _("outcome"), max_length=10, choices=ViesOutcome, default=ViesOutcome.WAITING
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("due at"))
    error = models.CharField(_("error"), max_length=80, blank=True)

    class Meta:
        verbose_name = _("VIES check")
        verbose_name_plural = _("VIES checks")
        indexes = [models.Index(fields=["due_at"], name="vies_check_due")]

    def __str__(self) -> str:
        return f"{self.tax_id} {self.get_outcome_display()}"
