"""Second factors: how django-allauth keeps them here.

What a code is made from, TOTP's secret and the seed of the recovery codes, is encrypted in the
database under a key derived from SECRET_KEY: whoever has a copy of the database alone cannot make
codes. Passkeys need no such thing, their rows have public keys.
"""

import base64
from functools import cache
from urllib.parse import urlsplit

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.translation import gettext as _

from tenants.models import User


class SecondFactorAdapter(DefaultMFAAdapter):
    """What allauth leaves to the project about second factors."""

    def encrypt(self, text: str) -> str:
        return _cipher(settings.SECRET_KEY).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Raise InvalidToken where SECRET_KEY is not the one it was encrypted under."""
        return _cipher(settings.SECRET_KEY).decrypt(encrypted_text.encode()).decode()

    def get_public_key_credential_rp_entity(self) -> dict[str, str | None]:
        """Return whom passkeys are for: the site, whatever host a proxy asks for."""
        return {"id": urlsplit(settings.SITE_URL).hostname, "name": settings.ISSUER_NAME}

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        """Propose a passkey's name."""
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return _("Passkey %(number)s") % {"number": number}


@cache
def _cipher(secret: str) -> Fernet:
    """Return what encrypts under a secret. HKDF is RFC 5869; `info` keeps the key to this use."""
    derived = HKDF(SHA256(), length=32, salt=None, info=b"sekisho second factors").derive(
        secret.encode()
    )
    return Fernet(base64.urlsafe_b64encode(derived))
