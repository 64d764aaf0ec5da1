"""A first look at businesses' tax numbers: form and check digits, by python-stdnum. No network.

Whether a number exists, and whose it is, only a register says (in the EU VIES).
"""

import re
from collections.abc import Callable, Mapping

from babel import Locale
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import InvalidChecksum, InvalidLength, ValidationError
from stdnum.gb import vat as gb_vat
from stdnum.jp import cn as corporate_number

from billing.tax_countries import EU
from tenants.errors import Refused

# Two letters in CLDR that are no country of ISO 3166-1: exceptional reservations and made up ones.
_NO_COUNTRIES = frozenset(
    {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"}
)


def countries() -> list[tuple[str, str]]:
    """Return the countries of ISO 3166-1, code and name, by their names in the language in use."""
    found = [
        (code, name)
        for code, name in _names().items()
        if re.fullmatch("[A-Z]{2}", code) and code not in _NO_COUNTRIES
    ]
    return sorted(found, key=lambda country: country[1])


def country_name(code: str) -> str:
    return str(_names().get(code, code))


def _names() -> Mapping[str, str]:
    """Return the names that CLDR has for territories, in the language in use."""
    return Locale.parse((get_language() or "en").replace("-", "_")).territories


def bare_number(number: str) -> str:
    """Return a number without spaces, dots and dashes."""
    return re.sub(r"[^0-9A-Za-z+*]", "", number).upper()


def tax_id_checked(*, country: str, number: str) -> str:
    """Return a country's tax number as it is written without spaces, with its prefix.

    Of countries other than the EU's members, Japan and the United Kingdom any is good. Raise
    Refused, saying what is wrong with it.
    """
    plain = bare_number(number)
    if not plain:
        return ""
    try:
        return _written(country, plain)
    except InvalidLength as error:
        text = _("“%(number)s” is too short or too long for a tax number of this country.")
        raise Refused(text % {"number": number}) from error
    except InvalidChecksum as error:
        text = _("“%(number)s” has a typing error: its check digit does not fit.")
        raise Refused(text % {"number": number}) from error
    except ValidationError as error:
        text = _("“%(number)s” does not look like a tax number of this country.")
        raise Refused(text % {"number": number}) from error


def is_tax_id_of(*, country: str, number: str) -> bool:
    """Say whether a number with its prefix is one of a country, as far as can be told."""
    try:
        return number.startswith(_rule(country)[0] or country) and bool(_written(country, number))
    except ValidationError:
        return False


def _written(country: str, plain: str) -> str:
    """Return a bare number with its prefix. Raise python-stdnum's ValidationError."""
    prefix, check = _rule(country)
    if check is None:
        return plain[:20]
    body = plain.removeprefix(prefix)
    return prefix + check(prefix + body if country in EU else body).removeprefix(prefix)


def _rule(country: str) -> tuple[str, Callable[[str], str] | None]:
    """Return the prefix of a country's numbers, and what checks one; of most nothing is known."""
    if country in EU:
        return ("EL" if country == "GR" else country), eu_vat.validate
    return _RULES.get(country, ("", None))


# A British number has XI for GB where Northern Ireland trades in goods under EU law, but is the
# same (https://www.gov.uk/vat-registration/selling-or-moving-goods-in-northern-ireland). That law
# says nothing of services (Withdrawal Agreement, Protocol on Ireland/Northern Ireland, Art. 8).
_RULES = {"GB": ("GB", gb_vat.validate), "JP": ("T", corporate_number.validate)}
