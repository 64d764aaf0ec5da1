"""Mails about money: each once, to those who may buy, in the tenant's language, whatever fails."""

import smtplib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse

from billing import tasks
from billing.models import Notice
from billing.services.notices import (
    TRIED_AGAIN_AFTER,
    message,
    notice_add,
    notice_send,
    notices_waiting,
)
from tenants.models import Member, Role, Tenant, User
from tests.cast import PASSWORD, Cast
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)
CARD = {"brand": "visa", "last_four": "4242", "expiry": "12/2026"}


@pytest.fixture
def tenant(cast: Cast) -> Tenant:
    return cast.alice_corp


def add(tenant: Tenant, key: str = "card-expires:pm_1") -> Notice:
    return notice_add(tenant=tenant, kind="card_expires", key=key, context=CARD, now=NOW)


class TestSending:
    def test_once_per_key(self, tenant: Tenant, run_tasks: RunTasks) -> None:
        assert add(tenant) == add(tenant)
        assert run_tasks("default") == ["billing.tasks.notice_send"]
        (sent,) = mail.outbox
        assert sent.subject == "Your card ending in 4242 expires in 12/2026"
        assert Notice.objects.get().sent_at is not None
        assert notice_send(notice=Notice.objects.get(), now=NOW) is False

    def test_only_to_those_who_may_buy(self, tenant: Tenant) -> None:
        for role in Role.values:
            user = User.objects.create_user(f"{role}@example.net", PASSWORD)
            Member.objects.create(tenant=tenant, user=user, role=role, created_at=NOW)
        to = {address for address in message(add(tenant)).to if address.endswith("@example.net")}
        assert to == {f"{role}@example.net" for role in (Role.OWNER, Role.ADMIN, Role.BILLING)}

    def test_in_the_language_of_the_tenant_and_without_markup(self, tenant: Tenant) -> None:
        tenant.name, tenant.language = "O'Hara & 息子", "ja"
        tenant.save()
        japanese = message(add(tenant))
        assert "4242" in japanese.subject
        assert "有効期限" in japanese.subject
        assert "O'Hara & 息子" in japanese.body
        tenant.language = "en"
        tenant.save()
        assert "is good until the end of 12/2026" in message(Notice.objects.get()).body

    def test_a_mail_server_that_is_down_and_up_again(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, run_tasks: RunTasks
    ) -> None:
        def down(_message: EmailMessage) -> int:
            raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")

        with monkeypatch.context() as patched:
            patched.setattr(EmailMessage, "send", down)
            notice = add(tenant)
            run_tasks("default")
        notice.refresh_from_db()
        assert (notice.sent_at, notice.error) == (None, "Connection unexpectedly closed")
        assert notice.claimed_at is not None
        again_at = notice.claimed_at + TRIED_AGAIN_AFTER
        assert notices_waiting(now=again_at) == []
        later = again_at + timedelta(seconds=1)
        assert notices_waiting(now=later) == [notice]
        assert notice_send(notice=notice, now=later)
        notice.refresh_from_db()
        assert (notice.sent_at, notice.error) == (later, "")
        assert len(mail.outbox) == 1

    def test_killed_between_sending_and_noting_it_is_sent_once_more(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real: Callable[..., int] = EmailMessage.send

        def dying(self: EmailMessage, **options: Any) -> int:
            real(self, **options)
            raise KeyboardInterrupt

        notice = add(tenant)
        with monkeypatch.context() as patched:
            patched.setattr(EmailMessage, "send", dying)
            with pytest.raises(KeyboardInterrupt):
                notice_send(notice=notice, now=NOW)
        assert notice_send(notice=notice, now=NOW) is False  # it may just be under way
        assert notice_send(notice=notice, now=NOW + timedelta(minutes=11))
        assert [sent.subject for sent in mail.outbox] == [message(notice).subject] * 2

    def test_the_sweep_finds_what_a_lost_task_left(
        self, tenant: Tenant, run_tasks: RunTasks
    ) -> None:
        Notice.objects.create(
            tenant=tenant, kind="card_expires", key="lost", context=CARD, created_at=NOW
        )
        assert mail.outbox == []
        tasks.notices_sweep()
        run_tasks("default")
        assert len(mail.outbox) == 1


def test_an_operator_sends_it_again(tenant: Tenant, client: Client, run_tasks: RunTasks) -> None:
    notice = add(tenant)
    run_tasks("default")
    client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
    page = reverse("admin:billing_notice_changelist")
    assert notice.key in client.get(page).content.decode()
    client.post(page, {"action": "send_again", "_selected_action": [notice.pk]})
    run_tasks("default")
    assert len(mail.outbox) == 2


def test_every_kind_is_a_template_of_the_same_frame(settings: Any) -> None:
    mails = Path(settings.BASE_DIR) / "templates" / "billing" / "mails"
    for template in mails.glob("*.txt"):
        if template.name != "base.txt":
            first = template.read_text().partition("\n")[0]
            assert first.startswith('{% extends "billing/mails/base.txt" %}'), template.name
