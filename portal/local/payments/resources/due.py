"""What happens by itself, once its time has come by the server's clock: a session expires, a payout
arrives, a cardholder disputes a charge. It is looked for before each request, and once a second."""

from portal.local.payments.errors import ApiError, missing
from portal.local.payments.store import NOBODY, Object, Transaction

from . import disputes, payouts, refunds
from .sessions import expire_due

# kind -> what can happen to it, and what does it
_DECIDED = {
    "charge": (disputes.REASONS, disputes.open_),
    "dispute": (disputes.OUTCOMES, disputes.settle),
    "payout": (payouts.OUTCOMES, payouts.settle),
    "refund": (refunds.OUTCOMES, refunds.settle),
}


def happen(tx: Transaction) -> None:
    """Do all that is due. Whoever asks for something else now has not asked for it."""
    asked, tx.request = tx.request, NOBODY
    expire_due(tx)
    while due := tx.due():  # one may lead to another
        for id, outcome in due:
            decide(tx, id, outcome)
    tx.request = asked


def decide(tx: Transaction, id: str, outcome: str) -> Object:
    """Let `outcome` happen to this object now, instead of what was to happen to it later.

    Raises ApiError for an object that is not there, or to which that cannot happen.
    """
    found = tx.find_any(id)
    if found is None or found["object"] not in _DECIDED:
        raise missing("object", id)
    outcomes, settle = _DECIDED[found["object"]]
    if outcome not in outcomes:
        raise ApiError(
            f"The outcome of a {found['object']} must be one of {', '.join(outcomes)}",
            param="outcome",
        )
    tx.never(id)
    settle(tx, found, outcome)
    return found
