"""Names that people type."""


def tidied(name: str) -> str:
    """Return a name without blanks around it, and with single ones between its words."""
    return " ".join(name.split())
