"""The token in an invitation's link: derived where it is sent, its digest stored where it is kept.

So it is in no row, log or task, a mail that is sent twice has the same link, and a change of
SECRET_KEY ends no link that is out.
"""

import hashlib
import uuid

from django.utils.crypto import salted_hmac

SALT = "tenants.invitation"


def token_of(*, invitation_uuid: uuid.UUID, sendings: int) -> str:
    """Return the token of one sending: 256 bits, in hexadecimal."""
    return salted_hmac(SALT, f"{invitation_uuid}.{sendings}", algorithm="sha256").hexdigest()


def digest_of(token: str) -> str:
    """Return what is stored of a token: SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()
