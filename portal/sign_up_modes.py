"""Who may sign up: the operator says so by SIGN_UP_MODE.

open            anybody
invitation      nobody but whom a tenant has invited
approval        anybody, once an operator has approved it
domain:a.b,c.d  whoever has a mail address at one of these domains, not at a subdomain of them

An invitation is accepted in every mode, and takes no approval.
"""

from django.conf import settings

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
