"""Customers at Stripe, who subscribes to what, and what is to change of it."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.catalog import Currency, Plan, PriceVersion
from tenants.models import Tenant


class Customer(models.Model):
    """A tenant as Stripe knows it. `payment_method_id` is Stripe's for the card that is charged.

    `name` and `email`, an owner's, are what Stripe was told last; without an `email` that is not
    known.
    """

    tenant = models.OneToOneField(
        Tenant, on_delete=models.PROTECT, related_name="customer", verbose_name=_("tenant")
    )
    stripe_id = models.CharField(_("Stripe id"), max_length=80, blank=True)
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    payment_method_id = models.CharField(_("payment method"), max_length=80, blank=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    email = models.EmailField(_("email address"), blank=True)

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

    A change ends one and starts another, so that what was held when stays readable. Neither fee nor
    usage of the days before `trial_ends_on` is billed.

    The month's run bills the fee of the days from `fee_from` up to and without `fee_until`
    (proration.py); what Checkout took is before or after them. Where `owes_setup`, the first of
    those bills has the setup fee on it.
    """

    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="subscriptions", verbose_name=_("tenant")
    )
    plan = models.ForeignKey(
        Plan, on_delete=models.PROTECT, related_name="subscriptions", verbose_name=_("plan")
    )
    price = models.ForeignKey(
        PriceVersion,
        on_delete=models.PROTECT,
        related_name="subscriptions",
        verbose_name=_("price"),
    )
    state = models.CharField(_("state"), max_length=10, choices=SubscriptionState)
    created_at = models.DateTimeField(_("created at"))
    starts_on = models.DateField(_("from"), null=True, blank=True)
    ends_on = models.DateField(_("until"), null=True, blank=True)
    trial_ends_on = models.DateField(_("trial until"), null=True, blank=True)
    fee_from = models.DateField(_("fee billed from"), null=True, blank=True)
    fee_until = models.DateField(_("fee billed until"), null=True, blank=True)
    owes_setup = models.BooleanField(_("setup fee still to come"), default=False)

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


class ChangeState(models.TextChoices):
    """What became of something that was to happen on a day."""

    SCHEDULED = "scheduled", _("scheduled")
    DONE = "done", _("done")
    WITHDRAWN = "withdrawn", _("withdrawn")


class Scheduled(models.Model):
    """What is to happen on a UTC day, and can be withdrawn until then."""

    price = models.ForeignKey(
        PriceVersion, on_delete=models.PROTECT, related_name="+", verbose_name=_("price")
    )
    takes_effect_on = models.DateField(_("takes effect on"))
    state = models.CharField(
        _("state"), max_length=9, choices=ChangeState, default=ChangeState.SCHEDULED
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created at"))
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["-created_at", "-id"]


class PlanChange(Scheduled):
    """A change of plan at the end of the month, which can be withdrawn until then. To cancel is to
    change to `free`. `takes_effect_on` is a UTC day, the first of the new plan.
    """

    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="plan_changes", verbose_name=_("tenant")
    )
    plan = models.ForeignKey(
        Plan, on_delete=models.PROTECT, related_name="+", verbose_name=_("plan")
    )

    class Meta(Scheduled.Meta):
        verbose_name = _("plan change")
        verbose_name_plural = _("plan changes")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"],
                condition=models.Q(state=ChangeState.SCHEDULED),
                name="plan_change_one_scheduled",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.plan}, {self.takes_effect_on}"


class PriceMove(Scheduled):
    """A subscription's move to another version of its plan's price, on the first of a month, of
    which the tenant was told in time. `takes_effect_on` is a UTC day.
    """

    subscription = models.ForeignKey(
        Subscription,
        on_delete=models.PROTECT,
        related_name="price_moves",
        verbose_name=_("subscription"),
    )

    class Meta(Scheduled.Meta):
        verbose_name = _("price move")
        verbose_name_plural = _("price moves")
        constraints = [
            models.UniqueConstraint(
                fields=["subscription"],
                condition=models.Q(state=ChangeState.SCHEDULED),
                name="price_move_one_scheduled",
            )
        ]

    def __str__(self) -> str:
        return f"{self.subscription}: {self.price}, {self.takes_effect_on}"
