"""What is compared with Stripe every night, and how far."""

from django.db import models


class StripeList(models.TextChoices):
    """A list of Stripe's that is read on from where it was read to."""

    EVENTS = "events"
    DISPUTES = "disputes"
    BALANCE = "balance"


class StripeCursor(models.Model):
    """How far one of Stripe's lists was read: what was made before `reached_at` is known here."""

    name = models.CharField(max_length=20, choices=StripeList, unique=True)
    reached_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.reached_at}"
