"""The month's invoices: written once, numbered without gaps."""

import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import translation

from billing import services
from billing.lines import Line
from billing.models import (
    Invoice,
    InvoiceCounter,
    InvoiceKind,
    InvoiceState,
)
from billing.services.invoices import invoice_issue
from tenants.models import Tenant, User
from tests.billing.conftest import SignUpCall, close_and_collect, events, subscribe

pytestmark = pytest.mark.django_db(transaction=True)
FIRST = datetime(2026, 12, 1, 6, tzinfo=UTC)
SECOND = datetime(2026, 12, 2, 6, tzinfo=UTC)


class TestFee:
    def test_the_first_writes_the_months_invoice_and_collects_it_once(
        self, sign_up: SignUpCall
    ) -> None:
        tenant = subscribe(sign_up)
        first = close_and_collect(FIRST)
        assert [(i.total, i.tenant) for i in first.written] == [(29_00, tenant)]
        assert first.collected == 1
        again = close_and_collect(FIRST)
        assert (again.written, again.collected, again.failed) == ([], 0, {})
        assert Invoice.objects.filter(state=InvoiceState.PAID).count() == 2
        assert sorted(i.number for i in Invoice.objects.all()) == ["2026-000001", "2026-000002"]

    def test_yen(self, sign_up: SignUpCall) -> None:
        subscribe(sign_up, currency="JPY")
        run = close_and_collect(FIRST)
        assert [i.total for i in run.written] == [4_500]
        assert Invoice.objects.get(kind="order").total == 1_050  # 7 of 30 days

    def test_a_free_tenant_gets_none(self, sign_up: SignUpCall) -> None:
        sign_up("free", now=datetime(2026, 11, 1, tzinfo=UTC))
        assert close_and_collect(FIRST).written == []

    def test_the_month_of_the_start_is_not_billed_again(self, sign_up: SignUpCall) -> None:
        subscribe(sign_up)
        november = datetime(2026, 11, 28, tzinfo=UTC)
        assert close_and_collect(november).written == []

    def test_a_dry_run_writes_nothing(self, sign_up: SignUpCall) -> None:
        subscribe(sign_up)
        would: list[tuple[int, str]] = []
        run = services.close_month(
            now=FIRST,
            dry_run=True,
            each=lambda invoice, draft: would.append((invoice.total, invoice.number)),
        )
        assert (would, run.invoices) == ([(29_00, "")], 1)
        assert Invoice.objects.count() == 1

    def test_its_lines_are_in_the_tenants_language(
        self, sign_up: SignUpCall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tenant = subscribe(sign_up)
        Tenant.objects.filter(pk=tenant.pk).update(language="ja")
        monkeypatch.setattr(
            "billing.services.fee_lines._", lambda text: f"{translation.get_language()}: {text}"
        )
        (invoice,) = close_and_collect(FIRST).written
        assert invoice.lines.get().description == "ja: Starter, 2026-12"
        assert translation.get_language() == "en"

    def test_two_runs_at_once_write_and_charge_once(self, sign_up: SignUpCall) -> None:
        for _ in range(3):
            subscribe(sign_up)
        together = threading.Barrier(2)
        failed: list[dict[str, str]] = []

        def run() -> None:
            together.wait()
            failed.append(close_and_collect(FIRST).failed)
            connection.close()

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Where both ask Stripe at the same moment, it may tell one to come again.
        close_and_collect(FIRST)
        invoices = Invoice.objects.filter(kind="fee")
        assert [invoice.state for invoice in invoices] == [InvoiceState.PAID] * 3
        numbers = Invoice.objects.order_by("sequence").values_list("sequence", flat=True)
        assert list(numbers) == [1, 2, 3, 4, 5, 6]
        charged = [e for e in events() if e.type == "payment_intent.succeeded"]
        mine = {str(invoice.uuid) for invoice in invoices}
        told = [e.to_dict()["data"]["object"]["metadata"].get("invoice") for e in charged]
        assert sorted(uuid for uuid in told if uuid in mine) == sorted(mine)


class TestNumbers:
    def test_an_issue_that_is_rolled_back_gives_its_number_back(self, sign_up: SignUpCall) -> None:
        tenant = subscribe(sign_up)
        lines = [Line("x", 1, Decimal(1), 1)]

        def issue() -> Invoice:
            return invoice_issue(
                tenant=tenant, kind=InvoiceKind.FEE, currency="USD", lines=lines, now=FIRST,
                period=(date(2026, 12, 1), date(2027, 1, 1)),
            )  # fmt: skip

        with transaction.atomic():
            assert issue().number == "2026-000002"
            transaction.set_rollback(True)
        with transaction.atomic():
            assert issue().number == "2026-000002"

    def test_the_year_is_the_issuers(self, sign_up: SignUpCall, settings: Any) -> None:
        settings.ISSUER_TIME_ZONE = "Asia/Tokyo"
        subscribe(sign_up)
        new_year_in_tokyo = datetime(2026, 12, 31, 15, tzinfo=UTC)
        (invoice,) = close_and_collect(new_year_in_tokyo).written
        assert invoice.number == "2027-000001"
        assert set(InvoiceCounter.objects.values_list("year", "last")) == {(2026, 1), (2027, 1)}


class TestCommand:
    @pytest.fixture(autouse=True)
    def first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock(monkeypatch, FIRST)

    def clock(self, monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
        clock = SimpleNamespace(now=lambda: now)
        monkeypatch.setattr("billing.management.commands.close_month.timezone", clock)

    def run(self, *arguments: str) -> str:
        out = StringIO()
        call_command("close_month", *arguments, stdout=out)
        return out.getvalue()

    def test_says_what_it_would_issue_then_what_it_issued(self, sign_up: SignUpCall) -> None:
        subscribe(sign_up)
        dry = self.run("--month", "2026-11", "--dry-run")
        assert "would issue        $29.00  Alice Corp: Starter, 2026-12" in dry
        assert "1 invoices would be issued." in dry
        wet = self.run("--month", "2026-11")
        assert "2026-000002        $29.00  Alice Corp: Starter, 2026-12" in wet
        assert "1 invoices issued." in wet
        assert self.run("--month", "2026-11") == "0 invoices issued.\n"

    def test_refuses_a_month_that_is_not_over(
        self, sign_up: SignUpCall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        subscribe(sign_up)
        self.clock(monkeypatch, datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
        with pytest.raises(CommandError, match="not over yet"):
            self.run("--month", "2026-11")
        assert Invoice.objects.count() == 1
        assert "1 invoices would be issued." in self.run("--month", "2026-11", "--dry-run")

    @pytest.mark.parametrize("text", ["tomorrow", "2026-13", "2026-02-28"])
    def test_names_a_bad_month(self, shop: None, text: str) -> None:
        with pytest.raises(CommandError, match="Give a month like 2026-12"):
            self.run("--month", text)

    def test_names_who_could_not_be_billed(
        self, sign_up: SignUpCall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tenant = subscribe(sign_up)
        monkeypatch.setattr("billing.services.close_due.month_line", _raise)
        with pytest.raises(CommandError, match=f"1 failed: .*{tenant.uuid}.*nobody foresaw"):
            self.run("--month", "2026-11")


def _raise(*_: Any) -> Line:
    raise ValueError("a row that nobody foresaw")


def test_an_invoice_keeps_the_buyers_old_name(sign_up: SignUpCall, owner: User) -> None:
    tenant = subscribe(sign_up)
    Tenant.objects.filter(pk=tenant.pk).update(name="Renamed")
    buyer = Invoice.objects.get().buyer
    assert (buyer["name"], buyer["email"]) == ("Alice Corp", owner.email)
