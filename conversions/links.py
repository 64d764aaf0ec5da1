"""Links to variants that anybody may open until a moment that is part of them.

Nothing is stored: a link is what names a variant and its end, signed. It ends early where the
upload is deleted, and all of them end with a change of SECRET_KEY. No row's id is in it: where a
database is restored from a backup ids come again, for files of others.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from django.core import signing

SALT = "conversions.links.variant"


@dataclass(frozen=True)
class Link:
    """What a link says: of which upload the variant is, which one, and until when it is good."""

    upload_id: uuid.UUID
    preset_code: str
    preset_version: int
    until: datetime

    def sign(self) -> str:
        """Return it as a piece of an address."""
        variant = [self.upload_id.hex, self.preset_code, self.preset_version]
        return signing.dumps([*variant, int(self.until.timestamp())], salt=SALT)

    @classmethod
    def read(cls, token: str) -> "Link | None":
        """Return what was signed, be it over or not; None for what we never signed."""
        try:
            upload, code, version, until = signing.loads(token, salt=SALT)
        except signing.BadSignature:
            return None
        return cls(uuid.UUID(upload), code, version, datetime.fromtimestamp(until, tz=UTC))
