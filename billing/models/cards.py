"""Cards that tenants saved at Stripe, as far as they may be shown."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.subscriptions import Customer


class SavedCard(models.Model):
    """A card that is attached to a customer at Stripe, under `stripe_id`.

    The one that is charged is the customer's `payment_method_id`. A card that was removed has
    `removed_at`, until Stripe has detached it; nobody sees or charges it meanwhile. `fingerprint`
    is Stripe's, the same for the same number.
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="cards")
    stripe_id = models.CharField(_("Stripe id"), max_length=80, unique=True)
    fingerprint = models.CharField(_("fingerprint"), max_length=80, blank=True)
    brand = models.CharField(_("card brand"), max_length=20)
    last_four = models.CharField(_("card's last four"), max_length=4)
    exp_month = models.PositiveSmallIntegerField(_("expiry month"))
    exp_year = models.PositiveSmallIntegerField(_("expiry year"))
    saved_at = models.DateTimeField(_("saved at"))
    removed_at = models.DateTimeField(_("removed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("saved card")
        verbose_name_plural = _("saved cards")
        ordering = ["-saved_at", "-id"]
        indexes = [
            models.Index(
                fields=["removed_at"],
                condition=models.Q(removed_at__isnull=False),
                name="card_to_detach",
            )
        ]

    def __str__(self) -> str:
        return f"{self.brand} {self.last_four}"

    @property
    def is_default(self) -> bool:
        """Whether this is the card that is charged."""
        return self.stripe_id == self.customer.payment_method_id

    @property
    def expiry(self) -> str:
        """The last month that it is good for, as printed on it, e.g. 04/2027."""
        return f"{self.exp_month:02d}/{self.exp_year}"
