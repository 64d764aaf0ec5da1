"""The value of a token: what a program sends as `Authorization: Bearer …`.

`skt_`, 256 random bits, and their CRC-32, in base32: letters and digits only, so that a double
click selects all of it. Scanners for leaked secrets find it by its beginning, and by the checksum
they and we tell it from a slip of the pen, without asking the database.
"""

import base64
import secrets
import zlib

PREFIX = "skt_"
_SECRET = 52  # digits of 32 bytes


def random_value() -> str:
    """Return a new value. Nobody can make it again."""
    secret = _digits(secrets.token_bytes(32))
    return f"{PREFIX}{secret}{_checksum(secret)}"


def is_well_formed(value: str) -> bool:
    """Say whether this could be a token: its beginning, and its checksum."""
    secret, checksum = value[len(PREFIX) :][:_SECRET], value[len(PREFIX) + _SECRET :]
    return value.startswith(PREFIX) and checksum == _checksum(secret)


def _checksum(secret: str) -> str:
    return _digits(zlib.crc32(secret.encode()).to_bytes(4, "big"))


def _digits(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()
