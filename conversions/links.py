"""Links to variants that anybody may open until a moment that is part of them.

Nothing is stored: a link is a variant's id and its end, signed. It ends early where the upload is
deleted, and all of them end with a change of SECRET_KEY.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.core import signing

SALT = "conversions.links"


@dataclass(frozen=True)
class Link:
    """What a link says: the variant, by its id, and until when it is good."""

    conversion_id: int
    until: datetime

    def sign(self) -> str:
        """Return it as a piece of an address."""
        return signing.dumps([self.conversion_id, int(self.until.timestamp())], salt=SALT)

    @classmethod
    def read(cls, token: str) -> "Link | None":
        """Return what was signed, be it over or not; None for what we never signed."""
        try:
            conversion_id, until = signing.loads(token, salt=SALT)
        except signing.BadSignature:
            return None
        return cls(conversion_id, datetime.fromtimestamp(until, tz=UTC))
