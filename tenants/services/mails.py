"""Mails to people: a row first, then the mail, in the tenant's language, as text and as HTML.

A mail to several people is a row for each of them, made when there is something to tell: so an
address that does not take it is tried again alone, and nobody gets it twice for another's sake.

A template is written once, in blocks (templates/tenants/mails/frame.txt lists them), and rendered
within two frames, for text and for HTML. Where we die between sending a mail and noting it, it is
sent once more: better twice than not at all.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template import Context, Engine
from django.urls import reverse
from django.utils.translation import override

from tenants import queue, unsubscribing
from tenants.invitation_tokens import token_of
from tenants.links import whose
from tenants.mail_files import files_of
from tenants.models import Invitation, InvitationState, Mail, Member, Role, Tenant, User
from tenants.permissions import Act
from tenants.selectors.members import members_who_may

ALERT = "tenants.alert"  # the one kind that its readers can stop, each for themselves
TRIED_AGAIN_AFTER = timedelta(minutes=10)
TRIED_FOR = timedelta(days=3)  # then whoever does not take it will not
PERSONS_KEPT = timedelta(days=30)
OPERATORS_READ = "en"
_WAITS = 200  # that a sweep takes
_TASK = "tenants.tasks.mail_send"


def mail_add(
    *,
    tenant: Tenant,
    kind: str,
    to: str,
    context: Mapping[str, object],
    now: datetime,
    invitation: Invitation | None = None,
) -> Mail:
    """Have a mail sent to one address once the transaction commits; `context` is what its template
    needs, as JSON can have it."""
    return _add(
        tenant=tenant, kind=kind, to=to, invitation=invitation, language=tenant.language,
        context=dict(context), now=now,
    )  # fmt: skip


def mail_person(*, user: User, kind: str, context: Mapping[str, object], now: datetime) -> Mail:
    """Likewise to a person, in their own language, about nothing of a tenant's."""
    return _add(
        tenant=None, kind=kind, to=user.email, language=user.language, context=dict(context),
        now=now,
    )  # fmt: skip


def _add(*, now: datetime, **row: object) -> Mail:
    mail = Mail.objects.create(**row, created_at=now, tried_until=now + TRIED_FOR)
    queue.on_commit(_TASK, mail.pk, queue="default")
    return mail


def mail_members(
    *,
    tenant: Tenant,
    act: Act,
    kind: str,
    key: str,
    context: Mapping[str, object],
    now: datetime,
) -> list[Mail]:
    """Have a mail sent to each of a tenant's members who may do an act; return those that are new.

    Whoever was told of this key is left out, and of an alert who wants none by mail.
    """
    members = members_who_may(tenant=tenant, act=act)
    return _add_once(
        [member.user.email for member in members if kind != ALERT or member.alert_mails],
        tenant=tenant, kind=kind, key=key, language=tenant.language, context=dict(context), now=now,
    )  # fmt: skip


def mail_operators(
    *,
    tenant: Tenant | None,
    permission: str,
    kind: str,
    key: str,
    context: Mapping[str, object],
    now: datetime,
) -> list[Mail]:
    """Likewise to each operator who has a permission, in the language that operators read."""
    staff = User.objects.filter(is_staff=True, is_active=True).order_by("id")
    return _add_once(
        [user.email for user in staff if user.has_perm(permission)],
        tenant=tenant, kind=kind, key=key, language=OPERATORS_READ, context=dict(context), now=now,
    )  # fmt: skip


@transaction.atomic
def _add_once(addresses: Iterable[str], *, key: str, now: datetime, **row: object) -> list[Mail]:
    added = []
    for to in addresses:
        mail, is_new = Mail.objects.get_or_create(
            key=key, to=to, defaults={**row, "created_at": now, "tried_until": now + TRIED_FOR}
        )
        if is_new:
            queue.on_commit(_TASK, mail.pk, queue="default")
            added.append(mail)
    return added


@transaction.atomic
def mail_send_again(*, mail: Mail, now: datetime) -> None:
    """Send a mail once more, as somebody who lost it asks an operator for."""
    Mail.objects.filter(pk=mail.pk).update(
        sent_at=None, claimed_at=None, error="", tried_until=now + TRIED_FOR
    )
    queue.on_commit(_TASK, mail.pk, queue="default")


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
    return list(_waiting(now).order_by("tried_until", "id")[:_WAITS])


def _waiting(now: datetime) -> QuerySet[Mail]:
    unclaimed = Q(claimed_at=None) | Q(claimed_at__lt=now - TRIED_AGAIN_AFTER)
    is_of_use = Q(invitation=None) | Q(invitation__state=InvitationState.OPEN)
    return Mail.objects.filter(unclaimed, is_of_use, sent_at=None, tried_until__gt=now)


def mails_give_up(*, tenant: Tenant, to: str, now: datetime, kind: str = "") -> None:
    """Send an address no more of what waits for it as one of those who may do something about it,
    or of one kind of that. What happened to its reader is sent all the same: that has no key.
    """
    waiting = Mail.objects.filter(tenant=tenant, to=to, sent_at=None).exclude(key="")
    if kind:
        waiting = waiting.filter(kind=kind)
    waiting.update(tried_until=now)


def mails_prune(*, now: datetime) -> None:
    """Forget mails to people about nothing of a tenant's: they may be all that names somebody."""
    Mail.objects.filter(tenant=None, key="", created_at__lte=now - PERSONS_KEPT).delete()


def message(mail: Mail) -> EmailMultiAlternatives:
    """Return the mail as it is sent."""
    context: dict[str, object] = {
        **mail.context,
        "tenant": mail.tenant,
        "issuer": settings.ISSUER_NAME,
        "site_url": settings.SITE_URL,
        "whose": whose(mail.tenant),
    }
    stops = _way_to_stop(mail)
    context["unsubscribe"] = stops
    with override(mail.language):
        context["role_label"] = dict(Role.choices).get(mail.context.get("role", ""))
        if mail.invitation is not None:
            context |= {
                "expires_at": mail.invitation.expires_at,
                "token": token_of(
                    invitation_uuid=mail.invitation.uuid, sendings=mail.invitation.sendings
                ),
            }
        text = _render(mail.kind, "txt", context)
        html = _render(mail.kind, "html", context)
    subject, _, body = text.partition("\n")
    body = re.sub(r"\n{3,}", "\n\n", body.strip())  # what blocks without text leave between them
    made = EmailMultiAlternatives(subject.strip(), f"{body}\n", to=[mail.to])
    if stops:  # RFC 8058: mail programs have a button that posts there
        made.extra_headers = {
            "List-Unsubscribe": f"<{stops}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    made.attach_alternative(html, "text/html")
    for file in files_of(mail.kind, mail.context):
        made.attach(file.name, file.content, file.media_type)
    return made


def _way_to_stop(mail: Mail) -> str:
    """Return the address at which an alert's reader stops alerts by mail; of other mails, none."""
    if mail.kind != ALERT:
        return ""
    reader = Member.objects.filter(tenant=mail.tenant, user__email=mail.to).first()
    if reader is None:  # they have left meanwhile
        return ""
    token = unsubscribing.token_of(member_id=reader.pk)
    return settings.SITE_URL + reverse("alerts-unsubscribe", args=[token])


def _render(kind: str, form: str, context: Mapping[str, object]) -> str:
    """Return a template of a kind within the frame of one form, "txt" or "html"."""
    app, _, name = kind.partition(".")
    return Engine.get_default().render_to_string(
        f"{app}/mails/{name}.txt",
        Context({**context, "frame": f"tenants/mails/frame.{form}"}, autoescape=form == "html"),
    )
