"""The month's invoices: written once, numbered without gaps."""

import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import translation

from billing import services
from billing.models import (
    Invoice,
    InvoiceCounter,
    InvoiceKind,
    InvoiceState,
)
from billing.services.invoices import Line, invoice_issue
from tenants.models import Tenant, User
from tests.billing.conftest import SignUpCall, events, subscribe

pytestmark = pytest.mark.django_db(transaction=True)
FIRST = datetime(2026, 12, 1, 6, tzinfo=UTC)
SECOND = datetime(2026, 12, 2, 6, tzinfo=UTC)


class TestFee:
    def test_the_first_writes_the_months_invoice_and_collects_it_once(
        self, sign_up: SignUpCall
    ) -> None:
        tenant = subscribe(sign_up)
        first = services.bill(as_of=FIRST.date(), now=FIRST)
        assert [(i.total, i.tenant) for i in first.written] == [(29_00, tenant)]
        assert first.collected == 1
        again = services.bill(as_of=FIRST.date(), now=FIRST)
        assert (again.written, again.collected, again.failed) == ([], 0, {})
        assert Invoice.objects.filter(state=InvoiceState.PAID).count() == 2
        assert sorted(i.number for i in Invoice.objects.all()) == ["2026-000001", "2026-000002"]

    def test_yen(self, sign_up: SignUpCall) -> None:
        subscribe(sign_up, currency="JPY")
        run = services.bill(as_of=FIRST.date(), now=FIRST)
        assert [i.total for i in run.written] == [4_500]
        assert Invoice.objects.get(kind="order").total == 1_050  # 7 of 30 days

    def test_a_free_tenant_gets_none(self, sign_up: SignUpCall) -> None:
        sign_up("free", now=datetime(2026, 11, 1, tzinfo=UTC))
        assert services.bill(as_of=FIRST.date(), now=FIRST).written == []

    def test_the_month_of_the_start_is_not_billed_again(self, sign_up: SignUpCall) -> None:
        subscribe(sign_up)
        november = datetime(2026, 11, 28, tzinfo=UTC)
        assert services.bill(as_of=november.date(), now=november).written == []

    def test_a_dry_run_writes_nothing(self, sign_up: SignUpCall) -> None:
        subscribe(sign_up)
        run = services.bill(as_of=FIRST.date(), now=FIRST, dry_run=True)
        assert len(run.would_write) == 1
        assert Invoice.objects.count() == 1

    def test_its_lines_are_in_the_tenants_language(
        self, sign_up: SignUpCall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tenant = subscribe(sign_up)
        Tenant.objects.filter(pk=tenant.pk).update(language="ja")
        monkeypatch.setattr(
            "billing.services.fee_lines._", lambda text: f"{translation.get_language()}: {text}"
        )
        (invoice,) = services.bill(as_of=FIRST.date(), now=FIRST).written
        assert invoice.lines.get().description == "ja: Starter, 2026-12"
        assert translation.get_language() == "en"

    def test_one_tenants_failure_stops_no_other(
        self, sign_up: SignUpCall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken, fine = subscribe(sign_up), subscribe(sign_up)

        def failing(**parameters: Any) -> Invoice:
            if parameters["tenant"] == broken:
                raise ValueError("a row that nobody foresaw")
            return invoice_issue(**parameters)

        monkeypatch.setattr("billing.services.monthly.invoice_issue", failing)
        run = services.bill(as_of=FIRST.date(), now=FIRST)
        assert [invoice.tenant for invoice in run.written] == [fine]
        assert run.failed == {f"{broken} ({broken.uuid})": "a row that nobody foresaw"}

    def test_two_runs_at_once_write_and_charge_once(self, sign_up: SignUpCall) -> None:
        for _ in range(3):
            subscribe(sign_up)
        together = threading.Barrier(2)
        failed: list[dict[str, str]] = []

        def run() -> None:
            together.wait()
            failed.append(services.bill(as_of=FIRST.date(), now=FIRST).failed)
            connection.close()

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Where both ask Stripe at the same moment, it may tell one to come again.
        services.bill(as_of=FIRST.date(), now=FIRST)
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
        (invoice,) = services.bill(as_of=date(2026, 12, 1), now=new_year_in_tokyo).written
        assert invoice.number == "2027-000001"
        assert set(InvoiceCounter.objects.values_list("year", "last")) == {(2026, 1), (2027, 1)}


class TestCommand:
    def run(self, *arguments: str) -> str:
        out = StringIO()
        call_command("bill", *arguments, stdout=out)
        return out.getvalue()

    def test_says_what_it_would_write_then_what_it_wrote(self, sign_up: SignUpCall) -> None:
        subscribe(sign_up)
        dry = self.run("--as-of", "2026-12-01", "--dry-run")
        assert "would write  Alice Corp: Starter, 2026-12" in dry
        assert "0 invoices written" in dry
        wet = self.run("--as-of", "2026-12-01")
        assert "$29.00  Alice Corp" in wet
        assert "1 invoices written, 1 collected, 0 declined." in wet
        assert "0 invoices written, 0 collected" in self.run("--as-of", "2026-12-01")

    @pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", "2026-02-30"])
    def test_names_a_bad_date(self, shop: None, text: str) -> None:
        with pytest.raises(CommandError, match="Give a date like 2026-12-01"):
            self.run("--as-of", text)


def test_an_invoice_keeps_the_buyers_old_name(sign_up: SignUpCall, owner: User) -> None:
    tenant = subscribe(sign_up)
    Tenant.objects.filter(pk=tenant.pk).update(name="Renamed")
    buyer = Invoice.objects.get().buyer
    assert (buyer["name"], buyer["email"]) == ("Alice Corp", owner.email)
