"""How far Stripe's lists were read. A cursor is moved once all before it is stored, and never back:
so whoever dies on the way, or runs beside another, reads something twice and misses nothing.
"""

from datetime import datetime

from billing.models import StripeCursor, StripeList


def cursor_reached(name: StripeList) -> datetime | None:
    """Return up to when a list was read; None where it never was."""
    return StripeCursor.objects.filter(name=name).values_list("reached_at", flat=True).first()


def cursor_move(name: StripeList, to: datetime) -> None:
    """Note that a list was read up to `to`."""
    StripeCursor.objects.get_or_create(name=name, defaults={"reached_at": to})
    StripeCursor.objects.filter(name=name, reached_at__lt=to).update(reached_at=to)
