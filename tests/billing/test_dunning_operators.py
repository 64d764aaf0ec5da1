"""What operators do to a case: look, pause, give up; and the command's dry run."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billing import services
from billing.models import (
    Account,
    DunningCase,
    Entry,
    InvoiceState,
)
from tenants.errors import Refused
from tenants.models import User
from tests.billing.conftest import BACK, SignUpCall, pay
from tests.billing.dunned import (
    DECLINES,
    is_held,
    kinds,
    on,
    taken,
    uncollected,
    until_suspended,
)
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


class TestOperators:
    @pytest.fixture
    def operator(self, shop: None, client: Client) -> Client:
        client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
        return client

    def act(self, operator: Client, action: str, case: DunningCase) -> str:
        page = reverse("admin:billing_dunningcase_changelist")
        chosen = {"action": action, "_selected_action": [case.pk], "answered": "yes"}
        answer = operator.post(page, chosen, follow=True)
        return " ".join(str(message) for message in answer.context["messages"])

    def test_a_case_shows_its_steps(self, sign_up: SignUpCall, operator: Client) -> None:
        uncollected(sign_up)
        services.dun(now=on(1))
        services.dun(now=on(2))
        case = DunningCase.objects.get()
        page = operator.get(reverse("admin:billing_dunningcase_change", args=[case.pk]))
        assert "not enough money on the card" in page.content.decode()
        assert operator.get(reverse("admin:billing_dunningstep_changelist")).status_code == 200

    def test_a_paused_case_takes_no_step_until_it_goes_on(
        self, sign_up: SignUpCall, operator: Client
    ) -> None:
        uncollected(sign_up)
        services.dun(now=on(1))
        case = DunningCase.objects.get()
        self.act(operator, "pause", case)
        services.dun(now=on(20))
        assert taken() == []
        self.act(operator, "go_on", case)
        services.dun(now=on(20))
        assert taken() == [(20, 1, "declined")]

    def test_given_up_it_is_a_loss_in_the_books_and_keys_work_again(
        self, sign_up: SignUpCall, operator: Client
    ) -> None:
        invoice = uncollected(sign_up)
        case = until_suspended(invoice)
        self.act(operator, "give_up", case)
        invoice.refresh_from_db()
        assert invoice.state == InvoiceState.UNCOLLECTIBLE
        entries = Entry.objects.filter(posting__key=f"written-off:{invoice.uuid}")
        assert dict(entries.values_list("account", "amount")) == {
            "losses": 29_00, "receivable": -29_00,
        }  # fmt: skip
        assert not is_held(invoice.tenant)
        assert "reactivated" not in kinds()
        assert "is not open" in self.act(operator, "give_up", case)
        with pytest.raises(Refused):
            services.case_give_up(case=case, actor=User.objects.latest("id"), now=on(17))

    def test_giving_up_is_asked_about_first(self, sign_up: SignUpCall, operator: Client) -> None:
        invoice = uncollected(sign_up)
        services.dun(now=on(1))
        chosen = {"action": "give_up", "_selected_action": [DunningCase.objects.get().pk]}
        page = operator.post(reverse("admin:billing_dunningcase_changelist"), chosen)
        assert f"Written off as losses: {invoice.number} ($29.00)." in page.content.decode()
        invoice.refresh_from_db()
        assert invoice.state == InvoiceState.OPEN

    def test_who_may_only_view_cannot_act(self, sign_up: SignUpCall, client: Client) -> None:
        invoice = uncollected(sign_up)
        services.dun(now=on(1))
        viewer = User.objects.create_user("viewer@example.com", PASSWORD, is_staff=True)
        viewing = Permission.objects.filter(
            content_type__app_label="billing", codename__startswith="view_"
        )
        viewer.user_permissions.set(viewing)
        client.force_login(viewer)
        self.act(client, "give_up", DunningCase.objects.get())
        invoice.refresh_from_db()
        assert invoice.state == InvoiceState.OPEN
        request = RequestFactory().get("/")
        request.user = viewer
        offered = {
            name
            for model, model_admin in admin.site._registry.items()
            if model._meta.app_label == "billing"
            for name in model_admin.get_actions(request)
        }
        assert offered == {"export_csv", "export_json"}

    def test_pausing_locks_the_tenant_before_the_case(
        self, sign_up: SignUpCall, operator: Client
    ) -> None:
        uncollected(sign_up)
        services.dun(now=on(1))
        case, actor = DunningCase.objects.get(), User.objects.latest("id")
        with CaptureQueriesContext(connection) as queries:
            services.case_pause(case=case, is_paused=True, actor=actor, now=on(2))
        read = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
        tables = re.findall(r'FROM "(\w+)"', " ".join(read))
        assert tables[1:4] == ["tenants_tenant", "billing_invoice", "billing_dunningcase"]

    def test_what_comes_in_after_all_makes_the_loss_smaller(
        self, sign_up: SignUpCall, operator: Client
    ) -> None:
        invoice = uncollected(sign_up)
        services.dun(now=on(1))
        url = services.invoice_checkout(
            invoice=invoice, success_url=BACK, cancel_url=BACK, now=on(1, 8)
        )
        self.act(operator, "give_up", DunningCase.objects.get())
        pay(url)  # the page was open
        services.invoice_check(invoice=invoice, now=on(1, 9))
        invoice.refresh_from_db()
        assert (invoice.state, invoice.amount_due) == (InvoiceState.PAID, 0)
        for account in (Account.LOSSES, Account.RECEIVABLE):
            about = Entry.objects.filter(posting__invoice=invoice, account=account)
            assert sum(entry.amount for entry in about) == 0

    def test_a_dry_run_says_what_it_would_do_and_does_nothing(
        self, sign_up: SignUpCall, capsys: pytest.CaptureFixture[str]
    ) -> None:
        invoice = uncollected(sign_up, DECLINES)
        call_command("dun", dry_run=True)
        assert f"would open  {invoice.number}" in capsys.readouterr().out
        assert not DunningCase.objects.exists()
        call_command("dun")
        DunningCase.objects.update(opened_at=timezone.now() - timedelta(days=2))
        call_command("dun", dry_run=True)
        assert "would take" in capsys.readouterr().out
        assert taken() == []
