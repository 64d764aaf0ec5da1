"""What tax law says of countries: which are the EU, and in whose currency tax is stated."""

EU = frozenset(
    {
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE",
        "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
    }
)  # fmt: skip
# Where an invoice may be in any currency, its tax has to be stated in the country's own: Japan by
# the National Tax Agency's questions and answers on qualified invoices (added in April 2022: of
# supplies in foreign currencies), the EU by Directive 2006/112/EC, Art. 230, and the United Kingdom
# by its VAT Regulations 1995, reg. 14 (1) (HMRC's manual VATREC5060).
HOME_CURRENCY = dict.fromkeys(EU, "EUR") | {
    "CZ": "CZK", "DK": "DKK", "GB": "GBP", "HU": "HUF", "JP": "JPY", "PL": "PLN", "RO": "RON",
    "SE": "SEK",
}  # fmt: skip
