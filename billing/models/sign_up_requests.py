"""Sign-ups that wait for an operator: what was asked for, and what was decided."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.catalog import Currency, Plan
from tenants.models import Tenant, User


class SignUpState(models.TextChoices):
    """What was decided."""

    WAITING = "waiting", _("waiting")
    APPROVED = "approved", _("approved")
    REFUSED = "refused", _("refused")


class SignUpRequest(models.Model):
    """The organisation that a person asks to start. There is no tenant until it is approved. One of
    a person's waits at a time.

    `submitted_at` is when the operators were told, once the address was confirmed. `reason` is why
    it was refused, as they are told. `tenant` is what came of it; the row goes with it, or with the
    person.
    """

    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="+", verbose_name=_("user")
    )
    organization = models.CharField(_("organisation"), max_length=120)
    plan = models.ForeignKey(
        Plan, on_delete=models.PROTECT, related_name="+", verbose_name=_("plan")
    )
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    state = models.CharField(
        _("state"), max_length=8, choices=SignUpState, default=SignUpState.WAITING
    )
    created_at = models.DateTimeField(_("created at"))
    submitted_at = models.DateTimeField(_("submitted at"), null=True)
    decided_at = models.DateTimeField(_("decided at"), null=True)
    decided_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("decided by")
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    tenant = models.OneToOneField(
        Tenant, null=True, on_delete=models.CASCADE, related_name="+", verbose_name=_("tenant")
    )

    class Meta:
        verbose_name = _("sign-up request")
        verbose_name_plural = _("sign-up requests")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=models.Q(state=SignUpState.WAITING),
                name="sign_up_request_one_waits",
            )
        ]

    def __str__(self) -> str:
        return f"{self.organization} ({self.user})"
