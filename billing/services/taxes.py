"""Tax: seed rates, keep what tenants say of themselves, an invoice's taxes as rows."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

import tenants.services
from billing.models import ExchangeRate, Invoice, InvoiceTax, TaxDetails, TaxRate
from billing.services.vies import vies_check_open
from billing.tax_numbers import tax_id_checked
from billing.tax_rates import standard_rates
from billing.taxes import Exchange, Tax, Taxation
from tenants.models import User


def tax_rates_seed() -> None:
    """Enter the standard rates of Japan, the EU's members and the United Kingdom.

    A country that has any rate is left alone.
    """
    known = set(TaxRate.objects.values_list("country", flat=True))
    TaxRate.objects.bulk_create(
        TaxRate(country=country, name=name, rate=rate, valid_from=first_day)
        for country, name, rate, first_day in standard_rates()
        if country not in known
    )


@transaction.atomic
def exchange_rate_set(
    *,
    currency: str,
    home_currency: str,
    day: date,
    rate: Decimal,
    source: str,
    now: datetime,
    actor: User | None = None,
) -> ExchangeRate:
    """Enter what one unit of a currency was worth on a day; a day's rate can be entered anew.

    Invoices that were issued by another one keep it.
    """
    row, _is_new = ExchangeRate.objects.update_or_create(
        currency=currency,
        home_currency=home_currency,
        day=day,
        defaults={"rate": rate, "source": source},
    )
    tenants.services.audit_record(
        action="exchange_rate.set",
        tenant=None,
        actor=actor,
        now=now,
        target=f"{currency} {home_currency} {day}",
        rate=str(rate),
        source=source,
    )
    return row


@transaction.atomic
def tax_details_save(*, details: TaxDetails, actor: User | None, now: datetime) -> TaxDetails:
    """Keep what a tenant says for its invoices; those issued already stay as they are.

    Raise Refused for a tax number that cannot be one of its country.
    """
    details.tax_id = tax_id_checked(country=details.country, number=details.tax_id)
    details.saved_at = now
    details.save()
    vies_check_open(details=details, now=now)
    tenants.services.audit_record(
        action="tax_details.saved",
        tenant=details.tenant,
        actor=actor,
        now=now,
        legal_name=details.legal_name,
        country=details.country,
        tax_id=details.tax_id,
    )
    return details


def tax_rows(*, invoice: Invoice, taxes: Iterable[Tax]) -> list[InvoiceTax]:
    """Return an invoice's taxes as rows, to be written."""
    return [
        InvoiceTax(
            invoice=invoice,
            country=tax.taxation.country,
            name=tax.taxation.name,
            rate=tax.taxation.rate,
            is_reverse_charge=tax.taxation.is_reverse_charge,
            net=tax.net,
            tax=tax.tax,
            home_currency=tax.exchange.home_currency if tax.exchange else "",
            home_tax=tax.home_tax,
            home_rate=tax.exchange.rate if tax.exchange else None,
            home_rate_on=tax.exchange.day if tax.exchange else None,
            home_rate_source=tax.exchange.source if tax.exchange else "",
        )
        for tax in taxes
    ]


def taxes_read(rows: Iterable[InvoiceTax]) -> list[Tax]:
    """Return the taxes that rows say; a credit note's follow from its original's."""
    return [
        Tax(
            Taxation(row.country, row.name, row.rate, row.is_reverse_charge),
            row.net,
            row.tax,
            _exchange(row),
            row.home_tax,
        )
        for row in rows
    ]


def _exchange(row: InvoiceTax) -> Exchange | None:
    if row.home_rate is None or row.home_rate_on is None:
        return None
    return Exchange(row.home_currency, row.home_rate, row.home_rate_on, row.home_rate_source)
