"""Tax in words, for pages and invoices."""

from datetime import datetime
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.money import display
from billing.tax_tables import buyers_load, tables_load
from billing.taxes import EU, UNTAXED, Taxation, taxation_of
from tenants.models import Tenant

_NAMES = {
    "VAT": gettext_lazy("VAT"),
    "Consumption tax": gettext_lazy("Consumption tax"),
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
