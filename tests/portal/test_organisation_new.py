"""Somebody who is signed in starts an organisation: in each mode, and what they see meanwhile."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import reverse
from django.utils import timezone

import billing.services
from billing.models import Order, SignUpRequest, Subscription
from tenants.links import whose
from tenants.models import AuditEntry, Mail, Member, Role, Tenant, User
from tenants.services import tenant_leave
from tenants.services.mails import message
from tests.answers import text
from tests.cast import PASSWORD, Cast
from tests.sessions import signed_in, signed_in_long_ago

pytestmark = pytest.mark.django_db

PAGE = "/tenants/new/"
FORM = {"organization": "Second & Co", "plan": "free", "currency": "JPY"}


@pytest.fixture
def cast(cast: Cast) -> Cast:
    """Plans are on sale; nobody's tenant has one."""
    billing.services.seed(now=timezone.now())
    return cast


@pytest.fixture
def free(cast: Cast) -> Tenant:
    """Dave's, on the free plan."""
    user = User.objects.create_user("dave@example.com", PASSWORD)
    return billing.services.organisation_start(
        user=user, organization="Dave & Co", plan_code="free", currency="USD", now=timezone.now()
    ).tenant


def dave() -> Client:
    return signed_in(User.objects.get(email="dave@example.com"))


class TestStarting:
    def test_it_is_worked_for_at_once_and_shows_its_key_once(self, cast: Cast) -> None:
        alice = signed_in_long_ago(cast.alice)
        started = alice.post(PAGE, FORM)
        assert (started.status_code, started["Location"]) == (302, "/dashboard/")
        made = Tenant.objects.get(name="Second & Co")
        assert made.members.get().role == Role.OWNER
        first, second = (alice.get("/dashboard/") for _ in range(2))
        assert first.context["tenant"] == made
        assert 'data-testid="api-key-value"' in text(first)
        assert 'data-testid="api-key-value"' not in text(second)
        entry = AuditEntry.objects.get(tenant=made, action="tenant.created")
        assert (entry.actor, entry.actor_kind, entry.address) == (cast.alice, "member", "127.0.0.1")
        assert "/tenants/new/" in text(second)

    def test_a_paid_plan_goes_to_its_checkout(self, cast: Cast) -> None:
        alice = signed_in(cast.alice)
        started = alice.post(PAGE, {**FORM, "plan": "starter"})
        order = Order.objects.get()
        assert started["Location"] == reverse("billing-checkout", args=[order.uuid])
        assert order.currency == "JPY"
        assert alice.get("/billing/").context["tenant"] == order.tenant

    def test_whoever_belongs_to_none_is_led_there(self, cast: Cast) -> None:
        Member.objects.filter(user=cast.bob).delete()
        bob = signed_in(cast.bob)
        assert f'button--primary" href="{PAGE}"' in text(bob.get("/dashboard/"))
        assert bob.get(PAGE).context["form"]
        bob.post(PAGE, FORM)
        assert bob.get("/dashboard/").context["tenant"].name == "Second & Co"

    def test_a_second_factor_that_another_requires_is_not_asked_for(self, cast: Cast) -> None:
        Tenant.objects.update(requires_second_factor=True)
        bob = signed_in(cast.bob)
        assert bob.get("/dashboard/").status_code == 403
        assert bob.post(PAGE, FORM)["Location"] == "/dashboard/"
        assert bob.get("/dashboard/").status_code == 200

    def test_the_price_lists_choice_is_chosen(self, cast: Cast) -> None:
        page = signed_in(cast.alice).get(PAGE, {"plan": "pro", "currency": "JPY"})
        assert '<option value="pro" selected>' in text(page)

    @pytest.mark.parametrize(
        ("field", "value"),
        [("organization", " "), ("organization", "x" * 121), ("plan", "gold"), ("currency", "EUR")],
    )
    def test_bad_input_is_told_and_what_was_typed_stays(
        self, cast: Cast, field: str, value: str
    ) -> None:
        answer = signed_in(cast.alice).post(PAGE, {**FORM, "plan": "pro", field: value})
        assert answer.status_code == 400
        assert list(answer.context["form"].errors) == [field]
        kept = 'value="Second &amp; Co"' if field != "organization" else 'value="pro" selected'
        assert kept in text(answer)
        assert Tenant.objects.count() == 2

    def test_it_is_in_japanese(self, cast: Cast) -> None:
        page = text(signed_in(cast.alice).get(PAGE, headers={"accept-language": "ja"}))
        assert "<h1>新しい組織</h1>" in page
        assert "あなたがオーナーになります" in page

    def test_too_many_from_one_address_are_told_to_wait(self, cast: Cast) -> None:
        alice = signed_in(cast.alice)
        answers = [alice.post(PAGE, {}).status_code for _ in range(21)]
        assert answers == [400] * 20 + [429]


