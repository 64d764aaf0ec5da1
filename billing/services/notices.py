"""Mails about money: a row first, once per key; then the mail, in the tenant's language.

A template extends base.txt: its first line is the subject, the rest the text. Where we die between
sending a mail and noting it, it is sent once more: better twice than not at all.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template import Context, Engine
from django.utils.translation import override

from billing.models import Notice
from tenants import queue, selectors
from tenants.models import Tenant, User
from tenants.permissions import Act

TRIED_AGAIN_AFTER = timedelta(minutes=10)
OPERATORS_READ = "en"
_WAITS = 200  # that a sweep takes


def notice_add(
    *,
    tenant: Tenant,
    kind: str,
    key: str,
    context: Mapping[str, object],
    now: datetime,
    for_operators: bool = False,
) -> Notice:
    """Have a mail sent to those of a tenant who may buy, or to the operators who see money; one of
    this key is left as it is.

    `kind` is a template in billing/mails/, `context` what it needs, as JSON can have it.
    """
    notice, is_new = Notice.objects.get_or_create(
        key=key,
        defaults={
            "tenant": tenant,
            "kind": kind,
            "context": dict(context),
            "created_at": now,
            "for_operators": for_operators,
        },
    )
    if is_new:
        queue.on_commit("billing.tasks.notice_send", notice.pk, queue="default")
    return notice


def notice_send(*, notice: Notice, now: datetime) -> bool:
    """Send a mail that was not sent yet, nor is just being; return whether it was.

    Raise OSError where the mail server did not take it.
    """
    if not _waiting(now).filter(pk=notice.pk).update(claimed_at=now):
        return False
    mine = Notice.objects.filter(pk=notice.pk)
    try:
        message(mine.select_related("tenant").get()).send()
    except OSError as error:  # smtplib's errors are among them
        mine.update(error=str(error)[:300])
        raise
    mine.update(sent_at=now, error="")
    return True


def notice_send_again(*, notice: Notice) -> None:
    """Send a mail once more, as somebody who lost it asks an operator for."""
    with transaction.atomic():
        Notice.objects.filter(pk=notice.pk).update(sent_at=None, claimed_at=None, error="")
        queue.on_commit("billing.tasks.notice_send", notice.pk, queue="default")


def notices_waiting(*, now: datetime) -> list[Notice]:
    """Return the mails that were not sent, the oldest first."""
    return list(_waiting(now).order_by("created_at", "id")[:_WAITS])


def _waiting(now: datetime) -> QuerySet[Notice]:
    unclaimed = Q(claimed_at=None) | Q(claimed_at__lt=now - TRIED_AGAIN_AFTER)
    return Notice.objects.filter(unclaimed, sent_at=None)


def message(notice: Notice) -> EmailMessage:
    """Return the mail as it is sent."""
    with override(OPERATORS_READ if notice.for_operators else notice.tenant.language):
        context = {
            **notice.context,
            "tenant": notice.tenant,
            "issuer": settings.ISSUER_NAME,
            "site_url": settings.SITE_URL,
        }
        text = Engine.get_default().render_to_string(
            f"billing/mails/{notice.kind}.txt",
            Context(context, autoescape=False),  # it is text, not HTML
        )
    subject, _, body = text.partition("\n")
    return EmailMessage(subject.strip(), body.lstrip(), to=_recipients(notice))


def _recipients(notice: Notice) -> list[str]:
    if notice.for_operators:
        staff = User.objects.filter(is_staff=True, is_active=True).order_by("id")
        return [user.email for user in staff if user.has_perm("billing.view_payment")]
    members = selectors.members_who_may(tenant=notice.tenant, act=Act.BUY)
    return [member.user.email for member in members]
