"""`manage.py seed`: what a fresh installation needs to be useful. Run again, it changes nothing."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone
from django.utils.crypto import get_random_string
from django_celery_beat.models import IntervalSchedule, PeriodicTask

import billing.services
import conversions.services
import tenants.services
from portal.accounts import prove_address
from portal.celery import SCHEDULE
from tenants.models import MethodLimit, UsagePlan, User

SEEDED = "From Sekisho's own schedule."


class Command(BaseCommand):
    help = "Create plans, packs, presets, the schedule and an operator, where they are missing."

    def handle(self, *_args: Any, **_options: Any) -> None:
        now = timezone.now()
        new = billing.services.seed(now=now)
        for usage_plan in new:
            limits = method_limits_seed(usage_plan)
            tenants.services.usage_plan_save(usage_plan=usage_plan, method_limits=limits, now=now)
        conversions.services.presets_seed()
        conversions.services.retentions_seed(usage_plans=new, now=now)
        schedule_seed()
        password = operator_seed()
        if password is not None:
            self.stdout.write(f"Operator {settings.OPERATOR_EMAIL}, password {password}")


def method_limits_seed(usage_plan: UsagePlan) -> list[MethodLimit]:
    """Return lower limits for the calls of the sold API that start long work."""
    return [
        MethodLimit(
            method="POST",
            path=path,
            rate_limit=usage_plan.rate_limit / 10,
            burst_limit=max(1, usage_plan.burst_limit // 10),
        )
        for path in ("/v1/jobs", "/v1/workflows/ingest")
    ]


def operator_seed() -> str | None:
    """Create the operator; return the password if it was made up here, so that it can be told.

    An operator who is there keeps their password: they may have changed it since.
    """
    if User.objects.filter(email__iexact=settings.OPERATOR_EMAIL).exists():
        return None
    password = settings.OPERATOR_PASSWORD or get_random_string(16)
    operator = User.objects.create_superuser(settings.OPERATOR_EMAIL, password)
    prove_address(operator, operator.email)  # whoever sets it knows it: no mail is waited for
    return None if settings.OPERATOR_PASSWORD else password


def schedule_seed() -> None:
    """Copy the schedule to django-celery-beat's tables.

    A row that is there keeps what an operator may have changed, which is how often it runs and
    whether at all. What the schedule no longer has is deleted; rows of other names are an
    operator's own.
    """
    for name, (task, seconds) in SCHEDULE.items():
        interval, _ = IntervalSchedule.objects.get_or_create(
            every=seconds, period=IntervalSchedule.SECONDS
        )
        row, is_new = PeriodicTask.objects.get_or_create(
            name=name, defaults={"task": task, "interval": interval, "description": SEEDED}
        )
        if not is_new and row.task != task:
            row.task = task
            row.save()
    PeriodicTask.objects.filter(description=SEEDED).exclude(name__in=SCHEDULE).delete()
