"""A person's account ends: by their own wish, or with the last tenant that they belonged to."""

from collections.abc import Collection, Iterable
from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from django.utils.translation import gettext as _

from tenants.errors import Refused
from tenants.models import AuditEntry, Mail, Member, Tenant, User
from tenants.selectors.members import tenants_owned_alone
from tenants.services.audit import audit_record
from tenants.services.mails import mail_person
from tenants.services.members import member_leave

NAME_IN_LOG = "deleted"


@transaction.atomic
def account_delete(*, user: User, actor: User | None = None, now: datetime) -> None:
    """Take a person out of their tenants, delete their account, and tell their address; again
    changes nothing. `actor` is the operator whom they have asked, if they do not do it themselves.

    Raise Refused for an operator, and, naming the tenants, for the only owner of any.
    """
    mine = Member.objects.filter(user=user).values("tenant")
    # Locked before the user, as whatever else ends memberships does.
    list(Tenant.objects.select_for_update().filter(pk__in=mine).order_by("pk"))
    found = User.objects.select_for_update().filter(pk=user.pk).first()
    if found is None:
        return
    if found.is_staff:
        raise Refused(_("This is an operator's account: another operator takes the rights first."))
    alone = tenants_owned_alone(user=found)
    if alone:
        names = ", ".join(tenant.name for tenant in alone)
        raise Refused(_("Nobody else owns %(names)s.") % {"names": names})
    for member in found.memberships.select_related("tenant", "user").order_by("pk"):
        member_leave(member=member, actor=actor, now=now)
    users_forget(users=[found.pk])
    audit_record(action="account.deleted", tenant=None, actor=actor, now=now, target=str(user.pk))
    mail_person(user=found, kind="tenants.account_deleted", now=now, context={"email": found.email})


def account_keep(*, user: User) -> None:
    """See to it that an account is there until this transaction ends. Raise Refused for one that
    was deleted since somebody signed in to it.
    """
    if User.objects.select_for_update(no_key=True).filter(pk=user.pk).first() is None:
        raise Refused(_("This account was deleted."))


def users_forget(*, users: Collection[int]) -> None:
    """Delete accounts, by their ids, with all that signs them in.

    What tenants keep of them stays; what is no tenant's names them no more.
    """
    for session in UserSession.objects.filter(user__in=users):
        session.end()
    AuditEntry.objects.filter(tenant=None, actor__in=users).update(actor_name="")
    going = User.objects.filter(pk__in=users)
    addresses = {
        *going.values_list("email", flat=True),
        *EmailAddress.objects.filter(user__in=users).values_list("email", flat=True),
    }
    Mail.objects.filter(tenant=None, to__in=addresses).delete()
    operators_log_forget(User, users)
    LogEntry.objects.filter(object_repr__in=addresses).update(object_repr=NAME_IN_LOG)
    going.delete()


def operators_log_forget(model: type[models.Model], ids: Iterable[int]) -> None:
    """Take the names of what goes out of the admin's own log of what operators changed."""
    kind = ContentType.objects.get_for_model(model)
    changes = LogEntry.objects.filter(content_type=kind, object_id__in=[str(pk) for pk in ids])
    changes.update(object_repr=NAME_IN_LOG)
