"""Sign-up by approval: ask, and be approved or refused by an operator.

Nothing of it is a tenant's: without one there is no key, nothing counts and nothing is billed. The
approval signs up as anybody else does, so that a paid plan is paid after it. The mails to
operators do not say who asked: they outlive the row.

Whether the address that they sign in with is confirmed is looked at, in allauth's rows: it happens
in many ways, and none of them tells us. Another one of theirs is not what is mailed to.
"""

from datetime import datetime

import structlog
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from billing.models import Plan, SignUpRequest, SignUpState
from billing.services.offers import FREE
from billing.services.sign_up import SignUp, sign_up
from tenants.errors import Refused
from tenants.models import User
from tenants.services import account_keep, audit_record, mail_add, mail_operators, mail_person

log = structlog.get_logger(__name__)


@transaction.atomic
def sign_up_request_create(
    *, user: User, organization: str, plan_code: str, currency: str, now: datetime
) -> SignUpRequest:
    """Note what somebody asks for. A sweep puts it before the operators once the address is
    confirmed.

    Raise Refused for a plan that is not offered, while another one of theirs waits, and where the
    account is gone.
    """
    account_keep(user=user)
    waiting = SignUpRequest.objects.filter(user=user, state=SignUpState.WAITING).first()
    if waiting is not None:
        raise Refused(
            _("Your request to start %(name)s waits for approval.") % {"name": waiting.organization}
        )
    plan = Plan.objects.filter(code=plan_code, is_public=True).first()
    if plan is None:
        raise Refused(_("There is no plan “%(code)s”.") % {"code": plan_code})
    made = SignUpRequest.objects.create(
        user=user, organization=organization, plan=plan, currency=currency, created_at=now
    )
    audit_record(action="sign_up.requested", tenant=None, actor=user, now=now, target=str(made.pk))
    return made


def sign_up_requests_submit(*, now: datetime) -> None:
    """Put the requests of those who have confirmed an address before the operators, each once. One
    that fails stops no other.
    """
    waiting = SignUpRequest.objects.filter(
        user__emailaddress__primary=True, user__emailaddress__verified=True,
        state=SignUpState.WAITING, submitted_at=None,
    )  # fmt: skip
    for request in waiting.select_related("plan").order_by("pk"):
        try:
            _submit(request, now)
        except Exception:
            log.exception("sign_up.not_submitted", request=request.pk)


@transaction.atomic
def _submit(request: SignUpRequest, now: datetime) -> None:
    if not SignUpRequest.objects.filter(pk=request.pk, submitted_at=None).update(submitted_at=now):
        return
    mail_operators(
        tenant=None,
        permission="billing.change_signuprequest",
        kind="billing.sign_up_requested",
        key=f"sign-up-requested:{request.pk}",
        context={"request": request.pk, "plan": request.plan.name},
        now=now,
    )


@transaction.atomic
def sign_up_request_approve(*, request: SignUpRequest, actor: User, now: datetime) -> SignUp:
    """Start the organisation, and mail whoever asked. One that was refused can still be approved.

    A plan that is offered no more is replaced by the free one, and the mail says so. Raise Refused
    for one that is approved already, whose address is not confirmed, or without any plan to offer.
    """
    request = _locked(request)
    _demand_confirmed(request.user)
    if request.state == SignUpState.APPROVED:
        raise Refused(_("This request is approved already."))
    user, plan = request.user, request.plan
    made = sign_up(
        user=user,
        organization=request.organization,
        plan_code=plan.code if plan.is_public else FREE,
        currency=request.currency,
        now=now,
        language=user.language,
    )
    request.tenant = made.tenant
    _decide(request, SignUpState.APPROVED, actor, now)
    audit_record(
        action="sign_up.approved", tenant=made.tenant, actor=actor, now=now, target=user.email
    )
    mail_add(
        tenant=made.tenant, kind="billing.sign_up_approved", to=user.email, now=now,
        context={
            "plan": plan.name,
            "was_withdrawn": not plan.is_public,
            "checkout": (
                reverse("billing-checkout", args=[made.order.uuid]) if made.order else ""
            ),
        },
    )  # fmt: skip
    return made


@transaction.atomic
def sign_up_request_refuse(
    *, request: SignUpRequest, reason: str = "", actor: User, now: datetime
) -> None:
    """Refuse a request that waits, and mail whoever asked, with the reason where there is one.

    Raise Refused for one that is decided, or whose address is not confirmed: nobody else's is
    mailed to.
    """
    request = _locked(request)
    _demand_confirmed(request.user)
    if request.state != SignUpState.WAITING:
        raise Refused(_("This request is decided already."))
    request.reason = reason
    _decide(request, SignUpState.REFUSED, actor, now)
    audit_record(
        action="sign_up.refused", tenant=None, actor=actor, now=now, target=str(request.pk),
        reason=reason,
    )  # fmt: skip
    mail_person(
        user=request.user, kind="billing.sign_up_refused", now=now,
        context={"organization": request.organization, "reason": reason},
    )  # fmt: skip


def _locked(request: SignUpRequest) -> SignUpRequest:
    """Return it as it is, its user locked first, as whatever deletes an account does. Raise Refused
    where it went with them.
    """
    list(User.objects.select_for_update().filter(pk=request.user_id))
    found = SignUpRequest.objects.filter(pk=request.pk).select_related("user", "plan").first()
    if found is None:
        raise Refused(_("Whoever asked for this has deleted their account."))
    return found


def _demand_confirmed(user: User) -> None:
    """Raise Refused for an address that is not confirmed; the sweep may not have come by yet."""
    confirmed = User.objects.filter(emailaddress__primary=True, emailaddress__verified=True)
    if not confirmed.filter(pk=user.pk).exists():
        raise Refused(_("The address is not confirmed yet."))


def _decide(request: SignUpRequest, state: SignUpState, actor: User, now: datetime) -> None:
    if state == SignUpState.APPROVED:
        request.reason = ""
    request.state, request.decided_by, request.decided_at = state, actor, now
    request.save()
