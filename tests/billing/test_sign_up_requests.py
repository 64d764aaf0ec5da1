"""Sign-up by approval: nothing of a tenant's before it, one tenant after it, whoever decides."""

from typing import Any
from unittest import mock

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from billing import services
from billing.models import Order, Plan, SignUpRequest, SignUpState, Subscription
from billing.services import SignUp
from tenants.errors import Refused
from tenants.models import ApiKey, AuditEntry, Mail, Member, Tenant, User
from tenants.services import account_delete, mail_operators
from tenants.services.mails import message
from tests.billing.races import at_once
from tests.cast import PASSWORD
from tests.sessions import signed_in

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def operator(db: None) -> User:
    services.seed(now=NOW)
    return User.objects.create_superuser("operator@example.com", PASSWORD)


def ask(plan: str = "free", *, is_confirmed: bool = True, name: str = "dave") -> SignUpRequest:
    """Have somebody, who reads Japanese, ask for an organisation."""
    user = User.objects.create_user(f"{name}@example.com", PASSWORD, language="ja")
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=is_confirmed)
    return services.sign_up_request_create(
        user=user,
        organization=f"{name.title()} & Co",
        plan_code=plan,
        currency="JPY",
        now=NOW,
    )


def submit() -> None:
    services.sign_up_requests_submit(now=NOW)


def approve(request: SignUpRequest, actor: User) -> SignUp:
    return services.sign_up_request_approve(request=request, actor=actor, now=NOW)


def refuse(request: SignUpRequest, actor: User, reason: str = "") -> None:
    services.sign_up_request_refuse(request=request, reason=reason, actor=actor, now=NOW)


def mails() -> list[tuple[str, str, str]]:
    return list(Mail.objects.order_by("id").values_list("kind", "to", "language"))


class TestAsking:
    def test_it_makes_nothing_of_a_tenants(self, operator: User) -> None:
        request = ask("pro")
        submit()
        assert str(request) == "Dave & Co (dave@example.com)"
        for model in (Tenant, ApiKey, Subscription, Order):
            assert not model.objects.exists()
        assert mails() == [("billing.sign_up_requested", "operator@example.com", "en")]
        entry = AuditEntry.objects.get(action__startswith="sign_up")
        assert (entry.action, entry.actor, entry.tenant) == (
            "sign_up.requested", request.user, None,
        )  # fmt: skip

    def test_one_that_cannot_be_told_of_stops_no_other(self, operator: User) -> None:
        first, second = ask(name="dave"), ask(name="erin")
        mailing = "billing.services.sign_up_requests.mail_operators"
        once = [RuntimeError("boom"), mock.DEFAULT]
        with mock.patch(mailing, wraps=mail_operators, side_effect=once):
            submit()
        assert SignUpRequest.objects.get(submitted_at=None) == first
        submit()
        told = Mail.objects.order_by("id").values_list("context__request", flat=True)
        assert list(told) == [second.pk, first.pk]

    def test_operators_hear_of_it_once_the_address_is_confirmed_and_once(
        self, operator: User
    ) -> None:
        viewer = User.objects.create_user("viewer@example.com", PASSWORD, is_staff=True)
        viewer.user_permissions.add(Permission.objects.get(codename="view_signuprequest"))
        request = ask(is_confirmed=False)
        submit()
        assert not mails()
        for decide in (approve, refuse):
            with pytest.raises(Refused, match="not confirmed"):
                decide(request, operator)
        # Another address of theirs is not the one that is mailed to.
        EmailAddress.objects.create(user=request.user, email="d@example.net", verified=True)
        submit()
        assert not mails()
        with pytest.raises(Refused, match="not confirmed"):
            refuse(request, operator)
        EmailAddress.objects.update(verified=True)
        for _ in range(2):
            submit()
        ((_kind, to, _language),) = mails()
        assert to == "operator@example.com"
        body = str(message(Mail.objects.get()).body)
        assert "on the plan Free" in body
        assert f"/admin/billing/signuprequest/?id__exact={request.pk}" in body
        assert "dave" not in body.lower()

    def test_they_do_not_hear_of_what_they_decided_before_the_sweep(self, operator: User) -> None:
        approve(ask(), operator)
        refuse(ask(name="erin"), operator)
        submit()
        assert not Mail.objects.filter(kind="billing.sign_up_requested").exists()

    def test_for_a_plan_that_is_not_offered_it_is_refused(self, operator: User) -> None:
        with pytest.raises(Refused, match="no plan"):
            ask("nothing")


