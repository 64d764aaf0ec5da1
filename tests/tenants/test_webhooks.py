"""Webhooks to tenants, to a server that verifies them: what it is sent, when, and how often."""

import json
import re
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from portal.celery import RECEIVERS, WEBHOOKS
from tenants import outgoing, selectors, services, webhook_types
from tenants.errors import NotInThisState, Refused
from tenants.models import (
    AuditEntry,
    DeliveryState,
    DisabledReason,
    GrantKind,
    Mail,
    OutboxEvent,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from tenants.outgoing import Failure
from tenants.services import webhook_delivery, webhook_events
from tenants.services.mails import message
from tenants.services.webhook_delivery import (
    CLAIM,
    SCHEDULE,
    endpoint_deliver,
    retry_after_of,
)
from tests.cast import Cast
from tests.conftest import RunTasks
from tests.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


class Clock:
    """Starts now, since receivers refuse other timestamps; moved by the test."""

    def __init__(self) -> None:
        self.now = timezone.now()

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def endpoint_of(cast: Cast, url: str, *event_types: str) -> WebhookEndpoint:
    return services.webhook_endpoint_create(
        tenant=cast.alice_corp,
        url=url,
        description="",
        event_types=event_types,
        actor=cast.alice,
        now=timezone.now(),
    )


def secret_of(endpoint: WebhookEndpoint) -> str:
    secret = services.webhook_secret_reveal(endpoint=endpoint, now=timezone.now())
    assert secret is not None
    return secret


def happen(cast: Cast, *, now: datetime) -> WebhookDelivery:
    """Rename Alice's organisation, and have the news announced; return the newest delivery."""
    services.tenant_update(
        tenant=cast.alice_corp,
        name=f"Alice {uuid.uuid4()}",
        language="en",
        actor=cast.alice,
        now=now,
    )
    news = OutboxEvent.objects.filter(kind="tenant.updated").latest("id")
    webhook_events.webhook_announce(news_id=news.pk, now=now)
    return WebhookDelivery.objects.latest("id")


def deliver(endpoint: WebhookEndpoint, clock: Clock) -> bool:
    return endpoint_deliver(endpoint_id=endpoint.pk, clock=clock)


class Killed(BaseException):
    """The worker dies."""


def test_news_reaches_who_asked_for_it_and_nobody_else(
    cast: Cast, receiver: Receiver, run_tasks: RunTasks
) -> None:
    endpoint = endpoint_of(cast, receiver.url, "tenant.updated")
    endpoint_of(cast, receiver.url, "key.revoked")
    services.webhook_endpoint_create(
        tenant=cast.charlie_corp, url=receiver.url, description="", event_types=[],
        actor=cast.charlie, now=timezone.now(),
    )  # fmt: skip
    services.tenant_update(
        tenant=cast.alice_corp, name="Alice & 関所", language="ja", actor=cast.alice,
        now=timezone.now(),
    )  # fmt: skip
    run_tasks("default", "webhooks")
    (told,) = receiver.verified(secret_of(endpoint))
    event = WebhookEvent.objects.get()
    assert told["type"] == "tenant.updated"
    assert told["data"] == {
        "id": str(cast.alice_corp.uuid), "name": "Alice & 関所", "language": "ja",
    }  # fmt: skip
    assert datetime.fromisoformat(told["timestamp"]) == event.occurred_at
    ((headers, _),) = receiver.taken
    assert headers["webhook-id"] == str(event.uuid)
    assert headers["content-type"] == "application/json"
    delivery = WebhookDelivery.objects.get()
    attempt = delivery.attempt_set.get()
    assert (delivery.state, attempt.status) == (DeliveryState.SUCCEEDED, 204)
    assert WebhookEndpoint.objects.get(pk=endpoint.pk).claimed_until is None


@pytest.mark.django_db
def test_news_that_comes_twice_is_one_event(cast: Cast, receiver: Receiver, clock: Clock) -> None:
    endpoint = endpoint_of(cast, receiver.url)
    happen(cast, now=clock.now)
    news = OutboxEvent.objects.filter(kind="tenant.updated").latest("id")
    webhook_events.webhook_announce(news_id=news.pk, now=clock.now)
    assert deliver(endpoint, clock) is False
    assert len(receiver.taken) == 1


@pytest.mark.django_db
def test_every_type_is_relayed_and_has_data_like_its_example(cast: Cast) -> None:
    relayed = {kind for kind, tasks in RECEIVERS.items() if WEBHOOKS in tasks}
    types = {each.name: each for each in webhook_types.event_types()}
    assert relayed == set(types) - {webhook_types.TEST}
    version = cast.alice_corp.api_keys.get().versions.get()
    payload = {"version": version.pk, "expires_at": "2026-12-01T00:00:00+00:00"}
    for name in ("key.active", "key.expires", "tenant.updated"):
        news = OutboxEvent(kind=name, tenant=cast.alice_corp, payload=payload)
        assert set(types[name].data(news)) == set(types[name].example)


@pytest.mark.django_db
def test_only_who_listens_costs_a_row(cast: Cast) -> None:
    """And what is written is like the example."""
    endpoint_of(cast, "https://hooks.example.com/", "key.created", "extension.granted")
    now = timezone.now()
    for tenant, actor in ((cast.alice_corp, cast.alice), (cast.charlie_corp, cast.charlie)):
        version = services.api_key_create(tenant=tenant, name="ci", actor=actor, now=now)
        services.api_key_rotate(api_key=version.api_key, overlap=timedelta(0), actor=actor, now=now)
        services.quota_grant(
            tenant=tenant,
            requests=100,
            kind=GrantKind.EXTENSION,
            source=f"order:{tenant.uuid}",
            period_start=selectors.current_period(tenant=tenant, now=now).start,
            now=now,
        )
    told = OutboxEvent.objects.filter(kind__in=["key.created", "key.rotated", "extension.granted"])
    assert set(told.values_list("kind", "tenant")) == {
        ("key.created", cast.alice_corp.pk),
        ("extension.granted", cast.alice_corp.pk),
    }
    example = next(e for e in webhook_types.event_types() if e.name == "extension.granted").example
    assert set(told.get(kind="extension.granted").payload) == set(example)


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


@pytest.mark.django_db
class TestSecrets:
    def test_it_is_shown_once_and_nowhere_in_the_database(self, cast: Cast) -> None:
        endpoint = endpoint_of(cast, "https://hooks.example.com/")
        secret = secret_of(endpoint)
        assert services.webhook_secret_reveal(endpoint=endpoint, now=timezone.now()) is None
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM tenants_webhookendpoint")
            assert secret.removeprefix("whsec_") not in str(cursor.fetchall())

    def test_both_sign_for_a_day_and_then_only_the_new_one(
        self, cast: Cast, receiver: Receiver, clock: Clock
    ) -> None:
        endpoint = endpoint_of(cast, receiver.url)
        old = secret_of(endpoint)
        services.webhook_secret_rotate(endpoint=endpoint, actor=cast.alice, now=clock.now)
        new = secret_of(endpoint)
        happen(cast, now=clock.now)
        deliver(endpoint, clock)
        assert receiver.verified(old) == receiver.verified(new)
        assert len(receiver.taken[0][0]["webhook-signature"].split(" ")) == 2
        with pytest.raises(WebhookVerificationError):
            receiver.verified("whsec_" + "A" * 43 + "=")
        endpoint.refresh_from_db()
        event = WebhookEvent.objects.get()
        later = webhook_delivery.headers_of(
            event, endpoint=endpoint, now=clock.now + timedelta(hours=24)
        )
        body = webhook_delivery.body_of(event)
        at = clock.now + timedelta(hours=24)
        assert later["webhook-signature"] == Webhook(new).sign(str(event.uuid), at, body)


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


@pytest.mark.django_db
def test_what_an_endpoint_may_not_be(cast: Cast) -> None:
    for url in (
        "", "hooks.example.com", "ftp://hooks.example.com/", "http://hooks.example.com/",
        "http://10.0.0.1/", "https://", "https://u:p@hooks.example.com/", "https://a.example/#b",
        "https://0177.0.0.1/", "https://a b/", "https://a.example:99999/", "https://[fe80::1%25eth0]/",
        "https://a.example/" + "a" * 500,
    ):  # fmt: skip
        with pytest.raises(Refused):
            endpoint_of(cast, url)
    with pytest.raises(Refused):
        endpoint_of(cast, "https://hooks.example.com/", "no.such.event")
    assert endpoint_of(cast, " https://例え.jp/フック ").url.startswith("https://")
    for n in range(9):
        endpoint_of(cast, f"https://hooks.example.com/{n}")
    with pytest.raises(Refused):
        endpoint_of(cast, "https://hooks.example.com/")


def test_the_documentation_lists_the_types(settings: Any) -> None:
    table = (settings.BASE_DIR / "docs" / "webhooks.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `([a-z_.]+)` \|", table, re.MULTILINE))
    assert listed == {each.name for each in webhook_types.event_types()}
