"""Charge all that is open to the saved cards. One tenant's failure never stops another's."""

from dataclasses import dataclass, field
from datetime import datetime

import structlog

from billing import payments
from billing.models import PaymentState
from billing.services.collect import invoice_collect, invoices_to_collect

log = structlog.get_logger(__name__)


@dataclass
class CollectRun:
    """What a run did. `failed` maps an invoice's number to the reason."""

    collected: int = 0
    declined: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def collect(*, now: datetime) -> CollectRun:
    """Charge the open invoices that no attempt was made for, or whose last one is under way."""
    run = CollectRun()
    for invoice in invoices_to_collect():
        try:
            outcome = invoice_collect(invoice=invoice, now=now)
        except payments.PaymentError as error:
            log.warning("collect.failed", invoice=invoice.number, error=str(error))
            run.failed[invoice.number] = str(error)
            continue
        except Exception as error:
            log.exception("collect.failed", invoice=invoice.number)
            run.failed[invoice.number] = str(error)
            continue
        run.collected += outcome == PaymentState.SUCCEEDED
        run.declined += outcome in {PaymentState.FAILED, PaymentState.NEEDS_ACTION}
    return run
