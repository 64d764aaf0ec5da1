"""Usage plans, their mirrors in the gateway, and which tenant held which plan when."""

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.keys import KeySlot
from tenants.models.people import Tenant

HTTP_METHODS = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


class QuotaPeriod(models.TextChoices):
    """API Gateway's own words for the periods of a quota."""

    DAY = "DAY", _("day")
    WEEK = "WEEK", _("week")
    MONTH = "MONTH", _("month")


class UsagePlan(models.Model):
    """Throttle and quota. One row is mirrored to two API Gateway usage plans (GatewayPlan).

    `rate_limit` is in requests per second and key, `burst_limit` the size of the token bucket,
    `quota_limit` in requests per period and tenant. The quota's `offset` is always sent as 0
    (AWS documents it in two contradicting ways), so there is no field for it.
    """

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    rate_limit = models.FloatField(
        _("rate limit"),
        validators=[MinValueValidator(0.1), MaxValueValidator(10_000)],
        help_text=_("Requests per second, for each key."),
    )
    burst_limit = models.PositiveIntegerField(
        _("burst limit"),
        validators=[MinValueValidator(1), MaxValueValidator(5_000)],
        help_text=_("How many requests may come at once, for each key."),
    )
    quota_limit = models.PositiveBigIntegerField(
        _("quota"),
        validators=[MinValueValidator(1), MaxValueValidator(2_000_000_000)],
        help_text=_("Requests per period, for the whole tenant."),
    )
    quota_period = models.CharField(
        _("quota period"), max_length=5, choices=QuotaPeriod, default=QuotaPeriod.MONTH
    )
    is_unlimited = models.BooleanField(
        _("shown as unlimited"),
        default=False,
        help_text=_("The gateway still gets the quota above, so that there is something to cap."),
    )
    is_prorated = models.BooleanField(
        _("prorated"),
        default=True,
        help_text=_("A tenant who joins within a period gets the share of the days that are left."),
    )
    advance = models.PositiveIntegerField(
        _("advance"),
        null=True,
        blank=True,
        help_text=_(
            "Requests per tenant and period that may be lent while usage settles. "
            "Empty: the larger of 20 and 1 % of the quota."
        ),
    )

    most_keys = models.PositiveSmallIntegerField(
        _("most keys"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("How many keys a tenant may have. Those that it has stay when this shrinks."),
    )

    class Meta:
        verbose_name = _("usage plan")
        verbose_name_plural = _("usage plans")
        ordering = ["quota_limit", "code"]

    def __str__(self) -> str:
        return self.name

    @property
    def advance_requests(self) -> int:
        """The operator's advance A of quota.md, in requests per tenant and period."""
        return max(20, self.quota_limit // 100) if self.advance is None else self.advance

    @property
    def fastest(self) -> tuple[float, int]:
        """The rate and the burst of a key that calls everything: a method with a limit of its own
        is not in the plan's.
        """
        methods = self.method_limits.all()
        return (
            self.rate_limit + sum(limit.rate_limit for limit in methods),
            self.burst_limit + sum(limit.burst_limit for limit in methods),
        )


class MethodLimit(models.Model):
    """A throttle of one method, for each key, in place of the plan's own.

    `rate_limit` is in requests per second. What all keys together may send is the stage's own.
    """

    usage_plan = models.ForeignKey(
        UsagePlan,
        on_delete=models.CASCADE,
        related_name="method_limits",
        verbose_name=_("usage plan"),
    )
    method = models.CharField(
        _("method"), max_length=7, choices=[(name, name) for name in HTTP_METHODS]
    )
    path = models.CharField(
        _("path"),
        max_length=200,
        validators=[RegexValidator(r"^/[^\s?#~]*[^\s?#~/]$", _("Write it as in the reference."))],
        help_text=_("As the reference writes it, for example /v1/uploads/{upload}."),
    )
    rate_limit = models.FloatField(
        _("rate limit"), validators=[MinValueValidator(0.1), MaxValueValidator(10_000)]
    )
    burst_limit = models.PositiveIntegerField(
        _("burst limit"), validators=[MinValueValidator(1), MaxValueValidator(5_000)]
    )

    class Meta:
        verbose_name = _("limit of a method")
        verbose_name_plural = _("limits of methods")
        ordering = ["path", "method"]
        constraints = [
            models.UniqueConstraint(
                fields=["usage_plan", "path", "method"], name="method_limit_once_per_plan"
            )
        ]

    def __str__(self) -> str:
        return self.target

    @property
    def target(self) -> str:
        """The gateway's name of the method, "/v1/jobs/POST"."""
        return f"{self.path}/{self.method}"


class GatewayPlan(models.Model):
    """One of a usage plan's two mirrors in API Gateway.

    The primary holds one version per tenant and has the full quota. The secondary holds every
    other version and has a quota of 1, so that a period's reset never hands out N times the quota.
    The gateway's name for it carries `uuid`: a repeat after a crash finds what it had made.
    `applied_*` is what the gateway last confirmed; None before the first time. `made_at` is since
    when it has been there, as of a key. `fastest_*` is what
    a key may have sent at most until `fastest_until`, when the gateway confirmed that it was less
    (None: it may do so now).
    """

    usage_plan = models.ForeignKey(UsagePlan, on_delete=models.CASCADE, related_name="mirrors")
    slot = models.CharField(_("slot"), max_length=9, choices=KeySlot)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    gateway_id = models.CharField(_("gateway id"), max_length=64, blank=True)
    made_at = models.DateTimeField(_("made at"), null=True)
    applied_rate_limit = models.FloatField(_("applied rate limit"), null=True)
    applied_burst_limit = models.PositiveIntegerField(_("applied burst limit"), null=True)
    applied_quota_limit = models.PositiveBigIntegerField(_("applied quota"), null=True)
    applied_quota_period = models.CharField(_("applied period"), max_length=5, blank=True)
    applied_methods = models.JSONField(_("applied limits of methods"), default=dict)
    applied_stages = models.TextField(_("applied stages"), blank=True)
    applied_at = models.DateTimeField(_("applied at"), null=True)
    fastest_rate = models.FloatField(default=0)
    fastest_burst = models.PositiveIntegerField(default=0)
    fastest_until = models.DateTimeField(null=True)
    read_at = models.DateTimeField(_("usage read at"), null=True)
    error = models.TextField(_("last error"), blank=True)

    class Meta:
        verbose_name = _("gateway plan")
        verbose_name_plural = _("gateway plans")
        ordering = ["usage_plan", "slot"]
        constraints = [
            models.UniqueConstraint(fields=["usage_plan", "slot"], name="gateway_plan_per_slot")
        ]

    def __str__(self) -> str:
        return self.gateway_name

    @property
    def gateway_name(self) -> str:
        """The name in the gateway: readable, and unique by the UUID in it."""
        suffix = "" if self.slot == KeySlot.PRIMARY else "+"
        return f"sekisho {self.usage_plan.code}{suffix} {self.uuid}"

    @property
    def methods(self) -> dict[str, list[float]]:
        """The plan's limits of methods: [rate, burst] by the gateway's name of the method."""
        limits = self.usage_plan.method_limits.all()
        return {limit.target: [limit.rate_limit, limit.burst_limit] for limit in limits}

    @property
    def quota_limit(self) -> int:
        """What a version in this mirror gets at a period's start, in requests."""
        return self.usage_plan.quota_limit if self.slot == KeySlot.PRIMARY else 1


class PlanSpan(models.Model):
    """The UTC days on which a tenant held a usage plan: from `starts_on` up to before `ends_on`."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="plan_spans")
    usage_plan = models.ForeignKey(UsagePlan, on_delete=models.PROTECT)
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("plan span")
        verbose_name_plural = _("plan spans")
        ordering = ["starts_on", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=models.Q(ends_on=None), name="plan_span_one_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.usage_plan} from {self.starts_on}"
