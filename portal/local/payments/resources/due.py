"""What happens by itself, once its time has come by the server's clock: a session expires, a payout
arrives, and so on. It is looked for before each request, and once a second."""

from portal.local.payments.errors import ApiError, missing
from portal.local.payments.store import Object, Transaction

from . import payouts
from .sessions import expire_due

_DECIDED = {"payout": payouts}


def happen(tx: Transaction) -> None:
    """Do all that is due."""
    expire_due(tx)
    for id, outcome in tx.due():
        decide(tx, id, outcome)


def decide(tx: Transaction, id: str, outcome: str) -> Object:
    """Let `outcome` happen to this object now, instead of what was to happen to it later.

    Raises ApiError for an object that is not there, or to which that cannot happen.
    """
    found = tx.find_any(id)
    module = _DECIDED.get(found["object"]) if found else None
    if found is None or module is None:
        raise missing("object", id)
    if outcome not in module.OUTCOMES:
        raise ApiError(
            f"The outcome of a {found['object']} must be one of {', '.join(module.OUTCOMES)}",
            param="outcome",
        )
    tx.never(id)
    module.settle(tx, found, outcome)
    return found
