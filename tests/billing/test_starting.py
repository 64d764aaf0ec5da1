"""Who may start another organisation: nobody who owns one on the free plan."""

import pytest
from django.utils import timezone

from billing import services
from billing.models import Plan, SignUpRequest, Subscription, SubscriptionState
from billing.services import OwnsFree, SignUp
from tenants.errors import Refused
from tenants.models import Member, Role, Tenant, User
from tenants.services import account_delete, tenant_leave
from tests.billing.races import at_once
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def user(db: None) -> User:
    services.seed(now=NOW)
    return User.objects.create_user("dave@example.com", PASSWORD)


def start(user: User, plan: str = "free", name: str = "Dave & Co") -> SignUp:
    return services.organisation_start(
        user=user, organization=name, plan_code=plan, currency="USD", now=NOW
    )


def paid(tenant: Tenant) -> None:
    """Have a tenant's first payment come in."""
    mine = Subscription.objects.filter(tenant=tenant)
    mine.filter(state=SubscriptionState.ACTIVE).update(state=SubscriptionState.CANCELLED)
    mine.filter(state=SubscriptionState.INCOMPLETE).update(state=SubscriptionState.ACTIVE)


def refused(user: User) -> OwnsFree:
    """Be refused another, whatever the plan; nothing is written."""
    before = Tenant.objects.count()
    for plan in ("free", "pro"):
        with pytest.raises(OwnsFree) as told:
            start(user, plan)
    assert Tenant.objects.count() == before
    return told.value


def test_not_beside_one_on_the_free_plan(user: User) -> None:
    first = start(user).tenant
    told = refused(user)
    assert told.tenant == first
    assert str(told).startswith("Dave & Co, which you own, is on the free plan. ")


def test_not_by_an_account_that_was_deleted_meanwhile(user: User) -> None:
    account_delete(user=user, now=NOW)
    for begin in (services.organisation_start, services.sign_up_request_create):
        with pytest.raises(Refused, match="was deleted"):
            begin(user=user, organization="D", plan_code="free", currency="USD", now=NOW)


def test_not_before_the_first_payment_but_after_it(user: User) -> None:
    first = start(user, "pro").tenant
    told = refused(user)
    assert told.awaits_payment
    assert "until its first payment is made" in str(told)
    paid(first)
    second = start(user, name="Second")
    assert second.order is None
    assert refused(user).tenant == second.tenant


def test_whoever_leaves_a_paid_plan_is_not_kept_though_then_two_are_free(user: User) -> None:
    first = start(user, "pro").tenant
    paid(first)
    second = start(user, name="Second").tenant
    services.plan_change(
        tenant=first, plan_code="free", shown=0, token="", actor=user, now=NOW, at_once=True
    )
    active = Subscription.objects.filter(state=SubscriptionState.ACTIVE)
    assert set(active.values_list("tenant", "plan__code")) == {
        (first.pk, "free"), (second.pk, "free"),
    }  # fmt: skip
    refused(user)


def test_not_while_it_is_being_deleted_but_once_its_plan_has_ended(user: User) -> None:
    first = start(user).tenant
    tenant_leave(tenant=first, actor=user, now=NOW)
    assert "is being deleted" in str(refused(user))
    Subscription.objects.filter(tenant=first).update(state=SubscriptionState.CANCELLED)
    start(user)


def test_what_others_own_does_not_count(user: User) -> None:
    other = User.objects.create_user("erin@example.com", PASSWORD)
    theirs = start(other).tenant
    member = Member.objects.create(tenant=theirs, user=user, role=Role.ADMIN, created_at=NOW)
    services.organisation_start_check(user=user)
    Member.objects.filter(pk=member.pk).update(role=Role.OWNER)
    assert refused(user).tenant == theirs


def test_for_a_plan_that_is_not_offered_nothing_is_written(user: User) -> None:
    Plan.objects.update(is_public=False)
    with pytest.raises(Refused, match="no plan"):
        start(user)
    assert not Tenant.objects.exists()


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("plan", ["free", "pro"])
def test_of_two_at_once_the_second_sees_the_first(user: User, plan: str) -> None:
    outcomes = at_once(*[lambda: start(user, plan)] * 2)
    assert sorted(type(each).__name__ for each in outcomes) == ["OwnsFree", "SignUp"]
    assert Tenant.objects.count() == 1


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_of_two_requests_at_once_one_waits(user: User) -> None:
    def ask() -> SignUpRequest:
        return services.sign_up_request_create(
            user=user, organization="Dave & Co", plan_code="free", currency="USD", now=NOW
        )

    outcomes = at_once(ask, ask)
    assert sorted(type(each).__name__ for each in outcomes) == ["Refused", "SignUpRequest"]
    assert SignUpRequest.objects.count() == 1
