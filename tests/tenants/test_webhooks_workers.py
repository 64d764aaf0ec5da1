"""Workers that send webhooks: they die, come late, wait for slow endpoints, and work at once."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tenants import outgoing, selectors, services
from tenants.models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tenants.outgoing import Failure
from tenants.services.webhook_delivery import CLAIM, SCHEDULE, endpoint_deliver
from tests.cast import Cast
from tests.receiver import Receiver
from tests.tenants.webhooks import Clock, deliver, endpoint_of, happen


class Killed(BaseException):
    """The worker dies."""


@pytest.mark.django_db
class TestDeadWorkers:
    """Whoever dies leaves a row that says what was to be done; another does it a minute later."""

    @pytest.mark.parametrize("sent_before", [False, True])
    def test_killed_around_the_send(
        self,
        cast: Cast,
        receiver: Receiver,
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
        sent_before: bool,
    ) -> None:
        endpoint = endpoint_of(cast, receiver.url)
        delivery = happen(cast, now=clock.now)
        post = outgoing.post

        def die(**request: Any) -> None:
            if sent_before:
                post(**request)
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(outgoing, "post", die)
            with pytest.raises(Killed):
                deliver(endpoint, clock)
        deliver(endpoint, clock)  # nobody else comes while it may still be alive
        assert selectors.webhook_endpoints_due(now=clock.now) == []
        assert len(receiver.taken) == int(sent_before)
        clock.now += CLAIM
        assert selectors.webhook_endpoints_due(now=clock.now) == [endpoint.pk]
        deliver(endpoint, clock)
        # At least once, and the receiver can tell.
        assert len(receiver.taken) == 1 + int(sent_before)
        assert {headers["webhook-id"] for headers, _ in receiver.taken} == {
            str(delivery.event.uuid)
        }
        lost, made = delivery.attempt_set.all()
        assert (lost.ended_at, made.status) == (None, 204)
        delivery.refresh_from_db()
        assert delivery.state == DeliveryState.SUCCEEDED

    def test_a_late_failure_changes_nothing_a_late_success_does(
        self, cast: Cast, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        endpoint = endpoint_of(cast, receiver.url)
        delivery = happen(cast, now=clock.now)
        post = outgoing.post

        def overtaken(late: int) -> Callable[..., outgoing.Answer]:
            """Another worker comes, fails too, and only then is the first one answered."""

            def answered_late(**_: Any) -> outgoing.Answer:
                monkeypatch.setattr(outgoing, "post", post)
                clock.now += CLAIM
                receiver.answer(500)
                deliver(endpoint, clock)
                return outgoing.Answer(status=late, body="", retry_after="")

            return answered_late

        for late, state in ((503, DeliveryState.PENDING), (200, DeliveryState.SUCCEEDED)):
            monkeypatch.setattr(outgoing, "post", overtaken(late))
            deliver(endpoint, clock)
            delivery.refresh_from_db()
            assert delivery.state == state
            newest = delivery.attempt_set.latest("id")
            if state == DeliveryState.PENDING:
                assert newest.ended_at is not None
                assert delivery.next_attempt_at == newest.ended_at + SCHEDULE[1]
                clock.now = delivery.next_attempt_at
                WebhookEndpoint.objects.update(claimed_until=None)

    def test_an_endpoint_deleted_while_it_is_sent_to(
        self, cast: Cast, receiver: Receiver, clock: Clock
    ) -> None:
        endpoint = endpoint_of(cast, receiver.url)
        happen(cast, now=clock.now)
        services_delete = services.webhook_endpoint_delete

        def delete(**request: Any) -> outgoing.Answer:
            services_delete(endpoint=endpoint, actor=cast.alice, now=clock.now)
            return outgoing.Answer(status=500, body="", retry_after="")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outgoing, "post", delete)
            deliver(endpoint, clock)
        assert not WebhookAttempt.objects.exists()


@pytest.mark.django_db
class TestSlowEndpoints:
    def test_one_that_hangs_is_left_for_a_while(
        self, cast: Cast, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        endpoint = endpoint_of(cast, "https://hooks.example.com/")
        happen(cast, now=clock.now)
        happen(cast, now=clock.now)
        calls: list[str] = []

        def hang(**request: Any) -> None:
            calls.append(request["url"])
            raise outgoing.NotSent(Failure.TIMEOUT)

        monkeypatch.setattr(outgoing, "post", hang)
        assert deliver(endpoint, clock) is False
        clock.now += timedelta(seconds=30)
        assert selectors.webhook_endpoints_due(now=clock.now) == []
        deliver(endpoint, clock)
        assert len(calls) == 1  # fifteen seconds of a worker, once a minute

    def test_a_run_ends_and_goes_to_the_end_of_the_queue(
        self, cast: Cast, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        endpoint = endpoint_of(cast, "https://hooks.example.com/")
        for _ in range(4):
            happen(cast, now=clock.now)

        def slow(**_: Any) -> outgoing.Answer:
            clock.now += timedelta(seconds=14)
            return outgoing.Answer(status=200, body="", retry_after="")

        monkeypatch.setattr(outgoing, "post", slow)
        assert deliver(endpoint, clock) is True
        assert WebhookDelivery.objects.filter(state=DeliveryState.SUCCEEDED).count() == 3
        assert deliver(endpoint, clock) is False

    @pytest.mark.django_db(transaction=True)
    def test_workers_at_once_send_each_event_once(self, cast: Cast, receiver: Receiver) -> None:
        endpoints = [endpoint_of(cast, receiver.url) for _ in range(3)]
        for _ in range(3):
            happen(cast, now=timezone.now())
        together = threading.Barrier(6)

        def work(endpoint: WebhookEndpoint) -> None:
            together.wait()
            try:
                endpoint_deliver(endpoint_id=endpoint.pk, clock=timezone.now)
            finally:
                connection.close()

        with ThreadPoolExecutor(6) as workers:
            list(workers.map(work, endpoints * 2))
        for endpoint in endpoints:  # whom its siblings kept out waits for the sweep
            endpoint_deliver(endpoint_id=endpoint.pk, clock=timezone.now)
        sent = Counter(headers["webhook-id"] for headers, _ in receiver.taken)
        assert sorted(sent.values()) == [3, 3, 3]
        assert not WebhookEndpoint.objects.exclude(claimed_until=None).exists()

    def test_a_tenant_keeps_at_most_two_workers(self, cast: Cast, clock: Clock) -> None:
        endpoints = [endpoint_of(cast, f"https://hooks.example.com/{n}") for n in range(3)]
        happen(cast, now=clock.now)
        WebhookEndpoint.objects.filter(pk__in=[each.pk for each in endpoints[:2]]).update(
            claimed_until=clock.now + CLAIM
        )
        assert deliver(endpoints[2], clock) is False
        assert not WebhookAttempt.objects.exists()
