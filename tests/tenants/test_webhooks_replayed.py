"""Webhooks that are told because somebody asks: replays and tests; and how long they are kept."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tenants import services
from tenants.errors import NotInThisState, Refused
from tenants.models import AuditEntry, DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookEvent
from tenants.services import webhook_events
from tests.cast import Cast
from tests.receiver import Receiver
from tests.tenants.webhooks import Clock, deliver, endpoint_of, happen


@pytest.mark.django_db
class TestReplays:
    def test_one_is_told_again_under_its_old_id(
        self, cast: Cast, receiver: Receiver, clock: Clock
    ) -> None:
        endpoint = endpoint_of(cast, receiver.url)
        delivery = happen(cast, now=clock.now)
        with pytest.raises(NotInThisState):
            services.webhook_replay(delivery=delivery, actor=cast.alice, now=clock.now)
        deliver(endpoint, clock)
        services.webhook_replay(delivery=delivery, actor=cast.alice, now=clock.now)
        deliver(endpoint, clock)
        assert len(receiver.taken) == 2
        assert len({headers["webhook-id"] for headers, _ in receiver.taken}) == 1

    def test_all_that_failed_since_a_date_the_oldest_first(
        self, cast: Cast, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        endpoint = endpoint_of(cast, receiver.url)
        deliveries = [happen(cast, now=clock.now - timedelta(days=days)) for days in (3, 2, 1)]
        test = services.webhook_test_send(endpoint=endpoint, actor=cast.alice, now=clock.now)
        WebhookDelivery.objects.filter(pk__in=[deliveries[0].pk, deliveries[2].pk, test.pk]).update(
            state=DeliveryState.FAILED, attempts=9, next_attempt_at=None
        )
        count = services.webhook_replay_failed(
            endpoint=endpoint, since=clock.now - timedelta(days=2), actor=cast.alice, now=clock.now
        )
        assert count == 1
        replayed = WebhookDelivery.objects.get(pk=deliveries[2].pk)
        assert (replayed.state, replayed.attempts) == (DeliveryState.PENDING, 0)

        monkeypatch.setattr(webhook_events, "MOST_REPLAYED", 1)
        endpoint.deliveries.update(state=DeliveryState.FAILED)
        for each in deliveries:
            count = services.webhook_replay_failed(
                endpoint=endpoint, since=deliveries[0].event.occurred_at, actor=cast.alice,
                now=clock.now,
            )  # fmt: skip
            assert count == 1
            each.refresh_from_db()
            assert each.state == DeliveryState.PENDING

    def test_a_test_is_tried_once_and_alone(
        self, cast: Cast, receiver: Receiver, clock: Clock
    ) -> None:
        endpoint = endpoint_of(cast, receiver.url, "key.revoked")
        test = services.webhook_test_send(endpoint=endpoint, actor=cast.alice, now=clock.now)
        with pytest.raises(NotInThisState):
            services.webhook_test_send(endpoint=endpoint, actor=cast.alice, now=clock.now)
        receiver.answer(500)
        deliver(endpoint, clock)
        test.refresh_from_db()
        endpoint.refresh_from_db()
        assert (test.state, endpoint.failing_since) == (DeliveryState.FAILED, None)
        assert json.loads(receiver.taken[0][1])["type"] == "webhook.test"

    def test_a_tenant_asks_for_so_much_an_hour(
        self, cast: Cast, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(webhook_events, "MOST", dict.fromkeys(webhook_events.MOST, 1))
        url = "https://hooks.example.com/"
        one, other = endpoint_of(cast, url), endpoint_of(cast, url)
        happen(cast, now=clock.now)
        past = clock.now - timedelta(days=1)

        def refusals(endpoint: WebhookEndpoint, now: datetime) -> list[str]:
            """Ask for a replay of one, for one of all that failed, and for a test."""
            acts: list[Callable[..., object]] = [
                partial(services.webhook_replay, delivery=endpoint.deliveries.earliest("id")),
                partial(services.webhook_replay_failed, endpoint=endpoint, since=past),
                partial(services.webhook_test_send, endpoint=endpoint),
            ]
            refused = []
            for act in acts:
                endpoint.deliveries.update(state=DeliveryState.FAILED)
                try:
                    act(actor=cast.alice, now=now)
                except Refused as refusal:
                    refused.append(str(refusal))
            return refused

        assert refusals(one, clock.now) == []
        told = "You asked for this 1 times within an hour; please wait a while."
        assert refusals(other, clock.now + timedelta(minutes=59)) == [told] * 3
        assert refusals(other, clock.now + timedelta(minutes=61)) == []

    def test_nothing_is_told_to_a_disabled_endpoint(self, cast: Cast, clock: Clock) -> None:
        endpoint = endpoint_of(cast, "https://hooks.example.com/")
        delivery = happen(cast, now=clock.now)
        act: dict[str, Any] = {"actor": cast.alice, "now": clock.now}
        services.webhook_endpoint_disable(endpoint=endpoint, **act)
        services.webhook_endpoint_disable(endpoint=endpoint, **act)
        assert AuditEntry.objects.filter(action="webhook.disabled").count() == 1
        with pytest.raises(NotInThisState):
            services.webhook_replay(delivery=delivery, **act)
        with pytest.raises(NotInThisState):
            services.webhook_replay_failed(endpoint=endpoint, since=clock.now, **act)
        with pytest.raises(NotInThisState):
            services.webhook_test_send(endpoint=endpoint, **act)
        services.webhook_endpoint_enable(endpoint=endpoint, **act)
        services.webhook_replay(delivery=delivery, **act)

    def test_old_events_are_forgotten_but_those_still_to_be_told(
        self, cast: Cast, clock: Clock
    ) -> None:
        endpoint = endpoint_of(cast, "https://hooks.example.com/")
        told, waiting = (happen(cast, now=clock.now - timedelta(days=31)) for _ in range(2))
        young = happen(cast, now=clock.now - timedelta(days=29))
        WebhookDelivery.objects.exclude(pk=waiting.pk).update(state=DeliveryState.SUCCEEDED)
        webhook_events.webhooks_prune(now=clock.now)
        assert set(endpoint.deliveries.values_list("pk", flat=True)) == {waiting.pk, young.pk}
        assert not WebhookEvent.objects.filter(pk=told.event_id).exists()
