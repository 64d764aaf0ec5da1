"""What bookkeepers get: the same rows from the command, the admin and the tenant's page."""

import csv
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from billing.export import COLUMNS, export
from billing.models import ExchangeRate, Invoice
from billing.services.credit_notes import credit_note_issue
from billing.services.taxes import tax_rates_seed
from tenants.models import User
from tests.billing.books import NOW, issued
from tests.cast import PASSWORD, Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def japan(settings: Any) -> None:
    settings.ISSUER_COUNTRY, settings.ISSUER_TAX_ID = "JP", "T5835678256246"
    settings.ISSUER_TIME_ZONE = "Asia/Tokyo"
    tax_rates_seed()
    ExchangeRate.objects.create(
        currency="USD", home_currency="JPY", day=date(2026, 11, 30),
        rate=Decimal("151.23"), source="MUFG TTM",
    )  # fmt: skip


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("invoices_export", *arguments, stdout=out)
    return out.getvalue()


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def test_a_row_per_line_and_per_tax_of_credit_notes_below_zero(japan: None, cast: Cast) -> None:
    invoice = issued(cast.alice_corp, 29_00, 1_00)
    credit_note_issue(invoice=invoice, reason="x", actor=None, now=NOW, amounts={2: 1_00})
    text = run("--from", "2026-12-01", "--until", "2026-12-01")
    assert text.splitlines()[0] == ",".join(COLUMNS)
    said = [
        (r["number"], r["corrects"], r["row"], r["net"], r["tax_rate"], r["tax"], r["home_tax"])
        for r in table(text)
    ]
    assert said == [
        ("2026-000001", "", "line", "29.00", "10", "", ""),
        ("2026-000001", "", "line", "1.00", "10", "", ""),
        ("2026-000001", "", "tax", "30.00", "10", "3.00", "454"),  # 3.00 × 151.23 = 453.69
        ("2026-000002", "2026-000001", "line", "-1.00", "10", "", ""),
        # left 29.00: 2.90 × 151.23 = 438.567, so 439
        ("2026-000002", "2026-000001", "tax", "-1.00", "10", "-0.10", "-15"),
    ]
    tax = table(text)[2]
    assert (tax["exchange_rate"], tax["exchange_rate_on"]) == ("151.23", "2026-11-30")
    as_json = json.loads(run("--from", "2026-12-01", "--until", "2026-12-01", "--format", "json"))
    assert as_json == table(text)


def test_days_are_the_issuers(japan: None, cast: Cast) -> None:
    issued(cast.alice_corp, 1_00, now=datetime(2026, 12, 31, 15, tzinfo=UTC))
    assert len(table(run("--from", "2026-12-01", "--until", "2026-12-31"))) == 0
    assert len(table(run("--from", "2027-01-01", "--until", "2027-01-01"))) == 2
    assert json.loads(run("--from", "2026-12-01", "--until", "2026-12-31", "--format=json")) == []


def test_a_name_is_no_formula(cast: Cast) -> None:
    cast.alice_corp.name = '=HYPERLINK("http://example.net")'
    cast.alice_corp.save()
    issued(cast.alice_corp, 1_00)
    (row,) = table(run("--from", "2026-12-01", "--until", "2026-12-01"))
    assert row["buyer"] == '\'=HYPERLINK("http://example.net")'


def test_a_bad_day_is_named() -> None:
    with pytest.raises(CommandError, match="Give days like 2026-12-01"):
        run("--from", "2026-02-30", "--until", "2026-12-01")


def test_more_invoices_take_no_more_queries(cast: Cast, django_assert_num_queries: Any) -> None:
    for _ in range(3):
        issued(cast.alice_corp, 1_00)
        with django_assert_num_queries(3):
            list(export(Invoice.objects.all(), format_="csv"))


def body(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def test_a_tenant_gets_its_own_alone(cast: Cast, client: Client) -> None:
    mine, _other = issued(cast.alice_corp, 1_00), issued(cast.charlie_corp, 1_00)
    client.force_login(cast.alice)
    assert [r["number"] for r in table(body(client.get("/billing/invoices.csv")))] == [mine.number]
    rows = json.loads(body(client.get("/billing/invoices.json")))
    assert [row["number"] for row in rows] == [mine.number]
    assert "/billing/invoices.csv" in client.get("/billing/invoices/").content.decode()


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_an_operator_exports_what_is_chosen(cast: Cast, client: Client, format_: str) -> None:
    chosen, _other = issued(cast.alice_corp, 1_00), issued(cast.charlie_corp, 1_00)
    client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
    answer = client.post(
        reverse("admin:billing_invoice_changelist"),
        {"action": f"export_{format_}", "_selected_action": [chosen.pk]},
    )
    text = body(answer)
    rows = table(text) if format_ == "csv" else json.loads(text)
    assert [row["number"] for row in rows] == [chosen.number]


def test_the_api_tells_taxes(japan: None, cast: Cast, client: Client) -> None:
    invoice = issued(cast.alice_corp, 29_00)
    client.force_login(cast.alice)
    (tax,) = client.get(f"/api/v1/invoices/{invoice.number}/").json()["taxes"]
    assert (tax["country"], tax["rate"], tax["tax"], tax["home_tax"]) == ("JP", "10.00", 290, 439)
