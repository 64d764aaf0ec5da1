"""Amounts, shares of a month and graduated prices, worked by hand."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import tiers
from billing.money import display, display_unit, prorated, rounded
from billing.tiers import Tier

PAYG_USD = (Tier(1_000, Decimal(0)), Tier(100_000, Decimal("0.2")), Tier(None, Decimal("0.1")))
PAYG_JPY = (Tier(1_000, Decimal(0)), Tier(100_000, Decimal("0.3")), Tier(None, Decimal("0.15")))


@pytest.mark.parametrize(
    ("amount", "expected"), [("0.5", 1), ("1.5", 2), ("2.4999", 2), ("2.5", 3), ("0", 0)]
)
def test_half_goes_up(amount: str, expected: int) -> None:
    assert rounded(Decimal(amount)) == expected


@pytest.mark.parametrize(
    ("fee", "days", "of", "expected"),
    [
        (29_00, 30, 30, 29_00),
        (29_00, 7, 30, 677),  # 676.67
        (29_00, 1, 31, 94),  # 93.55
        (29_00, 1, 28, 104),  # 103.57
        (4_500, 7, 30, 1_050),
        (4_500, 1, 29, 155),  # 155.17
    ],
)
def test_a_share_of_a_month(fee: int, days: int, of: int, expected: int) -> None:
    assert prorated(fee, days=days, of=of) == expected


@pytest.mark.parametrize(
    ("steps", "used", "expected"),
    [
        (PAYG_USD, 0, 0),
        (PAYG_USD, 1_000, 0),
        (PAYG_USD, 1_001, 0),  # 0.2 cents
        (PAYG_USD, 1_003, 1),  # 0.6 cents
        (PAYG_USD, 100_000, 198_00),
        (PAYG_USD, 100_001, 198_00),  # the bound is inclusive; 0.1 cents above it
        (PAYG_USD, 200_000, 198_00 + 100_00),
        (PAYG_JPY, 100_000, 29_700),
        (PAYG_JPY, 100_010, 29_702),  # 1.5 yen, up
    ],
)
def test_graduated_prices(steps: tuple[Tier, ...], used: int, expected: int) -> None:
    assert tiers.price(steps, used) == expected


@given(st.integers(0, 10**9))
def test_every_request_is_in_one_line(used: int) -> None:
    assert sum(line.quantity for line in tiers.lines(PAYG_USD, used)) == used


def test_people_read_amounts_in_their_own_way() -> None:
    assert display(29_00, "USD", language="en") == "$29.00"
    assert display(4_500, "JPY", language="en") == "¥4,500"
    assert display(4_500, "JPY", language="ja") == "￥4,500"
    assert display_unit(Decimal("0.2"), "USD", language="en") == "$0.002"
    assert display_unit(Decimal(4_500), "JPY", language="en") == "¥4,500"
