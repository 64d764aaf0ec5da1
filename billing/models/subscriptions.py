"""Customers at Stripe, and who subscribes to what."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.catalog import Currency, Plan, PriceVersion
from tenants.models import Tenant


class Customer(models.Model):
    """A tenant as Stripe knows it, with what may be shown of its saved card."""

    tenant = models.OneToOneField(Tenant, on_delete=models.PROTECT, related_name="customer")
    stripe_id = models.CharField(_("Stripe id"), max_length=80, blank=True)
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    payment_method_id = models.CharField(_("payment method"), max_length=80, blank=True)
    card_brand = models.CharField(_("card brand"), max_length=20, blank=True)
    card_last_four = models.CharField(_("card's last four"), max_length=4, blank=True)
    card_exp_month = models.PositiveSmallIntegerField(_("expiry month"), null=True)
    card_exp_year = models.PositiveSmallIntegerField(_("expiry year"), null=True)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")

    def __str__(self) -> str:
        return self.stripe_id or str(self.tenant)


class SubscriptionState(models.TextChoices):
    """Where a subscription is in its life."""

    INCOMPLETE = "incomplete", _("waiting for payment")
    ACTIVE = "active", _("active")
    CANCELLED = "cancelled", _("cancelled")


class Subscription(models.Model):
    """A tenant's plan at its price, from `starts_on` (UTC) on. One is active at a time.

    A change ends one and starts another, so that what was held when stays readable.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="subscriptions")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="subscriptions")
    price = models.ForeignKey(PriceVersion, on_delete=models.PROTECT, related_name="subscriptions")
    state = models.CharField(_("state"), max_length=10, choices=SubscriptionState)
    created_at = models.DateTimeField(_("created at"))
    starts_on = models.DateField(_("from"), null=True, blank=True)
    ends_on = models.DateField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"],
                condition=models.Q(state=SubscriptionState.ACTIVE),
                name="subscription_one_active",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.plan}"
