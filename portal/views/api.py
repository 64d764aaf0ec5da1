"""What the management API says where there is nothing: JSON, as everywhere in it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from tenants.callers import TenantView


@extend_schema(exclude=True)
class NothingView(TenantView):
    """Any address that no other view has."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raise NotFound for every method, once it is known who asks."""
        super().initial(request, *args, **kwargs)
        raise NotFound("There is nothing at this address.")
