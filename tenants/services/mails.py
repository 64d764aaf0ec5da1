"""Mails to people: a row first, then the mail, in the tenant's language, as text and as HTML.

A template's first line is the subject, the rest the text; the link comes after it. Where we die
between sending a mail and noting it, it is sent once more: better twice than not at all.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Q, QuerySet
from django.template import Context, Engine
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import override

from tenants import queue
from tenants.invitation_tokens import token_of
from tenants.models import Invitation, InvitationState, Mail, Role, Tenant

TRIED_AGAIN_AFTER = timedelta(minutes=10)
TRIED_FOR = timedelta(days=3)  # then whoever does not take it will not
_WAITS = 200  # that a sweep takes


def mail_add(
    *,
    tenant: Tenant,
    kind: str,
    to: str,
    now: datetime,
    invitation: Invitation | None = None,
    **context: str,
) -> Mail:
    """Have a mail sent once the transaction commits; `context` is what its template needs."""
    mail = Mail.objects.create(
        tenant=tenant, kind=kind, to=to, invitation=invitation, context=context, created_at=now
    )
    queue.on_commit("tenants.tasks.mail_send", mail.pk, queue="default")
    return mail


def mail_send(*, mail: Mail, now: datetime) -> bool:
    """Send a mail that was not sent yet, nor is just being; return whether it was.

    Raise OSError where the mail server did not take it.
    """
    if not _waiting(now).filter(pk=mail.pk).update(claimed_at=now):
        return False
    mine = Mail.objects.filter(pk=mail.pk)
    try:
        message(mine.select_related("tenant", "invitation").get()).send()
    except OSError as error:  # smtplib's errors are among them
        mine.update(error=str(error)[:300])
        raise
    mine.update(sent_at=now, error="")
    return True


def mails_waiting(*, now: datetime) -> list[Mail]:
    """Return the mails that were not sent, the oldest first."""
    return list(_waiting(now).order_by("created_at", "id")[:_WAITS])


def _waiting(now: datetime) -> QuerySet[Mail]:
    unclaimed = Q(claimed_at=None) | Q(claimed_at__lt=now - TRIED_AGAIN_AFTER)
    is_of_use = Q(invitation=None) | Q(invitation__state=InvitationState.OPEN)
    return Mail.objects.filter(unclaimed, is_of_use, sent_at=None, created_at__gt=now - TRIED_FOR)


def message(mail: Mail) -> EmailMultiAlternatives:
    """Return the mail as it is sent."""
    with override(mail.tenant.language):
        context = {
            **mail.context,
            "role_label": dict(Role.choices).get(mail.context.get("role", "")),
            "expires_at": mail.invitation.expires_at if mail.invitation else None,
            "tenant": mail.tenant,
            "issuer": settings.ISSUER_NAME,
            "site_url": settings.SITE_URL,
            "link": settings.SITE_URL + _path(mail),
        }
        text = Engine.get_default().render_to_string(
            f"tenants/mails/{mail.kind}.txt",
            Context(context, autoescape=False),  # it is text, not HTML
        )
        subject, _, body = text.partition("\n")
        context |= {"subject": subject.strip(), "text": body.strip()}
        plain = "\n\n".join(
            [context["text"], context["link"], f"-- \n{context['issuer']}\n{settings.SITE_URL}\n"]
        )
        mime = render_to_string("tenants/mails/base.html", context)
    made = EmailMultiAlternatives(context["subject"], plain, to=[mail.to])
    made.attach_alternative(mime, "text/html")
    return made


def _path(mail: Mail) -> str:
    """Return where a mail leads: to the page that it names, an invitation's by the token of its
    last sending."""
    invitation = mail.invitation
    if invitation is None:
        return reverse(mail.context.get("page", "dashboard"))
    token = token_of(invitation_uuid=invitation.uuid, sendings=invitation.sendings)
    return reverse("invitation", args=[token])