class TestApproval:
    def test_it_signs_up_with_what_was_asked_for(self, operator: User) -> None:
        made = approve(ask("pro"), operator)
        assert made.order is not None
        assert made.tenant.name == "Dave & Co"
        assert made.tenant.language == "ja"
        assert made.tenant.usage_plan.code == "free"  # until it is paid
        wanted, active = Subscription.objects.order_by("state").values_list("plan__code", flat=True)
        assert {wanted, active} == {"pro", "free"}
        assert made.order.currency == "JPY"
        assert ApiKey.objects.get().tenant == made.tenant
        told = AuditEntry.objects.get(action="sign_up.approved")
        assert (told.tenant, told.actor) == (made.tenant, operator)
        mail = message(Mail.objects.get(kind="billing.sign_up_approved"))
        assert mail.to == ["dave@example.com"]
        assert mail.subject == "Dave & Co が承認されました"
        (html, _type) = mail.alternatives[0]
        for form in (mail.body, html):
            assert reverse("billing-checkout", args=[made.order.uuid]) in str(form)
        assert "Dave &amp; Co" in str(html)

    def test_a_plan_withdrawn_meanwhile_is_the_free_one_and_the_mail_says_so(
        self, operator: User
    ) -> None:
        request = ask("pro")
        Plan.objects.filter(code="pro").update(is_public=False)
        made = approve(request, operator)
        assert made.order is None
        assert Subscription.objects.get().plan.code == "free"
        request.user.refresh_from_db()
        Mail.objects.filter(kind="billing.sign_up_approved").update(language="en")
        body = str(message(Mail.objects.get(kind="billing.sign_up_approved")).body)
        assert "The plan Pro is not offered any more" in body
        assert reverse("dashboard") in body

    def test_with_no_plan_to_offer_it_waits_on(self, operator: User) -> None:
        request = ask("pro")
        Plan.objects.update(is_public=False)
        with pytest.raises(Refused, match="no plan"):
            approve(request, operator)
        request.refresh_from_db()
        assert request.state == SignUpState.WAITING
        assert not Tenant.objects.exists()

    def test_it_is_decided_once_but_who_was_refused_can_be_approved(self, operator: User) -> None:
        request = ask()
        refuse(request, operator, "Say more about yourself.")
        assert not Tenant.objects.exists()
        mail = message(Mail.objects.get(kind="billing.sign_up_refused"))
        assert "Say more about yourself." in str(mail.body)
        assert "却下されました" in mail.subject
        with pytest.raises(Refused, match="decided already"):
            refuse(request, operator)
        approve(request, operator)
        for decide, said in ((approve, "approved already"), (refuse, "decided already")):
            with pytest.raises(Refused, match=said):
                decide(request, operator)
        assert Tenant.objects.count() == 1
        request.refresh_from_db()
        assert (request.state, request.reason) == (SignUpState.APPROVED, "")


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_two_operators_at_once_make_one_tenant(operator: User) -> None:
    request = ask()
    outcomes = at_once(*[lambda: approve(request, operator)] * 2)
    assert sorted(type(each).__name__ for each in outcomes) == ["Refused", "SignUp"]
    assert Tenant.objects.count() == 1
    assert Mail.objects.filter(kind="billing.sign_up_approved").count() == 1


def test_who_has_deleted_their_account_meanwhile_is_not_decided_on(operator: User) -> None:
    request = ask()
    account_delete(user=request.user, now=NOW)
    for decide in (approve, refuse):
        with pytest.raises(Refused, match="has deleted their account"):
            decide(request, operator)
    assert not Tenant.objects.exists()


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_approved_while_the_account_is_deleted_nobody_is_left_without_an_owner(
    operator: User,
) -> None:
    request = ask()
    approved, deleted = at_once(
        lambda: approve(request, operator),
        lambda: account_delete(user=request.user, now=NOW),
    )
    assert isinstance(approved, Refused) != isinstance(deleted, Refused)
    assert Tenant.objects.count() == Member.objects.count() == User.objects.count() - 1


def test_operators_decide_on_many_in_the_admin(operator: User) -> None:
    good, early, bad = ask(), ask(name="erin", is_confirmed=False), ask(name="frank")
    client = signed_in(operator)
    address = reverse("admin:billing_signuprequest_changelist")

    def act(name: str, *chosen: SignUpRequest, **answer: str) -> Any:
        form = {"action": name, "_selected_action": [each.pk for each in chosen], **answer}
        return client.post(address, form, follow=True)

    page = act("approve", good, early).content.decode()
    assert "1 request is approved." in page
    assert "The address is not confirmed yet." in page
    assert Tenant.objects.get().name == "Dave & Co"
    asked = act("refuse", good, bad)
    assert "Refused, and told so by mail: Frank" in asked.content.decode().replace(
        "Dave &amp; Co (dave@example.com), ", ""
    )
    page = act("refuse", good, bad, answered="yes", reason="No.").content.decode()
    assert "1 request is refused." in page
    assert "This request is decided already." in page
    bad.refresh_from_db()
    assert (bad.state, bad.reason, bad.decided_by) == (SignUpState.REFUSED, "No.", operator)
