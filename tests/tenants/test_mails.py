"""Mails to people: once per key and address, in the tenant's language, whatever fails."""

import smtplib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tenants import tasks
from tenants.links import whose
from tenants.models import Mail, Member, Role, Tenant, User
from tenants.permissions import Act
from tenants.services.mails import (
    TRIED_AGAIN_AFTER,
    TRIED_FOR,
    mail_members,
    mail_operators,
    mail_send,
    mails_waiting,
    message,
)
from tests.cast import PASSWORD, Cast
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)
NOW = timezone.now()
CARD = {"brand": "visa", "last_four": "4242", "expiry": "12/2026"}


@pytest.fixture
def tenant(cast: Cast) -> Tenant:
    return cast.alice_corp


def add(tenant: Tenant, act: Act = Act.TRANSFER) -> list[Mail]:
    """Have Alice, the only owner, told of her card, or those who may do an act."""
    return mail_members(
        tenant=tenant, act=act, kind="billing.card_expires", key="card-expires:pm_1",
        context=CARD, now=NOW,
    )  # fmt: skip


class TestSending:
    def test_once_per_key_to_each_who_may(self, tenant: Tenant, run_tasks: RunTasks) -> None:
        for role in Role.values:
            user = User.objects.create_user(f"{role}@example.net", PASSWORD)
            Member.objects.create(tenant=tenant, user=user, role=role, created_at=NOW)
        locked = User.objects.create_user("locked@example.net", PASSWORD, is_active=False)
        Member.objects.create(tenant=tenant, user=locked, role=Role.OWNER, created_at=NOW)
        for act in (Act.TRANSFER, Act.BUY, Act.BUY):
            add(tenant, act)
        to = [
            "alice@example.com",
            *(f"{role}@example.net" for role in ("owner", "admin", "billing")),
        ]
        assert run_tasks("default") == ["tenants.tasks.mail_send"] * 4
        assert sorted(sent.to[0] for sent in outbox.outbox) == sorted(to)
        assert outbox.outbox[0].subject == "Your card ending in 4242 expires in 12/2026"
        sent = Mail.objects.earliest("pk")
        assert sent.sent_at is not None
        assert mail_send(mail=sent, now=NOW) is False

    def test_to_operators_who_may_see_it_in_their_language(self, tenant: Tenant) -> None:
        User.objects.create_superuser("operator@example.com", PASSWORD)
        User.objects.create_user("clerk@example.com", PASSWORD, is_staff=True)
        tenant.language = "ja"
        (mail,) = mail_operators(
            tenant=tenant, permission="billing.view_payment", kind="billing.card_expires",
            key="card", context=CARD, now=NOW,
        )  # fmt: skip
        assert (mail.to, message(mail).subject.isascii()) == ("operator@example.com", True)

    def test_in_the_language_of_the_tenant_and_as_text_without_markup(self, tenant: Tenant) -> None:
        tenant.name, tenant.language = "O'Hara & <b>息子</b>", "ja"
        tenant.save()
        (mail,) = add(tenant)
        made = message(mail)
        assert "有効期限" in made.subject
        assert "O'Hara & <b>息子</b>" in made.body
        link = f"http://localhost:8000/billing/{whose(tenant)}#cards"
        assert link in made.body.splitlines()
        assert "\n\n\n" not in made.body
        ((html, kind),) = made.alternatives
        assert (kind, str(made.subject) in str(html)) == ("text/html", True)
        assert "O&#x27;Hara &amp; &lt;b&gt;息子&lt;/b&gt;" in str(html)
        assert f'<a href="{link}">お支払いカード</a>' in str(html)
        assert "src=" not in str(html)

    def test_a_mail_server_that_is_down_and_up_again(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, run_tasks: RunTasks
    ) -> None:
        def down(message: EmailMessage) -> int:
            if message.to == ["bob@example.com"]:
                raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
            return 1

        with monkeypatch.context() as patched:
            patched.setattr(EmailMessage, "send", down)
            add(tenant, Act.CHANGE_KEYS)
            run_tasks("default")
        assert Mail.objects.get(to="alice@example.com").sent_at  # another's failure is not hers
        mail = Mail.objects.get(sent_at=None)
        assert mail.error == "Connection unexpectedly closed"
        assert mail.claimed_at is not None
        Mail.objects.filter(pk=mail.pk).update(claimed_at=NOW)
        assert mails_waiting(now=NOW + TRIED_AGAIN_AFTER) == []
        later = NOW + TRIED_AGAIN_AFTER + timedelta(seconds=1)
        assert mails_waiting(now=later) == [mail]
        assert mails_waiting(now=NOW + TRIED_FOR) == []
        assert mail_send(mail=mail, now=later)
        mail.refresh_from_db()
        assert (mail.sent_at, mail.error) == (later, "")
        assert [sent.to for sent in outbox.outbox] == [["bob@example.com"]]

    def test_killed_between_sending_and_noting_it_is_sent_once_more(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real: Callable[..., int] = EmailMessage.send

        def dying(self: EmailMessage, **options: Any) -> int:
            real(self, **options)
            raise KeyboardInterrupt

        (mail,) = add(tenant)
        with monkeypatch.context() as patched:
            patched.setattr(EmailMessage, "send", dying)
            with pytest.raises(KeyboardInterrupt):
                mail_send(mail=mail, now=NOW)
        assert mail_send(mail=mail, now=NOW) is False  # it may just be under way
        assert mail_send(mail=mail, now=NOW + timedelta(minutes=11))
        assert [sent.subject for sent in outbox.outbox] == [message(mail).subject] * 2

    def test_the_sweep_finds_what_a_lost_task_left(
        self, tenant: Tenant, run_tasks: RunTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("tenants.queue.send", lambda *_, **__: False)
            add(tenant)
        tasks.mails_sweep()
        run_tasks("default")
        assert len(outbox.outbox) == 1


def test_an_operator_sends_it_again(tenant: Tenant, client: Client, run_tasks: RunTasks) -> None:
    (mail,) = add(tenant)
    mail_send(mail=mail, now=NOW)
    long_ago = NOW - timedelta(days=900)
    Mail.objects.update(created_at=long_ago, tried_until=long_ago + TRIED_FOR)
    client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
    page = reverse("admin:tenants_mail_changelist")
    assert mail.to in client.get(page).content.decode()
    client.post(page, {"action": "send_again", "_selected_action": [mail.pk]})
    run_tasks("default")
    assert len(outbox.outbox) == 2


def test_every_kind_is_a_template_within_the_frame(settings: Any) -> None:
    templates = [
        path
        for path in Path(settings.BASE_DIR, "templates").glob("*/mails/*.txt")
        if path.name != "frame.txt"
    ]
    assert len(templates) > 10
    for template in templates:
        text = template.read_text()
        assert text.startswith("{% extends frame %}"), template.name
        assert "{% block subject %}" in text, template.name
