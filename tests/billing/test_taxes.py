"""Tax by hand: who is charged what, rounded how, and what is taken back of it."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.tax_rates import standard_rates
from billing.taxes import (
    UNTAXED,
    Buyer,
    Exchange,
    Issuer,
    Rate,
    Tax,
    Taxation,
    TaxTables,
    credit_tax_of,
    taxation_of,
    taxes_of,
)
from tenants.errors import Refused

DAY = date(2026, 12, 1)
RATES = {
    "JP": [Rate("Consumption tax", Decimal(10), date(2019, 10, 1))],
    "DE": [Rate("VAT", Decimal(19), date(2021, 1, 1))],
    "FR": [Rate("VAT", Decimal(20), date(2014, 1, 1))],
    "GB": [Rate("VAT", Decimal(20), date(2011, 1, 4))],
}
JAPAN, GERMANY = Issuer("JP", "T1234567890123"), Issuer("DE", "DE136695976")
BRITAIN = Issuer("GB", "GB980780684")
TTM = Exchange("JPY", Decimal("151.23"), date(2026, 11, 30), "MUFG TTM")
JP10, DE19 = Taxation("JP", "Consumption tax", Decimal(10)), Taxation("DE", "VAT", Decimal(19))
FR20 = Taxation("FR", "VAT", Decimal(20))


@dataclass(frozen=True)
class L:
    amount: int
    taxation: Taxation | None = None


def tables(issuer: Issuer, **exchanges: Exchange) -> TaxTables:
    return TaxTables(DAY, issuer, RATES, exchanges)


def buyer(country: str = "", *, is_confirmed: bool = False) -> Buyer:
    return Buyer("Alice", "a@example.com", "en", country=country, is_confirmed=is_confirmed)


def taxes(issuer: Issuer, country: str, currency: str, *amounts: int) -> list[Tax]:
    lines = [L(amount) for amount in amounts]
    return taxes_of(
        tables=tables(issuer, USD=TTM), buyer=buyer(country), currency=currency, lines=lines, on=DAY
    )


@pytest.mark.parametrize(
    ("issuer", "country", "is_confirmed", "expected"),
    [
        (Issuer("", ""), "JP", False, UNTAXED),
        (Issuer("JP", ""), "JP", False, UNTAXED),
        (Issuer("", "T1234567890123"), "JP", False, UNTAXED),
        (JAPAN, "JP", False, JP10),
        (JAPAN, "", False, JP10),
        (JAPAN, "DE", False, UNTAXED),
        (JAPAN, "DE", True, UNTAXED),
        (GERMANY, "DE", False, DE19),
        (GERMANY, "DE", True, DE19),
        (GERMANY, "FR", False, FR20),
        (GERMANY, "FR", True, Taxation("FR", is_reverse_charge=True)),
        (GERMANY, "AT", False, UNTAXED),  # the table has no rate
        (GERMANY, "JP", False, UNTAXED),
        (GERMANY, "GB", False, UNTAXED),
        (GERMANY, "GB", True, UNTAXED),  # VIES knows Northern Ireland's numbers, for goods
        (BRITAIN, "GB", False, Taxation("GB", "VAT", Decimal(20))),
        (BRITAIN, "FR", True, UNTAXED),
    ],
)
def test_who_is_charged_what(
    issuer: Issuer, country: str, is_confirmed: bool, expected: Taxation
) -> None:
    who = buyer(country, is_confirmed=is_confirmed)
    assert taxation_of(tables=tables(issuer), buyer=who, on=DAY) == expected


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (date(2025, 12, 31), None),
        (date(2026, 1, 1), 16),
        (date(2026, 6, 30), 16),
        (date(2026, 7, 1), 19),
        (date(2026, 12, 31), 19),
        (date(2027, 1, 1), None),
    ],
)
def test_the_newest_rate_that_has_begun_counts_until_its_last_day(
    on: date, expected: int | None
) -> None:
    rates = {
        "DE": [
            Rate("VAT", Decimal(19), date(2026, 7, 1), date(2026, 12, 31)),
            Rate("VAT", Decimal(16), date(2026, 1, 1)),
        ]
    }
    found = TaxTables(DAY, GERMANY, rates, {}).standard("DE", on)
    assert found == (UNTAXED if expected is None else Taxation("DE", "VAT", Decimal(expected)))


def test_the_seeded_rates_change_on_their_days() -> None:
    rates: dict[str, list[Rate]] = defaultdict(list)
    for country, name, rate, first_day in standard_rates():
        rates[country].insert(0, Rate(name, rate, first_day))
    seeded = TaxTables(DAY, GERMANY, rates, {})
    changes = {
        ("EE", date(2025, 7, 1)): ["22", "24"], ("FI", date(2024, 9, 1)): ["24", "25.5"],
        ("LU", date(2024, 1, 1)): ["16", "17"], ("RO", date(2025, 8, 1)): ["19", "21"],
        ("SK", date(2025, 1, 1)): ["20", "23"],
    }  # fmt: skip
    for (country, first_day), rates_in_turn in changes.items():
        days = (first_day - timedelta(days=1), first_day)
        assert [str(seeded.standard(country, day).rate) for day in days] == rates_in_turn
    assert {country: int(seeded.standard(country, DAY).rate) for country in seeded.rates} == {
        "AT": 20, "BE": 21, "BG": 20, "CY": 19, "CZ": 21, "DE": 19, "DK": 25, "EE": 24, "ES": 21,
        "FI": 25, "FR": 20, "GB": 20, "GR": 24, "HR": 25, "HU": 27, "IE": 23, "IT": 22, "JP": 10,
        "LT": 21, "LU": 17, "LV": 21, "MT": 18, "NL": 21, "PL": 23, "PT": 23, "RO": 21, "SE": 25,
        "SI": 22, "SK": 23,
    }  # fmt: skip


class TestRounding:
    @pytest.mark.parametrize(
        ("amounts", "net", "tax"),
        [
            ((333, 333, 333), 999, 100),  # a line each would make 33 + 33 + 33
            ((4_500,), 4_500, 450),
            ((5,), 5, 1),  # half up
            ((4,), 4, 0),
            ((1_000, -5), 995, 100),  # 99.5
        ],
    )
    def test_once_per_rate_and_invoice(self, amounts: tuple[int], net: int, tax: int) -> None:
        assert taxes(JAPAN, "JP", "JPY", *amounts) == [Tax(JP10, net, tax)]

    def test_each_rate_by_itself_and_what_is_untaxed_not_at_all(self) -> None:
        old = Taxation("JP", "Consumption tax", Decimal(8))
        lines = [L(333), L(133, old), L(333), L(500, UNTAXED), L(333), L(-333, JP10)]
        found = taxes_of(
            tables=tables(JAPAN), buyer=buyer("JP"), currency="JPY", lines=lines, on=DAY
        )
        assert found == [Tax(JP10, 666, 67), Tax(old, 133, 11)]  # 66.6, 10.64

    def test_a_reverse_charge_is_stated_without_tax(self) -> None:
        found = taxes_of(
            tables=tables(GERMANY), buyer=buyer("FR", is_confirmed=True), currency="USD",
            lines=[L(29_00)], on=DAY,
        )  # fmt: skip
        assert found == [Tax(Taxation("FR", is_reverse_charge=True), 29_00, 0)]

    def test_lines_that_cancel_out_leave_no_tax(self) -> None:
        assert taxes(JAPAN, "JP", "JPY", 500, -500) == []


class TestHomeCurrency:
    @pytest.mark.parametrize(
        ("cents", "tax", "yen"),
        [
            (29_00, 2_90, 439),  # 2.90 × 151.23 = 438.567
            (1_05, 11, 16),  # 0.105 × 151.23 = 15.87915; from the rounded 0.11 it would be 16.64
            (1_15, 12, 17),  # 0.115 × 151.23 = 17.39; from 0.12 it would be 18.15
        ],
    )
    def test_dollars_are_taxed_in_yen_too_from_the_exact_tax(
        self, cents: int, tax: int, yen: int
    ) -> None:
        assert taxes(JAPAN, "JP", "USD", cents) == [Tax(JP10, cents, tax, TTM, yen)]

    def test_yen_need_no_exchange(self) -> None:
        assert taxes(JAPAN, "JP", "JPY", 100)[0].exchange is None

    def test_what_is_not_taxed_needs_none(self) -> None:
        lines = [L(29_00)]
        assert not taxes_of(
            tables=tables(JAPAN), buyer=buyer("US"), currency="USD", lines=lines, on=DAY
        )

    def test_where_it_is_missing_it_is_named(self) -> None:
        with pytest.raises(Refused, match="from USD to JPY of 2026-12-01 or before"):
            taxes_of(tables=tables(JAPAN), buyer=buyer("JP"), currency="USD", lines=[L(1)], on=DAY)


class TestCredit:
    def credit(self, original: Tax, *nets: int, currency: str = "JPY") -> list[Tax]:
        """Credit so much, one note after the other; return their taxes."""
        credited: list[Tax] = []
        for net in nets:
            credited.append(
                credit_tax_of(original=original, credited=credited, currency=currency, net=net)
            )
        return credited

    def test_the_last_one_takes_what_is_left(self) -> None:
        # left 666: 67, so 33; left 333: 33, so 34; left nothing: 33.
        taxes = self.credit(Tax(JP10, 999, 100), 333, 333, 333)
        assert [(tax.net, tax.tax) for tax in taxes] == [(-333, -33), (-333, -34), (-333, -33)]

    def test_in_the_home_currency_by_the_originals_rate(self) -> None:
        original = Tax(JP10, 29_00, 2_90, TTM, 439)
        taxes = self.credit(original, 10_00, 19_00, currency="USD")
        # left 19.00: 1.90 × 151.23 = 287.3, so 152
        assert [(tax.tax, tax.home_tax) for tax in taxes] == [(-1_00, -152), (-1_90, -287)]
        assert {tax.exchange for tax in taxes} == {TTM}

    @given(
        nets=st.lists(st.integers(1, 10**7), min_size=1, max_size=12),
        rate=st.decimals(0, 30, places=2),
        fx=st.decimals("0.01", 500, places=4),
    )
    def test_partial_credits_make_up_the_whole(
        self, nets: list[int], rate: Decimal, fx: Decimal
    ) -> None:
        taxation = Taxation("JP", "Consumption tax", rate)
        exchange = Exchange("JPY", fx, DAY, "somewhere")
        original = taxes_of(
            tables=tables(JAPAN, USD=exchange), buyer=buyer("JP"), currency="USD", on=DAY,
            lines=[L(net, taxation) for net in nets],
        )  # fmt: skip
        credited = [tax for whole in original for tax in self.credit(whole, *nets, currency="USD")]
        assert all(tax.tax <= 0 for tax in credited)
        assert sum(t.tax for t in original) == -sum(t.tax for t in credited)
        assert sum(t.home_tax or 0 for t in original) == -sum(t.home_tax or 0 for t in credited)
