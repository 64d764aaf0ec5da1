"""What the management API says when it refuses: RFC 9457 problem details, with codes that stay.

`type` leads to the code's line on the reference page; `code` is the same for programs. Services
raise `Refused`, DRF its own exceptions; neither needs a view to catch it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler, set_rollback

from tenants.callers import ScopeMissing
from tenants.errors import Invalid, Refused
from tenants.recent import SignInAgain

MEDIA_TYPE = "application/problem+json"

# code: (status, title). A code is never given another meaning. Many are DRF's own words.
PROBLEMS: dict[str, tuple[int, str | Promise]] = {
    "invalid": (400, _("Something that was sent is missing or wrong.")),
    "parse_error": (400, _("The body cannot be read.")),
    "idempotency_key_invalid": (400, _("The Idempotency-Key is none.")),
    "not_authenticated": (401, _("The call does not say who calls.")),
    "authentication_failed": (401, _("The credentials are not good.")),
    "permission_denied": (403, _("The caller may not do this.")),
    "reauthentication_required": (403, _("The session began too long ago.")),
    "second_factor_required": (403, _("The organisation requires a second factor.")),
    "scope_missing": (403, _("The token was not given the scope.")),
    "not_found": (404, _("There is no such thing.")),
    "method_not_allowed": (405, _("This cannot be done here.")),
    "not_acceptable": (406, _("The answer is in no form that is accepted.")),
    "refused": (409, _("Something stands in the way.")),
    "not_in_this_state": (409, _("The state of the thing does not allow it.")),
    "amount_changed": (409, _("What is to pay is not what was shown.")),
    "idempotency_key_in_use": (409, _("The same call is under way.")),
    "precondition_failed": (412, _("It has changed since it was read.")),
    "too_large": (413, _("The body is too long.")),
    "unsupported_media_type": (415, _("The body is in no form that is read here.")),
    "idempotency_key_reused": (422, _("The Idempotency-Key was for another call.")),
    "throttled": (429, _("Too many calls.")),
    "error": (500, _("Something went wrong on our side.")),
    "unavailable": (503, _("Something that it takes cannot be reached.")),
}


def problem(code: str, *, detail: str | Promise, **more: Any) -> dict[str, Any]:
    """Return the body that a code has: its members, and `more`. The code must be in the table."""
    status_code, title = PROBLEMS[code]
    return {
        "type": f"{settings.SITE_URL}{reverse('api-docs')}#problem-{code}",
        "title": str(title),
        "status": status_code,
        "detail": str(detail),
        "code": code,
        **more,
    }


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer with the problem that an exception stands for; None where it is a fault of ours.

    DRF's handler does what else belongs to a refusal: the transaction's rollback, and headers.
    """
    if isinstance(error, Invalid):
        error = ValidationError({error.field: [str(error)]})
    if isinstance(error, Refused):
        set_rollback()
        return _response(problem(error.code, detail=str(error)))
    if isinstance(error, ReauthenticationRequired | SignInAgain):
        set_rollback()
        text = "Confirm who you are in the portal, or sign in again; or call with a token."
        return _response(problem("reauthentication_required", detail=text))
    if isinstance(error, RequestDataTooBig):
        set_rollback()
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        return _response(problem("too_large", detail=f"A body has at most {most:,} bytes."))
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, ValidationError):
        request = context.get("request")
        is_query = request is not None and request.method in SAFE_METHODS
        errors = list(_errors(error.detail, "" if is_query else "#", is_query=is_query))
        texts = " ".join(f"{_place(each)}: {each['detail']}" for each in errors)
        body = problem("invalid", detail=texts, errors=errors)
    else:
        if isinstance(error, APIException):
            code = str(error.get_codes())
        else:
            code = _DJANGO[response.status_code]
        wanted = {"scope": error.scope} if isinstance(error, ScopeMissing) else {}
        body = problem(code, detail=response.data["detail"], **wanted)
    return _response(body, headers=dict(response.items()))


# DRF's handler also knows two exceptions of Django's.
_DJANGO = {status.HTTP_403_FORBIDDEN: "permission_denied", status.HTTP_404_NOT_FOUND: "not_found"}


def _response(body: dict[str, Any], *, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status=body["status"], headers=headers, content_type=MEDIA_TYPE)


def _errors(detail: Any, place: str, *, is_query: bool) -> Iterator[dict[str, str]]:
    """Yield each wrong field: a JSON pointer into the body, or the query parameter's name."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            if name == api_settings.NON_FIELD_ERRORS_KEY:
                yield from _errors(inner, place, is_query=is_query)
            else:
                inside = str(name) if is_query else f"{place}/{_escaped(str(name))}"
                yield from _errors(inner, inside, is_query=is_query)
    elif isinstance(detail, ErrorDetail):
        where = {"parameter" if is_query else "pointer": place}
        yield {**where, "detail": str(detail), "code": str(detail.code)}
    else:
        for number, inner in enumerate(detail):
            inside = place if isinstance(inner, ErrorDetail) else f"{place}/{number}"
            yield from _errors(inner, inside, is_query=is_query)


def _escaped(name: str) -> str:
    """Escape a name for a JSON pointer: RFC 6901, section 3."""
    return name.replace("~", "~0").replace("/", "~1")


def _place(error: dict[str, str]) -> str:
    return error.get("parameter") or error["pointer"].removeprefix("#/")
