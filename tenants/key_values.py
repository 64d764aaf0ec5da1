"""The value of an API key version: what a caller sends as `x-api-key`.

It is derived, never stored: HMAC-SHA256 of the version's UUID under API_KEY_SECRET. A repeat after
a crash therefore makes the same key, and a copy of the database opens nothing. API Gateway takes
20-128 characters (CreateApiKey); this has 55, letters and digits only.
"""

import base64
import hashlib
import hmac
import uuid

PREFIX = "sks"  # recognisable to people, and to scanners for leaked secrets


def derive(version_uuid: uuid.UUID, *, secret: str) -> str:
    """Return the value of the version with this UUID."""
    digest = hmac.new(secret.encode(), version_uuid.bytes, hashlib.sha256).digest()
    return PREFIX + base64.b32encode(digest).decode().rstrip("=").lower()


def digest(value: str) -> str:
    """Return what we keep of a value, to recognise it in GetUsage: its SHA-256, in hex."""
    return hashlib.sha256(value.encode()).hexdigest()
