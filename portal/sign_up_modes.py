"""Who may sign up, and who of those that have an account may start an organisation: the operator
says so by SIGN_UP_MODE.

open            anybody
invitation      nobody but whom a tenant has invited
approval        anybody, once an operator has approved it
domain:a.b,c.d  whoever has a mail address at one of these domains, not at a subdomain of them

An invitation is accepted in every mode, and takes no approval.
"""

from allauth.account.models import EmailAddress
from django.conf import settings
from django.utils.translation import gettext as _

from tenants.errors import Refused
from tenants.models import User

BY_INVITATION, BY_APPROVAL, BY_DOMAIN = "invitation", "approval", "domain:"


def is_closed() -> bool:
    """Say whether signing up takes an invitation."""
    return bool(settings.SIGN_UP_MODE == BY_INVITATION)


def takes_approval() -> bool:
    """Say whether an operator looks at whoever signs up."""
    return bool(settings.SIGN_UP_MODE == BY_APPROVAL)


def domains() -> list[str]:
    """Return the domains that one of them has to be the address's; none where any may be."""
    mode: str = settings.SIGN_UP_MODE
    return mode.removeprefix(BY_DOMAIN).split(",") if mode.startswith(BY_DOMAIN) else []


def may_sign_up(email: str) -> bool:
    """Say whether somebody with this address may start an organisation."""
    allowed = domains()
    return not is_closed() and (not allowed or email.rpartition("@")[2].lower() in allowed)


def may_start(user: User) -> bool:
    """Say whether somebody who has an account may start an organisation, or ask for one."""
    if not domains():
        return not is_closed()
    confirmed = EmailAddress.objects.filter(user=user, verified=True)
    return any(may_sign_up(each.email) for each in confirmed)


def start_check(user: User) -> None:
    """Raise Refused where they may not, or have to confirm their address and have not."""
    if is_closed():
        raise Refused(_("Nobody starts an organisation here but the operator."))
    if not may_start(user):
        text = _("Starting an organisation takes a confirmed address at %(domains)s.")
        raise Refused(text % {"domains": ", ".join(domains())})
    mine = EmailAddress.objects.filter(user=user, primary=True, verified=True)
    if settings.ACCOUNT_EMAIL_VERIFICATION == "mandatory" and not mine.exists():
        raise Refused(_("Confirm your email address first."))
