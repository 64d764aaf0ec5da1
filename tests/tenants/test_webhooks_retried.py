"""Webhooks that fail: when they are tried again, and when their endpoint is given up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenants import selectors
from tenants.models import (
    AuditEntry,
    DeliveryState,
    DisabledReason,
    Mail,
    WebhookDelivery,
    WebhookEndpoint,
)
from tenants.outgoing import Failure
from tenants.services.mails import message
from tenants.services.webhook_delivery import SCHEDULE, retry_after_of
from tests.cast import Cast
from tests.receiver import Receiver
from tests.tenants.webhooks import Clock, deliver, endpoint_of, happen


@pytest.mark.django_db
class TestRetries:
    def test_a_failure_is_tried_again_by_the_schedule_and_then_given_up(
        self, cast: Cast, receiver: Receiver, clock: Clock
    ) -> None:
        endpoint = endpoint_of(cast, receiver.url)
        delivery = happen(cast, now=clock.now)
        for wait in SCHEDULE:
            receiver.answer(500, {}, b"no")
            deliver(endpoint, clock)
            delivery.refresh_from_db()
            assert delivery.next_attempt_at == clock.now + wait
            clock.now += wait - timedelta(seconds=1)
            assert selectors.webhook_endpoints_due(now=clock.now) == []
            deliver(endpoint, clock)  # too early
            clock.now += timedelta(seconds=1)
            assert selectors.webhook_endpoints_due(now=clock.now) == [endpoint.pk]
        receiver.answer(302, {"Location": receiver.url})
        deliver(endpoint, clock)
        delivery.refresh_from_db()
        assert (delivery.state, delivery.attempts) == (DeliveryState.FAILED, len(SCHEDULE) + 1)
        assert len(receiver.taken) == len(SCHEDULE) + 1
        assert len({headers["webhook-id"] for headers, _ in receiver.taken}) == 1
        assert len({body for _, body in receiver.taken}) == 1
        # They were warned after one day, once. Three days without a success are enough.
        warnings = Mail.objects.filter(kind="tenants.webhook_failing").order_by("id")
        assert [each.to for each in warnings] == [cast.alice.email, cast.bob.email]
        endpoint.refresh_from_db()
        assert warnings[0].created_at - delivery.created_at < timedelta(days=2)
        assert f"/settings/webhooks/{endpoint.uuid}/" in message(warnings[0]).body
        assert endpoint.disabled_reason == DisabledReason.FAILING
        assert AuditEntry.objects.get(action="webhook.disabled").actor is None

    def test_one_that_answers_now_and_then_is_not_given_up(
        self, cast: Cast, receiver: Receiver, clock: Clock
    ) -> None:
        endpoint = endpoint_of(cast, receiver.url)
        endpoint.failing_since = clock.now - timedelta(days=9)
        endpoint.save()
        happen(cast, now=clock.now)
        deliver(endpoint, clock)
        endpoint = WebhookEndpoint.objects.get(pk=endpoint.pk)
        assert endpoint.failing_since is None
        assert endpoint.is_active

    def test_retry_after_makes_it_later_never_sooner(
        self, cast: Cast, receiver: Receiver, clock: Clock
    ) -> None:
        endpoint = endpoint_of(cast, receiver.url)
        delivery = happen(cast, now=clock.now)
        for asked, wait in (("900", 900), ("1", 300), ("99999999999", 86400)):
            receiver.answer(429, {"Retry-After": asked})
            deliver(endpoint, clock)
            delivery.refresh_from_db()
            assert delivery.next_attempt_at == clock.now + timedelta(seconds=wait)
            clock.now = delivery.next_attempt_at
        now = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
        assert retry_after_of("Thu, 26 Nov 2026 12:10:00 GMT", now=now) == timedelta(minutes=10)
        never = "1 Jan 99999999999 00:00:00 GMT"
        for nothing in ("", "-5", "soon", "²", never, "Thu, 26 Nov 2026 11:00:00 GMT"):
            assert retry_after_of(nothing, now=now) == timedelta(0)

    def test_gone_disables_the_endpoint_and_what_waits_fails(
        self, cast: Cast, receiver: Receiver, clock: Clock
    ) -> None:
        endpoint = endpoint_of(cast, receiver.url)
        happen(cast, now=clock.now)
        happen(cast, now=clock.now)
        receiver.answer(410)
        deliver(endpoint, clock)
        endpoint.refresh_from_db()
        assert endpoint.disabled_reason == DisabledReason.GONE
        assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"failed"}
        assert len(receiver.taken) == 1
        happen(cast, now=clock.now)
        assert WebhookDelivery.objects.count() == 2  # it hears of nothing new
        mails = Mail.objects.filter(kind="tenants.webhook_disabled")
        assert set(mails.values_list("to", flat=True)) == {cast.alice.email, cast.bob.email}
        for language, words in (("en", "answered 410 Gone"), ("ja", "410 Gone を返した")):
            mails.update(language=language)
            sent = message(mails.select_related("tenant", "invitation")[0])
            assert words in sent.body
            assert f"{receiver.url} " in sent.body
            assert "/settings/webhooks/" in sent.body

    def test_no_connection_and_a_forbidden_address_are_noted(
        self, cast: Cast, receiver: Receiver, clock: Clock, settings: Any
    ) -> None:
        endpoint = endpoint_of(cast, receiver.url)
        delivery = happen(cast, now=clock.now)
        settings.WEBHOOK_ALLOWED_NETWORKS = []
        deliver(endpoint, clock)
        assert delivery.attempt_set.get().failure == Failure.FORBIDDEN
        assert receiver.taken == []
