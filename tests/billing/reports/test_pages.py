"""The reports as operators see them: who may, what is there, and the same as CSV."""

import csv
from datetime import UTC, date, datetime

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from billing.admin_reports import titles
from billing.models import Plan
from billing.report_pages import cost_page, revenue_page
from billing.reports.months import Months, months_until, moved
from tenants.models import User
from tests.billing.reports.conftest import Holds, bill, use

NAMES = list(titles())


@pytest.fixture
def operator(db: None, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator@example.com", "barrier-station-53"))
    return client


def rows(client: Client, name: str, **asked: str) -> list[dict[str, str]]:
    answer = client.get(reverse("report-csv", args=[name]), asked)
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.DictReader(text.splitlines()))


def test_reports_are_for_operators_who_may_view_invoices(db: None, client: Client) -> None:
    addresses = [reverse("reports")]
    for name in NAMES:
        addresses += [reverse("report", args=[name]), reverse("report-csv", args=[name])]
    member = User.objects.create_user("member@example.com", "barrier-station-53")
    clerk = User.objects.create_user("clerk@example.com", "barrier-station-53", is_staff=True)

    def answers() -> set[int]:
        return {client.get(address).status_code for address in addresses}

    for user in (None, member):
        if user:
            client.force_login(user)
        for address in addresses:
            assert client.get(address).headers["Location"] == f"/admin/login/?next={address}"
    client.force_login(clerk)
    assert answers() == {403}
    assert "/admin/reports/" not in client.get("/admin/").content.decode()
    clerk.user_permissions.add(Permission.objects.get(codename="view_invoice"))
    assert answers() == {200}
    page = client.get("/admin/").content.decode()
    assert all(address in page for address in addresses if not address.endswith(".csv"))
    assert reverse("admin:billing_invoice_changelist") in page


def test_a_new_installation_is_told_what_will_be_there(operator: Client) -> None:
    for name in NAMES:
        page = operator.get(reverse("report", args=[name])).content.decode()
        assert "report-empty" in page
        assert "<canvas" not in page
    assert "Nothing was invoiced yet." in operator.get(reverse("reports")).content.decode()


def test_pages_and_csv_say_the_same(operator: Client, holds: Holds) -> None:
    this = months_until(datetime.now(UTC)).last
    before = moved(this, -1)
    ann = holds("=Ann", ("starter", before))
    bill(ann, 29_00, datetime(before.year, before.month, 3, tzinfo=UTC), paid=9_00)
    ben = holds("Ben", ("pro", date(2025, 1, 1)), ("free", this), currency="JPY")
    bill(ben, 30_000, datetime(2025, 1, 3, tzinfo=UTC), currency="JPY", paid=30_000)

    page = operator.get(reverse("report", args=["revenue"])).content.decode()
    assert ("$29.00" in page, "$9.00" in page, "¥30,000" in page) == (True, True, False)
    assert rows(operator, "revenue") == [
        {"currency": "USD", "month": f"{before:%Y-%m}", "plan": "Starter", "invoiced": "29.00",
         "credited": "0.00", "revenue": "29.00", "with_tax": "29.00", "collected": "9.00"}
    ]  # fmt: skip
    (old,) = rows(operator, "revenue", first="2025-01", last="2025-02")
    assert (old["currency"], old["plan"], old["revenue"]) == ("JPY", "Pro", "30000")

    page = operator.get(reverse("report", args=["mrr"])).content.decode()
    assert ("¥30,000" in page, "-¥30,000" in page, "100.0 %" in page) == (True, True, True)
    *_, last = rows(operator, "mrr")
    assert (last["month"], last["opening"], last["closing"]) == (f"{this:%Y-%m}", "29.00", "29.00")

    page = operator.get(reverse("report", args=["ageing"])).content.decode()
    assert page.count("$20.00") >= 2
    assert [(row["name"], row["total"]) for row in rows(operator, "ageing")] == [("'=Ann", "20.00")]

    index = operator.get(reverse("reports")).content.decode()
    assert all(text in index for text in ("$29.00", "of $20.00 owed", "-¥30,000 this month"))


def test_wrong_months_are_told(operator: Client) -> None:
    for first, last in (("2026-02", "2026-01"), ("x", "2026-01"), ("2000-01", "2026-01"),
                        ("2026-01", "9999-12")):  # fmt: skip
        for name in ("report", "report-csv"):
            address = reverse(name, args=["mrr"])
            assert operator.get(address, {"first": first, "last": last}).status_code == 400
    assert operator.get("/admin/reports/nothing/").status_code == 404


def test_plans_of_one_name_are_told_apart_and_the_csv_asks_for_no_more_than_it_has(
    holds: Holds, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    month, now = date(2026, 1, 1), datetime(2026, 1, 3, tzinfo=UTC)
    Plan.objects.filter(code__in=["starter", "pro"]).update(name="Plan")
    for name, code, requests in (("Ann", "starter", 10), ("Ben", "pro", 20)):
        tenant = holds(name, (code, month))
        bill(tenant, requests * 100, now)
        use(tenant, month, requests)

    revenue = revenue_page(months=Months(month, month), now=now)
    with django_assert_num_queries(6):  # the plans' names, what a unit costs, the month
        cost = cost_page(months=Months(month, month), now=now)
        assert len(list(cost.table.lines())) == 3

    (chart,) = (section.chart for section in revenue.sections)
    assert chart is not None
    assert [list(one.values) for one in chart.series] == [[10], [20]]
    assert chart.unit == "US dollar (USD)"
    plans = cost.sections[0]
    assert plans.chart is not None
    assert len(plans.chart.series) == 2
    assert plans.chart.unit == "Cost in US dollars (USD)"
    assert [row["requests"] for row in plans.table.rows] == [10, 20]
