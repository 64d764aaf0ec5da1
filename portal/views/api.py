"""What the management API says where there is nothing, and where we fail: problems, as ever."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from tenants.callers import TenantView
from tenants.problems import MEDIA_TYPE, problem

API = "/api/v1/"


@extend_schema(exclude=True)
class NothingView(TenantView):
    """Any address that no other view has, also one without the slash at its end.

    To be led to the one with it would make a GET of a POST, which is answered as if all were well.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raise NotFound for every method, once it is known who asks."""
        super().initial(request, *args, **kwargs)
        raise NotFound("There is nothing at this address. All end with a slash.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for a fault of ours: the site's page, or a problem where a program called."""
    if not request.path.startswith(API):
        return defaults.server_error(request)
    body = problem("error", detail="It has been logged. Try again in a moment.")
    return JsonResponse(body, status=body["status"], content_type=MEDIA_TYPE)
