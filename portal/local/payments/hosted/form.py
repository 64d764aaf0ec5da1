"""The card form: what was typed, and what is wrong with it."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs

from portal.local.payments import cards

_EXPIRY = re.compile(r"(0?[1-9]|1[0-2])\s*[/-]?\s*((?:20)?[0-9]{2})")
_MAX_NAME = 200


@dataclass
class CardForm:
    """`errors` maps a field's name to the text that tells what is wrong. `expiry` is (month, year).
    Neither the number nor the CVC is ever shown or stored again."""

    number: str = ""
    exp: str = ""
    name: str = ""
    expiry: tuple[int, int] = (0, 0)
    errors: dict[str, str] = field(default_factory=dict)


def read(body: bytes, now: int) -> CardForm:
    """Check a posted form against the server's clock `now` (Unix seconds)."""
    posted = parse_qs(body.decode(errors="replace"))

    def value(name: str) -> str:
        return posted.get(name, [""])[0].strip()

    form = CardForm(
        number=re.sub(r"[\s-]", "", value("card_number")), exp=value("exp")[:9], name=value("name")
    )
    if not cards.plausible(form.number):
        form.errors["card_number"] = "invalid_number"
    if match := _EXPIRY.fullmatch(form.exp):
        month, year = int(match[1]), int(match[2]) % 100 + 2000
        today = datetime.fromtimestamp(now, UTC)
        form.expiry = (month, year)
        if (year, month) < (today.year, today.month):
            form.errors["exp"] = "past_exp"
    else:
        form.errors["exp"] = "invalid_exp"
    if not re.fullmatch(r"[0-9]{3,4}", value("cvc"), re.ASCII):
        form.errors["cvc"] = "invalid_cvc"
    if not form.name:
        form.errors["name"] = "missing_name"
    elif len(form.name) > _MAX_NAME:
        form.name = form.name[:_MAX_NAME]
        form.errors["name"] = "long_name"
    return form
