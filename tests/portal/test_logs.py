"""Nothing secret reaches a log."""

import logging
import sys

import pytest
import structlog
from django.test import RequestFactory
from django.views.debug import ExceptionReporter
from structlog.stdlib import ProcessorFormatter

from portal.logs import drop_secrets, logging_config


@pytest.mark.parametrize("field", ["api_key", "key_value", "x-api-key", "password", "secret"])
def test_a_field_that_is_named_like_a_secret_is_removed(field: str) -> None:
    assert drop_secrets(None, "info", {"event": "e", field: "sks123"})[field] == "[removed]"


def test_an_invitations_token_is_in_no_path() -> None:
    logged = drop_secrets(None, "warning", {"event": f"Gone: /invitations/{'a0' * 32}/accept/"})
    assert logged["event"] == "Gone: /invitations/[removed]/accept/"


def test_a_traceback_shows_no_local_variable() -> None:
    config = logging_config(level="INFO", format_="text")
    processors = config["formatters"]["structured"]["processors"]
    formatter = ProcessorFormatter(processors=processors)

    def fails() -> None:
        value = "sks-a-secret-value"
        raise RuntimeError(f"of {len(value)} characters")

    try:
        fails()
    except RuntimeError:
        record = logging.LogRecord("t", logging.ERROR, "f", 1, "went wrong", (), None)
        record.exc_info = sys.exc_info()
        text = formatter.format(record)
    assert "of 18 characters" in text
    assert "sks-a-secret-value" not in text
    assert structlog.is_configured()


def test_a_report_of_an_error_shows_neither_the_gateways_secret_nor_a_key() -> None:
    secrets = {"HTTP_X_SEKISHO_GATEWAY": "the-gateways-secret", "HTTP_X_API_KEY": "sks-a-key"}
    request = RequestFactory().get("/api/v1/keys/", headers={"Accept": "text/html"})
    request.META.update(secrets)
    reporter = ExceptionReporter(request, None, None, None)
    text = reporter.get_traceback_text() + reporter.get_traceback_html()
    assert "text/html" in text
    assert not [secret for secret in secrets.values() if secret in text]


def test_a_wrong_format_is_named() -> None:
    with pytest.raises(ValueError, match="LOG_FORMAT"):
        logging_config(level="INFO", format_="xml")
