"""Logs: one structured event a line, JSON for machines or coloured text for people.

Values of API keys never reach a log: nothing logs them, and the processor below removes any field
whose name says that it holds one, should somebody try. Django logs the path of what it refuses: an
invitation's token, which is what lets somebody in, is cut out of it.
"""

import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET_FIELDS = frozenset({"api_key", "key_value", "x-api-key", "password", "secret", "token"})


_INVITATION = re.compile("(/invitations/)[0-9a-f]{64}")


def drop_secrets(
    _logger: Any, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace the value of every field that is named like a secret, and invitations' tokens."""
    for field in SECRET_FIELDS & event.keys():
        event[field] = "[removed]"
    event["event"] = _INVITATION.sub(r"\1[removed]", str(event["event"]))
    return event


def logging_config(*, level: str, format_: str) -> dict[str, Any]:
    """Configure structlog and return the matching dict for Django's LOGGING.

    Raises ValueError where `format_` is neither "json" nor "text".
    """
    if format_ not in {"json", "text"}:
        raise ValueError(f"LOG_FORMAT must be 'json' or 'text', not {format_!r}")
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        drop_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    rendered: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if format_ == "json":
        rendered += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # Rich tracebacks would print local variables, and those may be key values.
        plain = structlog.dev.plain_traceback
        colors = sys.stderr.isatty()
        rendered += [structlog.dev.ConsoleRenderer(exception_formatter=plain, colors=colors)]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": rendered,
                "foreign_pre_chain": shared,
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "botocore": {"level": "WARNING"},
            "fontTools": {"level": "WARNING"},  # forty lines for each PDF
            "django.server": {"propagate": True},
        },
    }
