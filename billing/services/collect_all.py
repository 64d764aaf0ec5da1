"""Charge all that is open to the saved cards. One tenant's failure never stops another's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from billing import payments
from billing.models import Invoice, PaymentState
from billing.services.collect import invoice_collect, invoice_due, invoices_to_collect

log = structlog.get_logger(__name__)


@dataclass
class CollectRun:
    """What a run did, or would do, a line each in `done`; those that cost nobody anything are not
    there. `failed` maps an invoice's number to the reason.
    """

    done: list[str] = field(default_factory=list)
    collected: int = 0
    declined: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def collect(
    *,
    now: datetime,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CollectRun:
    """Charge the open invoices that no attempt was made for, or whose last one is under way, and
    spend what credit there is for the others. `progress(done, total)` is called with each.
    """
    run = CollectRun()
    ids = list(invoices_to_collect().values_list("pk", flat=True))
    for at, pk in enumerate(ids, start=1):
        progress(at, len(ids))
        invoice = Invoice.objects.select_related("tenant").get(pk=pk)
        who = f"{invoice.number}  {invoice.tenant}"
        try:
            if dry_run:
                would = invoice_due(invoice=invoice)
                run.done += [f"{who}  {would}"] if would else []
                continue
            outcome = invoice_collect(invoice=invoice, now=now)
        except payments.PaymentError as error:
            log.warning("collect.failed", invoice=invoice.number, error=str(error))
            run.failed[invoice.number] = str(error)
            continue
        except Exception as error:
            log.exception("collect.failed", invoice=invoice.number)
            run.failed[invoice.number] = str(error)
            continue
        run.done += [f"{who}  {outcome.label}"] if outcome is not None else []
        run.collected += outcome == PaymentState.SUCCEEDED
        run.declined += outcome in {PaymentState.FAILED, PaymentState.NEEDS_ACTION}
    return run
