"""Saved cards: several, one of them charged; removed ones are gone at Stripe too, whatever dies."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing import payments, services, tasks
from billing.models import Customer, Order, OrderPurpose, SavedCard
from billing.services.cards import cards_expiring_tell
from tenants.errors import Refused
from tenants.models import Mail, Member, Role, Tenant, User
from tenants.services.mails import message
from tests.billing.conftest import SignUpCall, buy, stripe_client
from tests.billing.deaths import killed
from tests.billing.saved_cards import save
from tests.cast import PASSWORD
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)
MASTERCARD, JCB = "pm_card_mastercard", "pm_card_jcb"


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    return sign_up("free").tenant


def add(tenant: Tenant, card: str = "pm_card_visa") -> SavedCard:
    return save(tenant, card, now=timezone.now())


def charged(tenant: Tenant) -> str:
    return Customer.objects.get(tenant=tenant).payment_method_id


def attached(tenant: Tenant) -> set[str]:
    """Return the last four of the cards that Stripe has for the tenant."""
    customer = Customer.objects.get(tenant=tenant).stripe_id
    methods = stripe_client().v1.payment_methods.list({"customer": customer})
    return {method.card.last4 for method in methods if method.card}


@pytest.mark.stripe
class TestCards:
    def test_the_one_saved_last_is_charged_and_another_can_be_chosen(self, tenant: Tenant) -> None:
        visa, mastercard = add(tenant), add(tenant, MASTERCARD)
        assert charged(tenant) == mastercard.stripe_id
        services.card_make_default(card=visa)
        assert charged(tenant) == visa.stripe_id
        assert attached(tenant) == {"4242", "4444"}

    def test_the_same_card_again_is_one_card(self, tenant: Tenant, run_tasks: RunTasks) -> None:
        first, other = add(tenant), add(tenant, MASTERCARD)
        again = add(tenant)
        assert first.stripe_id != again.stripe_id
        run_tasks("default")
        assert set(SavedCard.objects.all()) == {other, again}
        assert charged(tenant) == again.stripe_id

    def test_removing_the_charged_one_leads_to_the_newest_other(
        self, tenant: Tenant, run_tasks: RunTasks
    ) -> None:
        visa, mastercard, jcb = add(tenant), add(tenant, MASTERCARD), add(tenant, JCB)
        services.card_remove(card=jcb, now=timezone.now())
        assert charged(tenant) == mastercard.stripe_id
        run_tasks("default")
        assert attached(tenant) == {"4242", "4444"}
        services.card_remove(card=visa, now=timezone.now())
        assert charged(tenant) == mastercard.stripe_id
        services.card_remove(card=mastercard, now=timezone.now())
        assert charged(tenant) == ""
        run_tasks("default")
        assert (attached(tenant), SavedCard.objects.count()) == (set(), 0)

    def test_a_removed_card_cannot_be_chosen(self, tenant: Tenant) -> None:
        visa = add(tenant)
        services.card_remove(card=visa, now=timezone.now())
        with pytest.raises(Refused):
            services.card_make_default(card=visa)
        assert charged(tenant) == ""

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_killed_around_the_detaching_the_sweep_ends_it(
        self, tenant: Tenant, when: str, run_tasks: RunTasks
    ) -> None:
        visa = add(tenant)
        services.card_remove(card=visa, now=timezone.now())
        assert charged(tenant) == ""  # whatever follows, nobody charges it
        with killed(when, "card_detach"):
            tasks.card_detach(visa.pk)
        assert SavedCard.objects.exists()
        tasks.cards_sweep()
        assert (attached(tenant), SavedCard.objects.count()) == (set(), 0)

    def test_one_that_cannot_be_detached_now_waits_and_stops_no_other(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        visa, mastercard = add(tenant), add(tenant, MASTERCARD)
        for card in (visa, mastercard):
            services.card_remove(card=card, now=timezone.now())
        real = payments.card_detach

        def away(*, payment_method_id: str) -> None:
            if payment_method_id == visa.stripe_id:
                raise payments.PaymentUnavailable("no answer")
            real(payment_method_id=payment_method_id)

        with monkeypatch.context() as patched:
            patched.setattr(payments, "card_detach", away)
            tasks.cards_sweep()
        assert attached(tenant) == {"4242"}
        tasks.cards_sweep()
        assert attached(tenant) == set()


def test_an_answer_that_comes_late_does_not_choose_again(tenant: Tenant) -> None:
    mastercard = add(tenant, MASTERCARD)
    order = services.card_order(tenant=tenant, token="", actor=None, now=timezone.now())
    services.order_check(order=buy(order), now=timezone.now())
    visa = SavedCard.objects.get(last_four="4242")
    assert charged(tenant) == visa.stripe_id
    services.card_make_default(card=mastercard)
    Order.objects.update(state="pending")  # as if its fulfilment had not been seen yet
    services.order_check(order=order, now=timezone.now())
    assert charged(tenant) == mastercard.stripe_id
    assert set(SavedCard.objects.all()) == {mastercard, visa}


# A card is good until the last day of its month. The 30 days before, by hand.
@pytest.mark.parametrize(
    ("today", "is_told"),
    [
        ((2027, 1, 28), False),  # 31 days before the 28th of February
        ((2027, 1, 29), True),  # 30 days before
        ((2027, 2, 28), True),
        ((2027, 3, 1), False),  # too late to warn
    ],
)
def test_a_card_that_soon_expires_is_told_of_once(
    tenant: Tenant, today: tuple[int, int, int], is_told: bool
) -> None:
    add(tenant, MASTERCARD)
    SavedCard.objects.update(exp_month=2, exp_year=2027)
    add(tenant)  # the one charged
    now = datetime(*today, 12, tzinfo=UTC)
    cards_expiring_tell(now=now)
    assert not Mail.objects.exists()  # the first one is not charged, the other has years
    services.card_make_default(card=SavedCard.objects.get(last_four="4444"))
    for _again in range(2):
        cards_expiring_tell(now=now)
    assert [message(mail).subject for mail in Mail.objects.all()] == [
        "Your card ending in 4444 expires in 02/2027"
    ] * is_told


class TestPages:
    @pytest.fixture
    def browser(self, tenant: Tenant, owner: User, client: Client) -> Client:
        client.force_login(owner)
        return client

    def test_an_empty_place_says_what_a_card_is_for(self, browser: Client) -> None:
        page = browser.get(reverse("billing")).content.decode()
        assert "A paid plan charges its invoices to the card that you add here." in page

    def test_add_choose_and_remove(self, browser: Client, tenant: Tenant) -> None:
        answer = browser.post(reverse("billing-card-add"), {"token": "one"})
        order = Order.objects.get(purpose=OrderPurpose.CARD)
        assert answer["Location"] == reverse("billing-checkout", args=[order.uuid])
        visa, mastercard = add(tenant), add(tenant, MASTERCARD)
        page = browser.get(reverse("billing")).content.decode()
        assert (page.count("•••• 4242"), page.count("•••• 4444")) == (1, 1)
        browser.post(reverse("billing-card-default", args=[visa.pk]))
        assert charged(tenant) == visa.stripe_id
        browser.post(reverse("billing-card-remove", args=[visa.pk]))
        assert charged(tenant) == mastercard.stripe_id
        assert "•••• 4242" not in browser.get(reverse("billing")).content.decode()
        gone = browser.post(reverse("billing-card-default", args=[visa.pk]))
        assert gone.status_code == 404

    @pytest.mark.parametrize("name", ["billing-card-default", "billing-card-remove"])
    def test_strangers_find_nothing_and_developers_change_nothing(
        self, browser: Client, tenant: Tenant, name: str
    ) -> None:
        visa, mastercard = add(tenant), add(tenant, MASTERCARD)
        stranger = User.objects.create_user("charlie@example.org", PASSWORD)
        browser.force_login(stranger)
        assert browser.post(reverse(name, args=[visa.pk])).status_code == 404
        Member.objects.create(
            tenant=tenant, user=stranger, role=Role.DEVELOPER, created_at=timezone.now()
        )
        browser.post(reverse(name, args=[visa.pk]))
        assert charged(tenant) == mastercard.stripe_id
        assert SavedCard.objects.filter(removed_at=None).count() == 2
