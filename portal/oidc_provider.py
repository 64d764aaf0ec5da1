"""The OpenID provider that the operator configures, as django-allauth wants to be told of it."""

import re
from typing import Any
from urllib.parse import urlsplit

OIDC_VARIABLES = ("OIDC_SERVER_URL", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_NAME")


def provider_id(server_url: str) -> str:
    """Return what connections are stored under; the address that answers come back to has it too.

    A subject is one person at one issuer alone (OpenID Connect Core 1.0, section 2). So it is made
    of the issuer's address: with another provider, nobody has a connection yet.
    """
    parts = urlsplit(server_url)
    return re.sub(r"[^a-z0-9.]+", "-", f"{parts.netloc}{parts.path}".lower()).strip("-")


def origin(url: str) -> str:
    """Return a URL's origin, as a Content-Security-Policy has it; of none, none."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def providers(*, server_url: str, client_id: str, secret: str, name: str) -> dict[str, Any]:
    """Return SOCIALACCOUNT_PROVIDERS; without a server there is none to choose."""
    app = {
        "provider_id": provider_id(server_url),
        "name": name,
        "client_id": client_id,
        "secret": secret,
        "settings": {"server_url": server_url},
    }
    apps = [app] if server_url else []
    return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": apps}}
