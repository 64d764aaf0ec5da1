"""The token in an alert mail's link by which its reader stops them: signed, and nowhere stored.

It names a membership, and ends with it.
"""

from django.core import signing

SALT = "tenants.unsubscribe"


def token_of(*, member_id: int) -> str:
    """Return the token, fit for a URL."""
    return signing.Signer(salt=SALT).sign(str(member_id))


def member_id_of(token: str) -> int | None:
    """Return whose it is; None for what we have not signed."""
    try:
        return int(signing.Signer(salt=SALT).unsign(token))
    except signing.BadSignature:
        return None
