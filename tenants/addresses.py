"""Where a request comes from: beyond the proxy, where the settings say that there is one."""

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """Return the caller's IP address as allauth's rate limits take it; None where nobody says.

    X-Forwarded-For is believed with BEHIND_PROXY alone, and only what that proxy wrote, the last.
    """
    try:
        address: str = get_adapter().get_client_ip(request)
    except PermissionDenied:  # a socket of the machine's own has none
        return None
    return address
