"""The secret of a webhook endpoint: what its owner verifies signatures with.

Derived like an API key's value (key_values.py), never stored: HMAC-SHA256 of a UUID of the
endpoint's row under WEBHOOK_SIGNING_SECRET. Rotating gives the row another UUID. Standard Webhooks
wants `whsec_` and 24 to 64 bytes in base64; this has 32.
"""

import base64
import hashlib
import hmac
import uuid

PREFIX = "whsec_"


def derive(secret_uuid: uuid.UUID, *, secret: str) -> str:
    """Return the endpoint's secret that has this UUID."""
    digest = hmac.new(secret.encode(), secret_uuid.bytes, hashlib.sha256).digest()
    return PREFIX + base64.b64encode(digest).decode()
