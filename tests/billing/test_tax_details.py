"""What tenants say for their invoices, what VIES says of them, and what operators enter."""

from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from billing.models import ExchangeRate, TaxDetails, TaxRate, ViesConfirmation
from billing.services.taxes import tax_details_save, tax_rates_seed
from billing.services.vies import vies_confirm
from billing.tax_numbers import countries, tax_id_checked
from billing.tax_tables import buyers_load
from billing.tax_words import how_taxed, tax_name
from tenants.errors import Refused
from tenants.models import AuditEntry, Member, Role, Tenant, User
from tests.cast import PASSWORD, Cast

pytestmark = pytest.mark.django_db
FRENCH = "FR40303265045"


@pytest.fixture
def germany(settings: Any) -> None:
    settings.ISSUER_COUNTRY, settings.ISSUER_TAX_ID = "DE", "DE136695976"
    tax_rates_seed()


def save(tenant: Tenant, country: str, tax_id: str = "", name: str = "Alice SARL") -> TaxDetails:
    return tax_details_save(
        details=TaxDetails(
            tenant=tenant, legal_name=name, address="1 rue A", country=country, tax_id=tax_id
        ),
        actor=None,
        now=timezone.now(),
    )


def confirm(tenant: Tenant, name: str = "ALICE S.A.R.L", tax_id: str = FRENCH) -> None:
    vies_confirm(
        tenant=tenant, tax_id=tax_id, name=name, address="", request_id="WAPIAAAA1",
        actor=None, now=timezone.now(),
    )  # fmt: skip


class TestNumbers:
    @pytest.mark.parametrize(
        ("country", "typed", "kept"),
        [
            ("DE", "", ""),
            ("DE", "DE 136.695.976", "DE136695976"),
            ("DE", "136695976", "DE136695976"),
            ("FR", "fr 40 303 265 045", FRENCH),
            ("GR", "EL 094259216", "EL094259216"),
            ("GB", "980 7806 84", "GB980780684"),
            ("GB", "XI 980 7806 84", "GB980780684"),  # XI is for goods
            ("JP", "T 5835678256246", "T5835678256246"),
            ("JP", "5835678256246", "T5835678256246"),
            ("US", "12-3456789", "123456789"),
        ],
    )
    def test_are_kept_in_their_usual_form(self, country: str, typed: str, kept: str) -> None:
        assert tax_id_checked(country=country, number=typed) == kept

    @pytest.mark.parametrize(
        ("country", "typed", "reason"),
        [
            ("DE", "DE136695977", "typing error"),
            ("DE", "DE13669597", "too short"),
            ("DE", "DE13669597X", "does not look like"),
            ("DE", FRENCH, "does not look like|too long"),
            ("JP", "T5835678256247", "typing error"),
            ("JP", "T583567825624", "too short"),
        ],
    )
    def test_say_what_is_wrong_with_them(self, country: str, typed: str, reason: str) -> None:
        with pytest.raises(Refused, match=reason):
            tax_id_checked(country=country, number=typed)

    @pytest.mark.parametrize(("language", "name"), [("en", "Japan"), ("ja", "日本")])
    def test_countries_are_named_in_the_language_in_use(self, language: str, name: str) -> None:
        with translation.override(language):
            found = dict(countries())
        assert found["JP"] == name
        assert len(found) == 249  # ISO 3166-1's officially assigned
        assert not {"EU", "ZZ", "XK"} & set(found)


class TestConfirmation:
    def test_of_this_number_and_name_makes_it_a_reverse_charge(
        self, germany: None, cast: Cast
    ) -> None:
        save(cast.alice_corp, "FR", FRENCH)
        now = timezone.now()
        said = how_taxed(tenant=cast.alice_corp, now=now)
        assert said.startswith("VAT 20 % is added to our prices. Once we have confirmed")
        confirm(cast.alice_corp)
        assert "reverse charge" in how_taxed(tenant=cast.alice_corp, now=now)
        assert "Once" not in how_taxed(tenant=cast.alice_corp, now=now)

    @pytest.mark.parametrize(
        ("name", "tax_id"), [("Bob SARL", FRENCH), ("Alice SARL", "FR61954506077")]
    )
    def test_of_another_is_none(self, germany: None, cast: Cast, name: str, tax_id: str) -> None:
        save(cast.alice_corp, "FR", FRENCH)
        confirm(cast.alice_corp, name, tax_id)
        confirm(cast.charlie_corp)
        assert not buyers_load(tenant_ids=[cast.alice_corp.pk])[cast.alice_corp.pk].is_confirmed

    def test_a_new_name_needs_a_new_one(self, germany: None, cast: Cast) -> None:
        details = save(cast.alice_corp, "FR", FRENCH)
        confirm(cast.alice_corp)
        assert buyers_load(tenant_ids=[cast.alice_corp.pk])[cast.alice_corp.pk].is_confirmed
        details.legal_name = "Alice et Fils SARL"
        tax_details_save(details=details, actor=None, now=timezone.now())
        assert not buyers_load(tenant_ids=[cast.alice_corp.pk])[cast.alice_corp.pk].is_confirmed


def test_thousands_of_buyers_take_as_many_queries_as_one(
    cast: Cast, django_assert_num_queries: Any
) -> None:
    save(cast.alice_corp, "FR")
    for tenants in ([cast.alice_corp], [cast.alice_corp, cast.charlie_corp]):
        with django_assert_num_queries(4):
            buyers = buyers_load(tenant_ids=[tenant.pk for tenant in tenants])
    assert buyers[cast.alice_corp.pk].name == "Alice SARL"
    assert buyers[cast.alice_corp.pk].email == "alice@example.com"
    assert buyers[cast.charlie_corp.pk].name == "Charlie Corp"


