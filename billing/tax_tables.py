"""What taxes.py needs, read from the database: in as many queries for thousands as for one."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any
from unicodedata import normalize
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, Q

from billing.models import (
    Currency,
    ExchangeRate,
    Invoice,
    TaxDetails,
    TaxRate,
    ViesConfirmation,
)
from billing.taxes import (
    Buyer,
    Exchange,
    Issuer,
    Rate,
    Tax,
    Taxation,
    Taxed,
    TaxTables,
    home_currency,
    taxation_of,
    taxes_of,
)
from tenants.ids import Ids
from tenants.models import Member, Role, Tenant, TenantState


def issuer_day(now: datetime) -> date:
    """Return the day that it is where the issuer is."""
    return now.astimezone(ZoneInfo(settings.ISSUER_TIME_ZONE)).date()


def issuer() -> Issuer:
    return Issuer(settings.ISSUER_COUNTRY, settings.ISSUER_TAX_ID)


def issuer_frozen() -> dict[str, str]:
    """Return what invoices freeze of the issuer."""
    return {
        "name": settings.ISSUER_NAME,
        "address": settings.ISSUER_ADDRESS,
        "country": settings.ISSUER_COUNTRY,
        "tax_id": settings.ISSUER_TAX_ID,
        "bank": settings.ISSUER_BANK,
    }


def tables_load(*, now: datetime) -> TaxTables:
    """Read the rates of all countries, and the newest rates of exchange of the day or before."""
    rates: dict[str, list[Rate]] = defaultdict(list)
    for row in TaxRate.objects.order_by("-valid_from"):
        rates[row.country].append(Rate(row.name, row.rate, row.valid_from, row.valid_until))
    day = issuer_day(now)
    home = home_currency(issuer())
    exchanges = {}
    for currency in Currency.values:
        known = ExchangeRate.objects.filter(currency=currency, home_currency=home, day__lte=day)
        newest = known.order_by("-day").first() if home else None
        if newest is not None:
            exchanges[currency] = Exchange(home, newest.rate, newest.day, newest.source)
    return TaxTables(day, issuer(), rates, exchanges)


def buyers_load(*, tenant_ids: Collection[int]) -> dict[int, Buyer]:
    """Return who is billed for each tenant: what it said for its invoices, else its owner's. Of one
    that has gone it is who its last invoice names.
    """
    ids = Ids(tenant_ids)
    emails: dict[int, str] = {}
    owners = Member.objects.filter(tenant__in=ids, role=Role.OWNER)
    for tenant_id, email in owners.order_by("-created_at").values_list("tenant", "user__email"):
        emails[tenant_id] = email  # the first owner's is the last one here
    confirmed = defaultdict(list)
    confirmations = ViesConfirmation.objects.filter(
        Q(tax_id=F("tenant__tax_details__tax_id")) | Q(tenant__tax_details=None),
        tenant__in=ids,
        ended_at=None,
    )
    for confirmation in confirmations:
        confirmed[confirmation.tenant_id].append(confirmation)
    said = {each.tenant_id: each for each in TaxDetails.objects.filter(tenant__in=ids)}
    tenants = Tenant.objects.filter(pk__in=ids).values_list("pk", "name", "language", "state")
    gone = [pk for pk, *_, state in tenants if state != TenantState.ACTIVE and pk not in said]
    said |= _said_last(gone)
    buyers = {}
    for pk, name, language, _state in tenants:
        details, email = said.get(pk), emails.get(pk, "")
        buyers[pk] = (
            Buyer(name, email, language)
            if details is None
            else Buyer(
                name=details.legal_name,
                email=details.email or email,
                language=language,
                address=details.address,
                country=details.country,
                tax_id=details.tax_id,
                reference=details.reference,
                is_confirmed=any(is_of(one, details) for one in confirmed[pk]),
            )
        )
    return buyers


def _said_last(tenant_ids: Collection[int]) -> dict[int, TaxDetails]:
    """Return what the last invoices of tenants say of them, who do not say it themselves."""
    if not tenant_ids:
        return {}
    invoices = Invoice.objects.filter(tenant__in=tenant_ids).order_by("issued_at", "pk")
    said = {}
    for pk, buyer in invoices.values_list("tenant", "buyer"):
        names = ("email", "address", "country", "tax_id", "reference")
        same = {name: buyer[name] for name in names}
        said[pk] = TaxDetails(tenant_id=pk, legal_name=buyer["name"], **same)
    return said


def taxation_today(*, tenant: Tenant, now: datetime) -> Taxation:
    """Return how a tenant is taxed for what it buys now."""
    tables = tables_load(now=now)
    buyer = buyers_load(tenant_ids=[tenant.pk])[tenant.pk]
    return taxation_of(tables=tables, buyer=buyer, on=tables.day)


def priced(*, tenant: Tenant, net: int, now: datetime) -> dict[str, Any]:
    """Return what a net sum costs a tenant today, in its minor units: an order's `amount`, with
    `tax` in it, and the `taxation` of all its lines.
    """
    taxation = taxation_today(tenant=tenant, now=now)
    tax = taxation.on(net)
    return {"amount": net + tax, "tax": tax, "taxation": taxation.frozen()}


def taxes_today(
    *, tenant: Tenant, currency: str, lines: Sequence[Taxed], now: datetime
) -> list[Tax]:
    """Return the taxes that an invoice of these lines has today. Raise Refused (taxes.py)."""
    tables = tables_load(now=now)
    buyer = buyers_load(tenant_ids=[tenant.pk])[tenant.pk]
    return taxes_of(tables=tables, buyer=buyer, currency=currency, lines=lines, on=tables.day)


def confirmation_of(details: TaxDetails) -> ViesConfirmation | None:
    """Return the newest confirmation that counts for what a tenant says of itself."""
    confirmations = ViesConfirmation.objects.filter(tenant=details.tenant_id, ended_at=None)
    return next((one for one in confirmations if is_of(one, details)), None)


def is_of(confirmation: ViesConfirmation, details: TaxDetails) -> bool:
    """Say whether VIES confirmed this number under this name, as letters and digits go."""
    return bool(details.tax_id) and (confirmation.tax_id, _plain(confirmation.name)) == (
        details.tax_id,
        _plain(details.legal_name),
    )


def _plain(name: str) -> str:
    return "".join(sign for sign in normalize("NFKC", name).casefold() if sign.isalnum())
