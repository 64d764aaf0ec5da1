"""Tax: how a buyer is taxed, and what that comes to. Pure, no database.

What is sold is an electronic service at the standard rate, so where the buyer is decides:

    issuer           buyer                                   tax
    ---------------  --------------------------------------  ------------------------------------
    not registered   anybody                                 none
    anywhere         at home, or does not say where          the issuer's country's
    EU               EU abroad, a business VIES confirmed    none, reverse charge (Directive
                                                             2006/112/EC, Art. 44, 196)
    EU               EU abroad, anybody else                 the buyer's country's (Art. 58; paid
                                                             through the One Stop Shop)
    otherwise        abroad                                  none (EU: Art. 44, 58; Japan: outside
                                                             its tax since October 2015, Consumption
                                                             Tax Act, Art. 4 (3) iii)

A business is one whose number and name VIES confirmed: Council Implementing Regulation (EU) No
282/2011, Art. 18 (1) (a). Who gave no number is a consumer: Art. 18 (2).

Tax is rounded once per rate and invoice (Japan: Order for Enforcement of the Consumption Tax Act,
Art. 70-10), half up.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from babel.numbers import get_currency_precision
from django.utils.translation import gettext as _

from billing.money import major, rounded
from billing.tax_countries import EU, HOME_CURRENCY
from tenants.errors import Refused


@dataclass(frozen=True)
class Taxation:
    """How a line is taxed: whose tax it is, what it is called, and its rate in percent."""

    country: str = ""
    name: str = field(default="", compare=False)
    rate: Decimal = Decimal(0)
    is_reverse_charge: bool = False

    def on(self, net: int) -> int:
        """Return the tax on a net sum, half up."""
        return rounded(net * self.rate / 100)

    def frozen(self) -> dict[str, Any]:
        """Return it as JSON that `thawed` reads."""
        return {**asdict(self), "rate": str(self.rate)}

    @classmethod
    def thawed(cls, frozen: Mapping[str, Any]) -> "Taxation":
        return cls(**{**frozen, "rate": Decimal(frozen["rate"])}) if frozen else UNTAXED


UNTAXED = Taxation()


@dataclass(frozen=True)
class Issuer:
    """Who issues. Without a country and a number it is not registered, and charges no tax."""

    country: str
    tax_id: str

    @property
    def is_registered(self) -> bool:
        return bool(self.country and self.tax_id)


@dataclass(frozen=True)
class Buyer:
    """Who is billed, as invoices freeze it. `is_confirmed`: VIES knows the name by the number."""

    name: str
    email: str
    language: str
    address: str = ""
    country: str = ""
    tax_id: str = ""
    reference: str = ""
    is_confirmed: bool = False

    def frozen(self) -> dict[str, str]:
        return {key: value for key, value in vars(self).items() if key != "is_confirmed"}


@dataclass(frozen=True)
class Rate:
    """A country's rate in percent, from a day on and up to and including another."""

    name: str
    rate: Decimal
    valid_from: date
    valid_until: date | None = None


@dataclass(frozen=True)
class Exchange:
    """What one unit of an invoice's currency was worth in the issuer's own on a day, by whom."""

    home_currency: str
    rate: Decimal
    day: date
    source: str


@dataclass(frozen=True)
class TaxTables:
    """What the invoices of one day, in the issuer's time zone, are taxed by.

    `rates` are by country, the newest first; `exchanges` by the invoice's currency.
    """

    day: date
    issuer: Issuer
    rates: Mapping[str, Sequence[Rate]]
    exchanges: Mapping[str, Exchange]

    def standard(self, country: str, on: date) -> Taxation:
        """Return a country's own taxation on a day; none where the table has no rate."""
        for rate in self.rates.get(country, ()):
            if rate.valid_from <= on:
                is_over = rate.valid_until is not None and rate.valid_until < on
                return UNTAXED if is_over else Taxation(country, rate.name, rate.rate)
        return UNTAXED


