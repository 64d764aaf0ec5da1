"""What pages say, to Django's test client."""

from typing import Any


def text(answer: Any) -> str:
    return str(answer.content.decode())


def said(answer: Any) -> str:
    """Return the messages that a page begins with."""
    return " ".join(str(message) for message in answer.context["messages"])
