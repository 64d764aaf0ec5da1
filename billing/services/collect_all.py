"""Charge all that is open to the saved cards. One tenant's failure never stops another's."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from billing import payments
from billing.balances import credit_balance
from billing.models import Customer, Invoice, PaymentMethod, PaymentState
from billing.models.catalog import is_too_small
from billing.money import display
from billing.services.attempts import last_attempt
from billing.services.collect import invoice_collect, invoices_to_collect

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
    spent: Counter[tuple[int, str]] = Counter()
    ids = list(invoices_to_collect().values_list("pk", flat=True))
    for at, pk in enumerate(ids, start=1):
        progress(at, len(ids))
        invoice = Invoice.objects.select_related("tenant").get(pk=pk)
        who = f"{invoice.number}  {invoice.tenant}"
        try:
            if dry_run:
                would = _would(invoice, spent)
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
        said = outcome.label if outcome is not None else _spent(invoice)
        run.done += [f"{who}  {said}"] if said else []
        run.collected += outcome == PaymentState.SUCCEEDED
        run.declined += outcome in {PaymentState.FAILED, PaymentState.NEEDS_ACTION}
    return run


def _spent(invoice: Invoice) -> str:
    """Return in words what was paid of an invoice since it was read, though no card was charged."""
    before = invoice.amount_due
    invoice.refresh_from_db()
    amount = before - invoice.amount_due
    return f"spent credit {display(amount, invoice.currency, language='en')}" if amount else ""


def _would(invoice: Invoice, spent: Counter[tuple[int, str]]) -> str:
    """Return in words what `invoice_collect` would do; empty where there is nothing to do.

    `spent` is what the same run would have spent before of each tenant's credit, by currency.
    """
    last = last_attempt(invoice)
    if last is not None and last.state == PaymentState.PENDING:
        return f"look up attempt {last.attempt}"
    if last is not None and last.state == PaymentState.NEEDS_ACTION:
        return ""
    mine = (invoice.tenant_id, invoice.currency)
    left = credit_balance(tenant=invoice.tenant, currency=invoice.currency) - spent[mine]
    credit = max(min(left, invoice.amount_due), 0)
    spent[mine] += credit
    rest = invoice.amount_due - credit
    tried = invoice.payments.filter(method=PaymentMethod.CARD).exclude(payment_method_id="")
    cards = Customer.objects.filter(tenant=invoice.tenant).exclude(payment_method_id="")
    is_enough = not is_too_small(rest, invoice.currency)
    is_charged = is_enough and cards.exists() and not tried.exists()
    parts = (("spend credit", credit), ("charge", rest if is_charged else 0))
    return ", ".join(
        f"{what} {display(amount, invoice.currency, language='en')}"
        for what, amount in parts
        if amount
    )
