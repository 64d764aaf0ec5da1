"""What VIES says of tenants' numbers: stored as proof, and asked where VIES_API_BASE says so.

The check's row is written with the number that it is about; then VIES is asked, without a lock; and
what it says is noted under one, unless the number or the name is another by then. Who died before
that asks again. A confirmation is the same row as an operator's, and counts by the same rule.

A number can be deregistered: what VIES answered is asked again after ASK_AGAIN. What it confirmed
counts meanwhile, and until it says that the number is not valid; then no confirmation of it counts
any more, an operator's neither, for that was VIES's answer too, and an older one.
"""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

import tenants.services
from billing.models import TaxDetails, ViesCheck, ViesConfirmation, ViesOutcome
from billing.tax_countries import EU
from billing.tax_numbers import bare_number
from billing.tax_tables import confirmation_of, is_of, issuer
from billing.vies import Answer, ViesError, check_vat_number
from tenants import queue
from tenants.models import Tenant, User

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)  # between two attempts
ASK_AGAIN = timedelta(days=90)  # a quarter
AT_ONCE = 100  # of one sweep: VIES refuses those who ask too much


@transaction.atomic
def vies_confirm(
    *,
    tenant: Tenant,
    tax_id: str,
    name: str,
    address: str,
    request_id: str,
    actor: User | None,
    now: datetime,
) -> ViesConfirmation:
    """Store what VIES answered about a tenant's VAT number; `actor` None: a machine asked."""
    confirmation = ViesConfirmation.objects.create(
        tenant=tenant,
        tax_id=bare_number(tax_id),
        name=name,
        address=address,
        request_id=request_id,
        confirmed_at=now,
        confirmed_by=actor,
    )
    tenants.services.audit_record(
        action="vies.confirmed",
        tenant=tenant,
        actor=actor,
        now=now,
        target=tax_id,
        request_id=request_id,
    )
    return confirmation


def vies_check_open(*, details: TaxDetails, now: datetime) -> None:
    """Have VIES asked about a tenant's number, or no more, where it makes no difference for tax.

    Call it in the transaction that saves the details.
    """
    if not _is_askable(details):
        ViesCheck.objects.filter(tenant=details.tenant).delete()
        return
    known = confirmation_of(details)
    check, _is_new = ViesCheck.objects.update_or_create(
        tenant=details.tenant,
        defaults={
            "tax_id": details.tax_id,
            "name": details.legal_name,
            "outcome": ViesOutcome.CONFIRMED if known else ViesOutcome.WAITING,
            "attempts": 0,
            "due_at": known.confirmed_at + ASK_AGAIN if known else now,
            "error": "",
        },
    )
    if known is None:
        queue.on_commit("billing.tasks.vies_check", check.pk, queue="default")


def vies_checks_due(*, now: datetime) -> list[ViesCheck]:
    """Return the checks that are due, those too whose answer is old; open those of details that
    were saved while none was made.
    """
    if not _asks():
        return []
    missing = TaxDetails.objects.filter(country__in=EU, tenant__vies_check=None).exclude(
        country=settings.ISSUER_COUNTRY
    )
    for details in missing.exclude(tax_id="")[:AT_ONCE]:
        with transaction.atomic():
            as_saved = TaxDetails.objects.select_for_update().get(pk=details.pk)
            vies_check_open(details=as_saved, now=now)
    due = ViesCheck.objects.filter(due_at__lte=now)
    due.exclude(outcome=ViesOutcome.WAITING).update(outcome=ViesOutcome.WAITING, attempts=0)
    return list(due.order_by("due_at")[:AT_ONCE])


def vies_check(*, check: ViesCheck, now: datetime) -> None:
    """Ask VIES, and note what it says. A check that is not due, or is being made, is left alone."""
    pause = min(FIRST_PAUSE * 2 ** min(check.attempts, 16), LONGEST_PAUSE)
    mine = _current(check).filter(attempts=check.attempts, due_at__lte=now)
    if not _asks() or not mine.update(attempts=F("attempts") + 1, due_at=now + pause):
        return
    try:
        answer = check_vat_number(
            base=settings.VIES_API_BASE,
            tax_id=check.tax_id,
            name=check.name,
            requester=issuer().tax_id,
        )
    except ViesError as error:
        log.warning("vies.unavailable", tax_id=check.tax_id, code=error.code)
        _current(check).update(error=error.code[:80])
        return
    _note(check, answer, now=now)


@transaction.atomic
def _note(check: ViesCheck, answer: Answer, *, now: datetime) -> None:
    """Note what VIES said of a number, unless another one is to be asked about by now."""
    if _current(check).select_for_update().first() is None:
        return
    if answer.is_valid:
        outcome = _valid(check, answer, now)
    else:
        outcome = ViesOutcome.UNKNOWN
        _end(check, now)
    _current(check).update(outcome=outcome, error="", due_at=now + ASK_AGAIN)


def _end(check: ViesCheck, now: datetime) -> None:
    """Have what was confirmed of a number count no more: VIES does not know it. Say so aloud."""
    mine = ViesConfirmation.objects.filter(tenant=check.tenant, tax_id=check.tax_id)
    if mine.filter(ended_at=None).update(ended_at=now):
        log.error("vies.ended", tenant=str(check.tenant.uuid), tax_id=check.tax_id)
        tenants.services.audit_record(
            action="vies.ended", tenant=check.tenant, actor=None, now=now, target=check.tax_id
        )


def _valid(check: ViesCheck, answer: Answer, now: datetime) -> ViesOutcome:
    """Store whose number VIES says it is; say whether it is what the tenant calls itself."""
    details = TaxDetails.objects.get(tenant=check.tenant_id)
    name = answer.name or (check.name if answer.is_name_matched else "")
    if not name:
        is_known = confirmation_of(details) is not None  # as another proof gave it
        return ViesOutcome.CONFIRMED if is_known else ViesOutcome.NO_NAME
    confirmation = vies_confirm(
        tenant=check.tenant,
        tax_id=check.tax_id,
        name=name[:200],
        address=answer.address[:500],
        request_id=answer.request_id[:40],
        actor=None,
        now=now,
    )
    return ViesOutcome.CONFIRMED if is_of(confirmation, details) else ViesOutcome.OTHER_NAME


def _current(check: ViesCheck) -> QuerySet[ViesCheck]:
    """Return the check's row, as long as it waits and is about the same number and name."""
    return ViesCheck.objects.filter(
        pk=check.pk, tax_id=check.tax_id, name=check.name, outcome=ViesOutcome.WAITING
    )


def _asks() -> bool:
    """Say whether a machine asks at all: in the name of an issuer whom VIES knows itself."""
    return bool(settings.VIES_API_BASE and issuer().is_registered and issuer().country in EU)


def _is_askable(details: TaxDetails) -> bool:
    """Say whether a confirmation makes a difference: between businesses of two member states."""
    is_abroad = details.country in EU and details.country != issuer().country
    return bool(details.tax_id and is_abroad and _asks())
