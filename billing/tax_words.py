"""Tax in words, for pages and invoices."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import TaxDetails, ViesCheck, ViesOutcome
from billing.money import display
from billing.tax_countries import EU
from billing.tax_tables import buyers_load, confirmation_of, issuer_day, tables_load
from billing.taxes import UNTAXED, Taxation, taxation_of
from tenants.models import Tenant

_NAMES = {
    "VAT": gettext_lazy("VAT"),
    "Consumption tax": gettext_lazy("Consumption tax"),
}

_VIES_SAID = {
    ViesOutcome.CONFIRMED: "",  # said of the confirmation, where it counts
    ViesOutcome.WAITING: gettext_lazy("Your VAT number is being checked in VIES."),
    ViesOutcome.UNKNOWN: gettext_lazy(
        "VIES does not know this VAT number. Once it does, save this form again."
    ),
    ViesOutcome.OTHER_NAME: gettext_lazy(
        "VIES knows this VAT number under another name. Enter the name as VIES has it."
    ),
    ViesOutcome.NO_NAME: gettext_lazy(
        "VIES knows this VAT number, but your country does not tell whose it is. We look into it."
    ),
}


def tax_name(name: str, rate: Decimal) -> str:
    """Return what a tax of a rate is called, such as “VAT 25.5 %”."""
    return f"{_NAMES.get(name, name)} {percent(rate)} %"


def percent(rate: Decimal) -> str:
    """Return a rate without needless zeros, as the language writes decimals."""
    return str(number_format(f"{Decimal(rate).normalize():f}"))


def with_tax(*, net: int, currency: str, taxation: Taxation) -> str:
    """Say what a price comes to with its tax; empty where there is none."""
    if not taxation.rate:
        return ""
    return _("%(total)s with %(tax)s") % {
        "total": display(net + taxation.on(net), currency),
        "tax": tax_name(taxation.name, taxation.rate),
    }


def how_taxed(*, tenant: Tenant, now: datetime) -> str:
    """Say what is added to a tenant's prices today, and what could change that."""
    tables = tables_load(now=now)
    buyer = buyers_load(tenant_ids=[tenant.pk])[tenant.pk]
    taxation = taxation_of(tables=tables, buyer=buyer, on=tables.day)
    if taxation.is_reverse_charge:
        return _("No VAT is added (reverse charge): you account for it in your own country.")
    if taxation == UNTAXED:
        return _("No tax is added to our prices.")
    tax = tax_name(taxation.name, taxation.rate)
    if not buyer.country:
        return _("%(tax)s is added to our prices until we know in which country you are.") % {
            "tax": tax
        }
    if buyer.tax_id and buyer.country != tables.issuer.country and buyer.country in EU:
        return _(
            "%(tax)s is added to our prices. Once we have confirmed your VAT number under this "
            "name in VIES, it is no more (reverse charge)."
        ) % {"tax": tax}
    return _("%(tax)s is added to our prices.") % {"tax": tax}


def vies_said(*, details: TaxDetails) -> str:
    """Say what VIES said of a tenant's VAT number; empty where it is not asked."""
    confirmation = confirmation_of(details)
    if confirmation is not None:
        day = date_format(issuer_day(confirmation.confirmed_at), "DATE_FORMAT")
        return _("VIES confirmed your VAT number on %(day)s.") % {"day": day}
    check = ViesCheck.objects.filter(tenant=details.tenant_id).first()
    if check is None or not settings.VIES_API_BASE:
        return ""
    if check.outcome == ViesOutcome.WAITING and check.error:
        return _("VIES could not be asked about your VAT number yet. We try again by ourselves.")
    return str(_VIES_SAID[ViesOutcome(check.outcome)])
