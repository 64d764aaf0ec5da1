"""Which apps have a part in a tenant's end. Each registers when it is ready (apps.py), and sweeps
for its own rows of LeavingPart.
"""

_APPS: set[str] = set()


def register(app: str) -> None:
    """Have tenants that leave wait for this app, by its label."""
    _APPS.add(app)


def apps() -> list[str]:
    """Return the labels of the apps that are waited for."""
    return sorted(_APPS)
