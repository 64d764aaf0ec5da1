"""If-Match: a change is made only to what its caller has read (RFC 9110, section 13.1.1).

It works for every address that can be read and changed, and no view knows of it. The ETag is that
of Django's ConditionalGetMiddleware, by which the reading was answered.
"""

from collections.abc import Callable

from django.db import transaction
from django.http import HttpResponse
from django.utils.cache import set_response_etag
from django.utils.http import parse_etags
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from tenants.models import Tenant

HEADER = "If-Match"


class Changed(APIException):
    status_code, default_code = 412, "precondition_failed"
    default_detail = "It is not what you have read any more: read it again."


def change_as_read(
    *, tenant: Tenant, known: str, read: Callable[[], Response], change: Callable[[], Response]
) -> Response:
    """Change what still is what `known`, the header, says. Raise Changed.

    Services lock the tenant before they change something of it; so does this, before it looks, but
    with a lock that rows which refer to the tenant can be added beside: who adds them may hold what
    the change waits for.
    """
    with transaction.atomic():
        Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
        if not {"*", _etag(read())} & set(parse_etags(known)):
            raise Changed
        return change()


def _etag(response: Response) -> str:
    rendered = HttpResponse(JSONRenderer().render(response.data))
    return str(set_response_etag(rendered)["ETag"])