class TestFree:
    def test_whoever_owns_one_sees_which_and_is_led_to_its_plan(self, free: Tenant) -> None:
        client = dave()
        page = text(client.get(PAGE))
        assert "Dave &amp; Co, which you own, is on the free plan." in page
        assert 'name="organization"' not in page
        to = client.post("/tenants/switch/", {"tenant": free.uuid, "to": "billing-plan"})
        assert to["Location"] == "/billing/plan/"
        assert 'name="to" value="billing-plan"' in page

    def test_a_form_that_was_open_is_refused_and_keeps_what_was_typed(self, free: Tenant) -> None:
        answer = dave().post(PAGE, {**FORM, "plan": "pro"})
        assert answer.status_code == 400
        page = text(answer)
        assert "Dave &amp; Co, which you own, is on the free plan." in page
        assert 'value="Second &amp; Co"' in page
        assert free.members.get().user.memberships.count() == 1

    def test_what_awaits_its_payment_leads_there(self, cast: Cast) -> None:
        alice = signed_in(cast.alice)
        alice.post(PAGE, {**FORM, "plan": "pro"})
        page = text(alice.get(PAGE))
        assert "until its first payment is made" in page
        assert 'name="to" value="billing"' in page

    def test_what_is_being_deleted_leads_to_where_it_is_kept(self, free: Tenant) -> None:
        owner = free.members.get().user
        tenant_leave(tenant=free, actor=owner, now=timezone.now())
        page = text(dave().get(PAGE))
        assert "is being deleted" in page
        assert "Switch to Dave &amp; Co" in page
        free.leaving_parts.create(app="billing", begun_at=timezone.now())
        page = text(dave().get(PAGE))
        assert "is being deleted" in page
        assert "Switch to" not in page


class TestModes:
    def test_by_invitation_nobody_does_and_no_link_leads_there(
        self, cast: Cast, settings: Any
    ) -> None:
        settings.SIGN_UP_MODE = "invitation"
        alice = signed_in(cast.alice)
        for answer in (alice.get(PAGE), alice.post(PAGE, FORM)):
            assert answer.status_code == 403
            assert "Nobody starts an organisation here but the operator." in text(answer)
        assert PAGE not in text(alice.get("/dashboard/"))
        Member.objects.filter(user=cast.bob).delete()
        assert PAGE not in text(signed_in(cast.bob).get("/dashboard/"))
        assert Tenant.objects.count() == 2

    def test_by_domain_it_takes_a_verified_address_there(self, cast: Cast, settings: Any) -> None:
        settings.SIGN_UP_MODE = "domain:example.org"
        settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
        alice = signed_in(cast.alice)
        EmailAddress.objects.create(
            user=cast.alice, email="alice@example.com", primary=True, verified=True
        )
        address = EmailAddress.objects.create(user=cast.alice, email="alice@example.org")
        refused = alice.post(PAGE, FORM)
        assert refused.status_code == 403
        assert "a confirmed address at example.org" in text(refused)
        assert PAGE not in text(alice.get("/dashboard/"))
        address.set_verified()
        assert PAGE in text(alice.get("/dashboard/"))
        assert alice.post(PAGE, FORM).status_code == 302

    def test_where_addresses_are_confirmed_it_takes_one(self, cast: Cast, settings: Any) -> None:
        settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
        alice = signed_in(cast.alice)
        address = EmailAddress.objects.create(
            user=cast.alice, email="alice@example.com", primary=True
        )
        refused = alice.post(PAGE, FORM)
        assert refused.status_code == 403
        assert "Confirm your email address first." in text(refused)
        address.set_verified()
        assert alice.post(PAGE, FORM).status_code == 302


