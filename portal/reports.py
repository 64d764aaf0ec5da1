"""What a report of an error shows of the request: Django's pages for developers, and its mails."""

import re

from django.views.debug import SafeExceptionReporterFilter


class ReportFilter(SafeExceptionReporterFilter):
    """Django's filter, which hides API keys by their name; and the gateway's secret, too."""

    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|HTTP_X_SEKISHO_GATEWAY",
        flags=re.IGNORECASE,
    )