@pytest.mark.parametrize(
    ("language", "rate", "said"),
    [("en", "25.50", "Consumption tax 25.5 %"), ("ja", "10.00", "消費税 10 %")],
)
def test_a_rate_in_words(language: str, rate: str, said: str) -> None:
    with translation.override(language):
        assert tax_name("Consumption tax", Decimal(rate)) == said


class TestPage:
    FORM = {
        "legal_name": "Alice SARL", "address": "1 rue A\n75001 Paris", "country": "FR",
        "tax_id": "fr 40 303 265 045", "email": "", "reference": "PO 7",
    }  # fmt: skip

    def test_says_what_is_added_before_and_after(
        self, germany: None, cast: Cast, client: Client
    ) -> None:
        client.force_login(cast.alice)
        before = client.get("/billing/details/").content.decode()
        assert "VAT 19 % is added to our prices until we know" in before
        assert 'value="Alice Corp"' in before
        after = client.post("/billing/details/", self.FORM, follow=True).content.decode()
        assert "VAT 20 % is added to our prices. Once" in after
        details = TaxDetails.objects.get(tenant=cast.alice_corp)
        assert (details.tax_id, details.reference) == (FRENCH, "PO 7")
        assert AuditEntry.objects.filter(action="tax_details.saved").count() == 1

    def test_names_a_wrong_number_and_keeps_nothing(self, cast: Cast, client: Client) -> None:
        client.force_login(cast.alice)
        answer = client.post("/billing/details/", {**self.FORM, "tax_id": "FR1234567890123"})
        assert answer.status_code == 400
        assert "too short or too long" in answer.content.decode()
        assert not TaxDetails.objects.exists()

    def test_is_for_those_who_buy(self, cast: Cast, client: Client) -> None:
        client.force_login(cast.bob)
        assert client.post("/billing/details/", self.FORM).status_code == 403
        assert not TaxDetails.objects.exists()
        Member.objects.filter(user=cast.bob).update(role=Role.BILLING)
        assert client.post("/billing/details/", self.FORM).status_code == 302
        assert TaxDetails.objects.get().tenant == cast.alice_corp


class TestOperator:
    @pytest.fixture
    def operator(self, client: Client) -> Client:
        client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
        return client

    def test_enters_what_vies_answered(self, germany: None, cast: Cast, operator: Client) -> None:
        save(cast.alice_corp, "FR", FRENCH)
        answer = operator.post(
            reverse("admin:billing_viesconfirmation_add"),
            {"tenant": cast.alice_corp.pk, "tax_id": "FR 40303265045", "name": "ALICE SARL",
             "address": "", "request_id": "WAPIAAAA1"},
        )  # fmt: skip
        assert answer.status_code == 302
        row = ViesConfirmation.objects.get()
        assert (row.tax_id, row.confirmed_by.email if row.confirmed_by else "") == (
            FRENCH, "operator@example.com",
        )  # fmt: skip
        assert buyers_load(tenant_ids=[cast.alice_corp.pk])[cast.alice_corp.pk].is_confirmed
        page = operator.get(reverse("admin:billing_taxdetails_changelist"))
        assert FRENCH in page.content.decode()
        gone = operator.post(reverse("admin:billing_viesconfirmation_delete", args=[row.pk]))
        assert gone.status_code == 403

    def test_enters_a_rate_of_exchange(self, operator: Client) -> None:
        form = {"currency": "USD", "home_currency": "JPY", "rate": "151.23",
                "day": "2026-12-01", "source": "MUFG TTM"}  # fmt: skip
        address = reverse("admin:billing_exchangerate_add")
        assert operator.post(address, form).status_code == 302
        assert ExchangeRate.objects.get().rate == Decimal("151.23")
        assert "already exists" in operator.post(address, form).content.decode()

    def test_enters_a_new_tax_rate(self, operator: Client) -> None:
        form = {"country": "JP", "name": "Consumption tax", "rate": "12",
                "valid_from": "2027-04-01", "valid_until": ""}  # fmt: skip
        assert operator.post(reverse("admin:billing_taxrate_add"), form).status_code == 302
        assert TaxRate.objects.get().valid_from == date(2027, 4, 1)


class TestCommand:
    def run(self, *arguments: str) -> str:
        out = StringIO()
        call_command("exchange_rate", *arguments, "--source", "MUFG TTM", stdout=out)
        return out.getvalue()

    def test_enters_a_days_rate_and_enters_it_anew(self) -> None:
        self.run("usd", "jpy", "150", "--on", "2026-12-01")
        said = self.run("USD", "JPY", "151.23", "--on", "2026-12-01")
        assert said == "1 USD = 151.23 JPY (2026-12-01): MUFG TTM\n"
        assert ExchangeRate.objects.get().rate == Decimal("151.23")

    @pytest.mark.parametrize(
        ("rate", "on"), [("x", "2026-12-01"), ("0", "2026-12-01"), ("1", "tomorrow"), ("NaN", "")]
    )
    def test_refuses_what_is_none(self, rate: str, on: str) -> None:
        with pytest.raises(CommandError, match="rate"):
            self.run("USD", "JPY", rate, "--on", on)
        assert not ExchangeRate.objects.exists()
