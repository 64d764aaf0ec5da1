"""Webhooks to tenants: where to, what happened, what is to be sent, and each try of it."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.outbox import OutboxEvent
from tenants.models.people import Tenant
from tenants.outgoing import Failure


class DisabledReason(models.TextChoices):
    """Why nothing is sent to an endpoint."""

    MEMBER = "member", _("disabled by a member")
    GONE = "gone", _("it answered 410 Gone")
    FAILING = "failing", _("it failed for days")


class WebhookEndpoint(models.Model):
    """An address of the tenant that hears of events: of `event_types`, or of all where none is set.

    Its secret is derived from `secret_uuid` (tenants/webhook_secrets.py), shown once, and then
    `secret_revealed_at` is set. The one before it signs as well until `previous_secret_until`.
    `failing_since` is the first failure after the last success. `claimed_until` is held by the
    worker that sends to it, and for a while after it hung.
    """

    uuid = models.UUIDField(_("ID"), default=uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.CASCADE,
        related_name="webhook_endpoints",
        verbose_name=_("tenant"),
    )
    url = models.CharField(_("URL"), max_length=500)
    description = models.CharField(_("description"), max_length=120, blank=True)
    event_types = models.JSONField(_("event types"), default=list, blank=True)
    secret_uuid = models.UUIDField(default=uuid4, editable=False)
    secret_revealed_at = models.DateTimeField(_("secret shown at"), null=True)
    previous_secret_uuid = models.UUIDField(null=True, editable=False)
    previous_secret_until = models.DateTimeField(_("earlier secret until"), null=True)
    disabled_at = models.DateTimeField(_("disabled at"), null=True)
    disabled_reason = models.CharField(
        _("disabled because"), max_length=7, choices=DisabledReason, blank=True
    )
    failing_since = models.DateTimeField(_("failing since"), null=True)
    claimed_until = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.url

    @property
    def is_active(self) -> bool:
        return self.disabled_at is None

    def wants(self, event_type: str) -> bool:
        """Say whether it asked for events of this type."""
        return not self.event_types or event_type in self.event_types


class WebhookEvent(models.Model):
    """What happened, as it is told. `uuid` is the `webhook-id` of every try to tell it."""

    uuid = models.UUIDField(_("ID"), default=uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="+", verbose_name=_("tenant")
    )
    # News that is relayed twice makes one event.
    news = models.OneToOneField(OutboxEvent, null=True, on_delete=models.SET_NULL, related_name="+")
    type = models.CharField(_("type"), max_length=40)
    data = models.JSONField(_("data"), default=dict)
    occurred_at = models.DateTimeField(_("occurred at"))

    class Meta:
        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.type} {self.uuid}"


class DeliveryState(models.TextChoices):
    """Where the telling of an event to an endpoint stands."""

    PENDING = "pending", _("under way")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")


class WebhookDelivery(models.Model):
    """An event for an endpoint: pending until a 2xx, or until the schedule has no further try.

    `attempts` counts those since the last (re)start; the rows of all are `attempt_set`.
    """

    uuid = models.UUIDField(_("ID"), default=uuid4, unique=True, editable=False)
    event = models.ForeignKey(
        WebhookEvent, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("event")
    )
    endpoint = models.ForeignKey(
        WebhookEndpoint,
        on_delete=models.CASCADE,
        related_name="deliveries",
        verbose_name=_("endpoint"),
    )
    state = models.CharField(
        _("state"), max_length=9, choices=DeliveryState, default=DeliveryState.PENDING
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="delivery_once_per_endpoint")
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                condition=models.Q(state="pending"),
                name="delivery_due",
            ),
            models.Index(fields=["endpoint", "-created_at"], name="delivery_of_endpoint"),
        ]

    def __str__(self) -> str:
        return str(self.uuid)


class WebhookAttempt(models.Model):
    """One try, written before it is made: a worker that died in between leaves no `ended_at`."""

    delivery = models.ForeignKey(
        WebhookDelivery,
        on_delete=models.CASCADE,
        related_name="attempt_set",
        verbose_name=_("delivery"),
    )
    url = models.CharField(_("URL"), max_length=500)
    request_headers = models.JSONField(_("request headers"), default=dict)
    started_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(_("ended at"), null=True)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    answer = models.TextField(_("answer"), blank=True)
    failure = models.CharField(_("failure"), max_length=10, choices=Failure, blank=True)
    failure_detail = models.CharField(_("detail"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("webhook attempt")
        verbose_name_plural = _("webhook attempts")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.started_at:%F %T} {self.status or self.failure}"

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def milliseconds(self) -> int | None:
        """How long it took; None while it is not known."""
        if self.ended_at is None:
            return None
        return round((self.ended_at - self.started_at).total_seconds() * 1000)
