"""Purchases. An order freezes what the buyer was shown: what, for which period, at which price."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.catalog import Currency, ExtensionPack, is_too_small
from billing.models.subscriptions import Subscription
from tenants.models import Tenant


class OrderPurpose(models.TextChoices):
    """What an order is for."""

    SUBSCRIPTION = "subscription", _("first month of a plan")
    CHANGE = "change", _("change of plan")
    EXTENSION = "extension", _("quota extension")
    CARD = "card", _("saving a card")


class OrderState(models.TextChoices):
    """Where an order is. Fulfilled is the end of a good one."""

    PENDING = "pending", _("waiting for payment")
    FULFILLED = "fulfilled", _("paid")
    TAKING_BACK = "taking_back", _("being taken back")
    EXPIRED = "expired", _("expired")
    REFUND_DUE = "refund_due", _("being refunded")
    REFUNDED = "refunded", _("refunded")


UNPAID = frozenset({OrderState.PENDING, OrderState.EXPIRED})


class Order(models.Model):
    """One purchase, paid at Stripe's Checkout; an automatic top-up, by the saved card then.

    `amount` is what is to pay, in minor units, with `tax` in it, which was reckoned by `taxation`
    (Taxation in billing/taxes.py; empty: none); `lines` are those of its invoice
    (Line in services/invoices.py), one of the description where there are none. `token` is the
    form's, so that a doubled submission finds the first order. `attempt` counts Checkout Sessions,
    then the refunds that Stripe refused: with the order's UUID it is the idempotency key.
    `starts_on` is the first day that a first month's price counts, `rolls_over` the rule of the
    pack that the buyer was shown. When Stripe was last asked about it is in `checked_at`, so that
    no order is asked about for ever while another waits.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="orders", verbose_name=_("tenant")
    )
    purpose = models.CharField(_("purpose"), max_length=12, choices=OrderPurpose)
    state = models.CharField(
        _("state"), max_length=11, choices=OrderState, default=OrderState.PENDING
    )
    token = models.CharField(max_length=64)
    description = models.CharField(_("description"), max_length=200)
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    amount = models.PositiveBigIntegerField(_("amount (minor units)"))
    tax = models.PositiveBigIntegerField(_("tax (minor units)"), default=0)
    taxation = models.JSONField(_("taxation"), default=dict, blank=True)
    lines = models.JSONField(_("lines"), default=list, blank=True)
    pack = models.ForeignKey(
        ExtensionPack,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("extension pack"),
    )
    requests = models.PositiveIntegerField(_("requests"), default=0)
    rolls_over = models.BooleanField(_("rolls over"), default=False)
    is_top_up = models.BooleanField(_("automatic"), default=False)
    payment_method_id = models.CharField(_("payment method"), max_length=80, blank=True)
    subscription = models.ForeignKey(
        Subscription,
        null=True,
        on_delete=models.PROTECT,
        related_name="orders",
        verbose_name=_("subscription"),
    )
    starts_on = models.DateField(_("counts from"), null=True, blank=True)
    period_start = models.DateField(_("period from"))
    period_end = models.DateField(_("period until"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created at"))
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    checkout_session_id = models.CharField(_("Checkout Session"), max_length=120, blank=True)
    payment_intent_id = models.CharField(
        _("PaymentIntent"), max_length=120, blank=True, db_index=True
    )
    decline_code = models.CharField(_("decline code"), max_length=60, blank=True)
    decline_message = models.CharField(_("decline reason"), max_length=300, blank=True)
    taking_back_since = models.DateTimeField(_("being taken back since"), null=True, blank=True)
    refund_id = models.CharField(_("refund"), max_length=120, blank=True)
    checked_at = models.DateTimeField(_("checked at"), null=True, blank=True)
    fulfilled_at = models.DateTimeField(_("fulfilled at"), null=True, blank=True)
    refunded_at = models.DateTimeField(_("refunded at"), null=True, blank=True)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "token"], name="order_once_per_form")
        ]
        indexes = [
            models.Index(
                fields=["created_at"], condition=models.Q(state="pending"), name="order_pending"
            )
        ]

    def __str__(self) -> str:
        return f"{self.description} ({self.get_state_display()})"

    @property
    def to_charge(self) -> int:
        """What a card is charged, in minor units: nothing where a plan's share is too small for
        one. The plan begins all the same, with an open invoice.
        """
        is_plan = self.purpose in {OrderPurpose.SUBSCRIPTION, OrderPurpose.CHANGE}
        return 0 if is_plan and is_too_small(self.amount, self.currency) else self.amount
