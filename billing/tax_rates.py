"""The standard rates that an installation begins with, in percent, each from its first day on.

EU: European Commission, Taxes in Europe Database (https://ec.europa.eu/taxation_customs/tedb/); for
rates older than that, "VAT rates applied in the Member States of the European Union", June 2021,
section VIII (https://taxation-customs.ec.europa.eu/system/files/2021-06/vat_rates_en.pdf). United
Kingdom: https://www.gov.uk/vat-rates, since the 4th of January 2011. Japan: Consumption Tax Act,
Art. 29, with the local tax, 7.8 % + 2.2 %, since the 1st of October 2019. What ended before 2022 is
left out: nothing so old is billed.

The EU's were compared, rate and first day, with a copy of that database and that document of the
23rd of September 2026 (https://github.com/vatnode/eu-vat-rates-data), in November 2026.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

VAT = "VAT"
_RATES: dict[str, dict[date, str]] = {
    "AT": {date(1984, 1, 1): "20"},
    "BE": {date(1996, 1, 1): "21"},
    "BG": {date(1999, 1, 1): "20"},
    "CY": {date(2014, 1, 13): "19"},
    "CZ": {date(2013, 1, 1): "21"},
    "DE": {date(2021, 1, 1): "19"},
    "DK": {date(1992, 1, 1): "25"},
    "EE": {date(2009, 7, 1): "20", date(2024, 1, 1): "22", date(2025, 7, 1): "24"},
    "ES": {date(2012, 9, 1): "21"},
    "FI": {date(2013, 1, 1): "24", date(2024, 9, 1): "25.5"},
    "FR": {date(2014, 1, 1): "20"},
    "GB": {date(2011, 1, 4): "20"},
    "GR": {date(2016, 6, 1): "24"},
    "HR": {date(2012, 3, 1): "25"},
    "HU": {date(2012, 1, 1): "27"},
    "IE": {date(2021, 3, 1): "23"},
    "IT": {date(2013, 10, 1): "22"},
    "JP": {date(2019, 10, 1): "10"},
    "LT": {date(2009, 9, 1): "21"},
    "LU": {date(2015, 1, 1): "17", date(2023, 1, 1): "16", date(2024, 1, 1): "17"},
    "LV": {date(2012, 7, 1): "21"},
    "MT": {date(2004, 1, 1): "18"},
    "NL": {date(2012, 10, 1): "21"},
    "PL": {date(2011, 1, 1): "23"},
    "PT": {date(2011, 1, 1): "23"},
    "RO": {date(2017, 1, 1): "19", date(2025, 8, 1): "21"},
    "SE": {date(1990, 7, 1): "25"},
    "SI": {date(2013, 7, 1): "22"},
    "SK": {date(2011, 1, 1): "20", date(2025, 1, 1): "23"},
}
_NAMES = {"JP": "Consumption tax"}


def standard_rates() -> Iterator[tuple[str, str, Decimal, date]]:
    """Yield each country, what it calls the tax, the rate, and its first day."""
    for country, rates in _RATES.items():
        for first_day, rate in rates.items():
            yield country, _NAMES.get(country, VAT), Decimal(rate), first_day
