"""The only module that talks to VIES, the EU's register of VAT numbers. No Django, no database.

REST, as https://ec.europa.eu/taxation_customs/vies/#/technical-information describes it. Where the
asker names its own number, the answer has a consultation number, which proves that one asked. A
fault comes as `{"actionSucceed": false, "errorWrappers": [{"error": CODE}]}`, with any HTTP status.
VIES asks the member state's own register meanwhile, so it takes seconds, and is often away.

    ViesError                 VIES could not tell; `code` is VIES's own, or what failed on the way
"""

from dataclasses import dataclass
from typing import Any

import httpx

_TIMEOUT = httpx.Timeout(30, connect=5)  # seconds
_UNTOLD = "---"  # what a member state answers that tells no names: Germany, Spain


class ViesError(Exception):
    """VIES could not tell. Ask again later."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Answer:
    """What VIES says of a number.

    `name` and `address` are empty where the member state does not tell them; `is_name_matched` says
    that it compared the name it was given with its own, and they agree. `request_id` is the
    consultation number.
    """

    is_valid: bool
    name: str = ""
    address: str = ""
    request_id: str = ""
    is_name_matched: bool = False


def check_vat_number(*, base: str, tax_id: str, name: str, requester: str) -> Answer:
    """Ask whether a VAT number is valid, and whose it is. Raise ViesError where VIES cannot tell.

    Numbers have their prefix; Greece's is EL, here as everywhere in VIES.
    """
    body = {
        "countryCode": tax_id[:2],
        "vatNumber": tax_id[2:],
        "requesterMemberStateCode": requester[:2],
        "requesterNumber": requester[2:],
        "traderName": name,
    }
    try:
        answer = httpx.post(f"{base}/check-vat-number", json=body, timeout=_TIMEOUT)
        said = answer.json()
    except httpx.HTTPError as error:
        raise ViesError(type(error).__name__) from error
    except ValueError as error:
        raise ViesError(f"HTTP {answer.status_code}") from error
    return _answer(said)


def _answer(said: Any) -> Answer:
    if not isinstance(said, dict):
        raise ViesError("not an object")
    faults = said.get("errorWrappers") or []
    code = str(faults[0].get("error")) if faults else ""
    if said.get("valid") is False or code == "INVALID_INPUT":  # no number of that country is so
        return Answer(is_valid=False)
    if code:
        raise ViesError(code)
    if said.get("valid") is not True or not said.get("requestIdentifier"):
        raise ViesError("no consultation number")
    return Answer(
        is_valid=True,
        name=_told(said, "name"),
        address=_told(said, "address"),
        request_id=str(said["requestIdentifier"]),
        is_name_matched=said.get("traderNameMatch") == "VALID",
    )


def _told(said: dict[str, Any], field: str) -> str:
    text = str(said.get(field) or "").strip()
    return "" if text == _UNTOLD else text
