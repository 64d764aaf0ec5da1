"""Colour profiles by hand (ICC.1:2001-04): each changes colours in a way that no test can miss."""

import struct

_D50 = (0.9642, 1.0, 0.8249)
_RED, _GREEN, _BLUE = (
    (0.43607, 0.22249, 0.01392),
    (0.38515, 0.71687, 0.09708),
    (0.14307, 0.06061, 0.71410),
)


def swapped() -> bytes:
    """Of RGB, in which red is what sRGB calls green, and the other way about."""
    curve = _curve(2.2)
    colours = {b"rXYZ": _xyz(_GREEN), b"gXYZ": _xyz(_RED), b"bXYZ": _xyz(_BLUE)}
    curves = {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    return _profile(b"mntr", b"RGB ", b"XYZ ", {**colours, **curves})


def linear_gray() -> bytes:
    """Of gray, in which half of the light is half of the number: sRGB's 188."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _curve(1.0)})


def green_cyan() -> bytes:
    """Of CMYK, whose cyan is a full green (Lab 88, -79, 81), and whose other inks are all black."""
    white, green, black = (255, 128, 128), (224, 49, 209), (0, 128, 128)
    grid = b"".join(
        bytes(white if inks == 0 else green if inks == 0b1000 else black) for inks in range(16)
    )
    straight = bytes(range(256))
    matrix = b"".join(_fixed(value) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + matrix + straight * 4 + grid + straight * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table})


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"wtpt": _xyz(_D50), **tags}
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, at + len(body), len(tag))
        body += tag + b"\0" * (-len(tag) % 4)
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"", 0x02400000, kind, space, connection)
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp").ljust(44, b"\0")
    head += b"".join(_fixed(value) for value in _D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65_536))


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(value) for value in values)


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