class TestByApproval:
    @pytest.fixture(autouse=True)
    def by_approval(self, settings: Any) -> None:
        settings.SIGN_UP_MODE = "approval"

    def asked(self, client: Client, **more: str) -> SignUpRequest:
        sent = client.post(PAGE, {**FORM, **more}, follow=True)
        assert "Your request is sent." in text(sent)
        return SignUpRequest.objects.get(state="waiting")

    def test_who_owns_a_free_one_asks_and_works_on_while_it_waits(self, free: Tenant) -> None:
        operator = User.objects.create_superuser("o@example.com", PASSWORD)
        client = dave()
        assert "Request an organisation" in text(client.get("/dashboard/"))
        asked = self.asked(client, plan="pro")
        page = client.get(PAGE)
        assert page.status_code == 200
        assert "you asked to start Second &amp; Co, on the plan Pro" in text(page)
        assert "form" not in page.context
        again = client.post(PAGE, {**FORM, "organization": "Third"})
        assert again.status_code == 400
        assert "Your request to start Second &amp; Co waits for approval." in text(again)
        assert 'value="Third"' in text(again)
        assert client.get("/dashboard/").context["tenant"] == free
        EmailAddress.objects.create(
            user=asked.user, email=asked.user.email, primary=True, verified=True
        )
        billing.services.sign_up_request_approve(request=asked, actor=operator, now=timezone.now())
        mail = message(Mail.objects.get(kind="billing.sign_up_approved"))
        assert "Second &amp; Co" in text(client.get("/dashboard/"))  # in the switcher
        second = Tenant.objects.get(name="Second & Co")
        assert f"{whose(second)}\n" in str(mail.body)
        assert client.get(PAGE).context["form"]

    def test_who_was_refused_and_belongs_to_none_asks_again(self, cast: Cast) -> None:
        Member.objects.filter(user=cast.bob).delete()
        EmailAddress.objects.create(
            user=cast.bob, email=cast.bob.email, primary=True, verified=True
        )
        bob = signed_in(cast.bob)
        first = self.asked(bob)
        waiting = bob.get("/dashboard/")
        assert waiting.status_code == 403
        assert "Your request waits for approval" in text(waiting)
        assert "tenants/new" not in text(waiting)
        billing.services.sign_up_request_refuse(request=first, actor=cast.alice, now=timezone.now())
        refused = text(bob.get("/dashboard/"))
        assert "Your request was turned down" in refused
        assert PAGE in refused
        second = self.asked(bob)
        assert "Your request waits for approval" in text(bob.get("/dashboard/"))
        made = billing.services.sign_up_request_approve(
            request=second, actor=cast.alice, now=timezone.now()
        )
        assert not Subscription.objects.exclude(tenant=made.tenant).exists()
        made.tenant.members.all().delete()
        assert "You belong to no organisation" in text(bob.get("/dashboard/"))


def test_the_price_list_leads_everybody_to_what_they_can_do(
    cast: Cast, free: Tenant, client: Client
) -> None:
    """Strangers sign up, whoever belongs to nobody starts an organisation, the others change."""
    nobody = User.objects.create_user("nobody@example.com", PASSWORD)
    for visitor, address in (
        (client, "/accounts/signup/?plan=starter&amp;currency=JPY"),
        (signed_in(nobody), f"{PAGE}?plan=starter&amp;currency=JPY"),
        (dave(), "/billing/plan/starter/"),
    ):
        assert f'href="{address}"' in text(visitor.get("/plans/?currency=JPY"))
