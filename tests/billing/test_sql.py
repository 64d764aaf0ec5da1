"""Rows that are written past the ORM: they read back the same, and are checked as ever."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from billing import services
from billing.models import Invoice, Posting, TaxRate
from billing.sql import rows_insert
from tests.billing.months import tenant_new

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 12, 1, 6, 0, 0, 1, tzinfo=UTC)
COLUMNS = ["country", "name", "rate", "valid_from", "valid_until"]


def test_rows_read_back_as_they_were() -> None:
    rows: list[tuple[Any, ...]] = [
        ("JP", "消費税 \t\\N %s \"'\n", Decimal(10), date(2019, 10, 1), None),
        ("DE", "", Decimal("19.50"), date(2007, 1, 1), date(2026, 12, 31)),
    ]
    rows_insert(TaxRate, columns=COLUMNS, rows=rows)
    rows_insert(TaxRate, columns=COLUMNS, rows=[])
    assert list(TaxRate.objects.order_by("pk").values_list(*COLUMNS)) == rows


def test_json_and_times_are_as_the_orm_writes_them() -> None:
    services.seed(now=NOW)
    invoice = Invoice(
        tenant=tenant_new(), kind="fee", currency="USD", subtotal=1, total=1,
        period_start=date(2026, 12, 1), period_end=date(2027, 1, 1),
        buyer={"name": "アリス \\ \"A\""}, issued_at=NOW,
    )  # fmt: skip
    columns = [field.attname for field in Invoice._meta.concrete_fields if not field.primary_key]
    rows_insert(Invoice, columns=columns, rows=[[getattr(invoice, name) for name in columns]])
    (found,) = Invoice.objects.all()
    assert [getattr(found, name) for name in columns] == [
        getattr(invoice, name) for name in columns
    ]


def test_what_the_database_refuses_is_refused_whole() -> None:
    row = ("invoice:1", "USD", NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        rows_insert(Posting, columns=["key", "currency", "posted_at"], rows=[row, row])
    assert not Posting.objects.exists()