@dataclass(frozen=True)
class Tax:
    """The tax of one taxation on an invoice; in the issuer's own currency too, where it must be.

    Amounts are in minor units.
    """

    taxation: Taxation
    net: int
    tax: int
    exchange: Exchange | None = None
    home_tax: int | None = None


class Taxed(Protocol):
    """A line, as far as tax goes. `taxation` None: as the buyer is taxed."""

    @property
    def amount(self) -> int: ...
    @property
    def taxation(self) -> Taxation | None: ...


def home_currency(issuer: Issuer) -> str:
    """Return the currency that tax has to be stated in; empty where any will do."""
    return HOME_CURRENCY.get(issuer.country, "") if issuer.is_registered else ""


def taxation_of(*, tables: TaxTables, buyer: Buyer, on: date) -> Taxation:
    """Return how a buyer is taxed for what is supplied on a day (the table above)."""
    issuer = tables.issuer
    if not issuer.is_registered:
        return UNTAXED
    country = buyer.country or issuer.country
    if country == issuer.country:
        return tables.standard(country, on)
    if not {issuer.country, country} <= EU:
        return UNTAXED
    if buyer.is_confirmed:
        return Taxation(country, "VAT", is_reverse_charge=True)
    return tables.standard(country, on)


def taxes_of(
    *, tables: TaxTables, buyer: Buyer, currency: str, lines: Iterable[Taxed], on: date
) -> list[Tax]:
    """Return the taxes of an invoice, the highest rate first; untaxed lines have none.

    Raise Refused where tax has to be stated in another currency and no rate of exchange is known.
    """
    default = taxation_of(tables=tables, buyer=buyer, on=on)
    return [
        _tax(taxation, net, currency, _exchange(tables, currency) if taxation.rate else None)
        for taxation, net in _nets(lines, default).items()
    ]


def credit_tax_of(*, original: Tax, credited: Iterable[Tax], currency: str, net: int) -> Tax:
    """Return the tax of a credit note that takes back so much of a tax's net, below zero.

    It is what the tax of the part that is left comes to, less that of the original and of those
    `credited` so far: so those of all credit notes make up the original's in the end.
    """
    billed = [original, *credited]
    left_net = sum(tax.net for tax in billed) - net
    left = _tax(original.taxation, left_net, currency, original.exchange)
    tax = left.tax - sum(tax.tax for tax in billed)
    home_tax = None
    if left.home_tax is not None:
        home_tax = left.home_tax - sum(tax.home_tax or 0 for tax in billed)
    return Tax(original.taxation, -net, tax, original.exchange, home_tax)


def _nets(lines: Iterable[Taxed], default: Taxation) -> dict[Taxation, int]:
    """Sum the lines up by taxation, the highest rate first, without those that are not taxed."""
    nets: dict[Taxation, int] = defaultdict(int)
    for line in lines:
        nets[line.taxation or default] += line.amount
    nets.pop(UNTAXED, None)
    by_rate = sorted(nets.items(), key=lambda item: (-item[0].rate, item[0].country))
    return {taxation: net for taxation, net in by_rate if net}


def _tax(taxation: Taxation, net: int, currency: str, exchange: Exchange | None) -> Tax:
    """Return the tax on a net sum; in the home currency it is rounded once, from the exact one."""
    home_tax = None
    if exchange is not None:
        exact = major(net * taxation.rate / 100, currency) * exchange.rate
        home_tax = rounded(exact.scaleb(get_currency_precision(exchange.home_currency)))
    return Tax(taxation, net, taxation.on(net), exchange, home_tax)


def _exchange(tables: TaxTables, currency: str) -> Exchange | None:
    """Return the rate by which tax is stated at home; None where it is so already."""
    home = home_currency(tables.issuer)
    if home in {"", currency}:
        return None
    if currency not in tables.exchanges:
        raise Refused(
            _(
                "The tax has to be stated in %(home)s too, but no exchange rate from %(currency)s "
                "to %(home)s of %(day)s or before is known."
            )
            % {"home": home, "currency": currency, "day": tables.day}
        )
    return tables.exchanges[currency]
