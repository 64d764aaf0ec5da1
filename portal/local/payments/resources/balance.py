"""The balance, and the balance transactions that every movement of money leaves on it.

https://docs.stripe.com/api/balance_transactions; their types and reporting categories:
https://docs.stripe.com/reports/reporting-categories. Each currency has a balance of its own:
nothing is converted, so `exchange_rate` is never set. A charge becomes available after two days.
What disputes, payouts and failures move counts at once.
"""

from typing import Any

from portal.local.payments.errors import ApiError
from portal.local.payments.params import EXPAND, PAGE, Hash, Range, Text
from portal.local.payments.present import chosen, page
from portal.local.payments.store import Object, Transaction, new_id

READ = Hash(EXPAND)
RETRIEVE = Hash(EXPAND)
LIST = Hash(
    {
        **PAGE,
        "created": Range(),
        "currency": Text(),
        "payout": Text(blank=False),
        "source": Text(),
        "type": Text(),
    }
)
_AVAILABLE_AFTER = 2 * 24 * 3600


def book(
    tx: Transaction,
    source: Object,
    amount: int,
    *,
    type: str,
    category: str | None = None,
    description: str | None = None,
    fee: int = 0,
    fee_for: str = "Stripe processing fees",
    at_once: bool = False,
) -> Object:
    """Move `amount` less `fee` on the balance of the source's currency."""
    details = {"application": None, "description": fee_for, "type": "stripe_fee"}
    fees = [{"amount": fee, "currency": source["currency"], **details}] if fee else []
    entry: Object = {
        "id": new_id("txn_"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": tx.now if at_once else tx.now + _AVAILABLE_AFTER,
        "balance_type": "payments",
        "created": tx.now,
        "currency": source["currency"],
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": fees,
        "net": amount - fee,
        "reporting_category": category or type,
        "source": source.get("id"),
        "status": "available" if at_once else "pending",
        "type": type,
        "_payout": None,
    }
    tx.save(entry)
    return entry


def charge_fee(tx: Transaction, amount: int, currency: str, description: str) -> Object:
    """Take a fee that belongs to no payment, such as Stripe's monthly ones."""
    return book(
        tx,
        {"currency": currency},
        -amount,
        type="stripe_fee",
        category="fee",
        description=description,
        at_once=True,
    )


def available(tx: Transaction, currency: str) -> int:
    """What could be paid out now; below zero where more was taken than there was."""
    return _sums(tx, "<=").get(currency, 0)


def sweep(tx: Transaction, currency: str, payout: str) -> None:
    """Note on all that is available, and in no automatic payout yet, that it is in this one."""
    tx.db.execute(
        "UPDATE objects SET body = json_set(body, '$._payout', ?) "
        "WHERE kind = 'balance_transaction' AND json_extract(body, '$.currency') = ? "
        "AND json_extract(body, '$._payout') IS NULL "
        "AND json_extract(body, '$.available_on') <= ?",
        (payout, currency, tx.now),
    )


def read(tx: Transaction, params: dict[str, Any]) -> Object:
    return {
        "object": "balance",
        "available": _amounts(_sums(tx, "<=")),
        "livemode": False,
        "pending": _amounts(_sums(tx, ">")),
    }


def retrieve(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return tx.get("balance_transaction", id)


def list_all(tx: Transaction, params: dict[str, Any]) -> Object:
    equal = chosen(params, "currency", "source", "type")
    if "payout" in params:
        payout = tx.get("payout", params["payout"], param="payout")
        if not payout["automatic"]:
            raise ApiError(
                "Balance transaction history can only be filtered on automatic transfers, not "
                "manual.",
                param="payout",
            )
        equal["_payout"] = payout["id"]
        if payout["reconciliation_status"] == "in_progress":  # Stripe promises no more than this
            equal["source"] = payout["id"]
    return page(tx, "balance_transaction", "/v1/balance_transactions", params, equal=equal)


def _sums(tx: Transaction, operator: str) -> dict[str, int]:
    """The net by currency of what becomes available up to (`<=`) or after (`>`) now."""
    rows = tx.db.execute(
        "SELECT json_extract(body, '$.currency'), sum(json_extract(body, '$.net')) FROM objects "  # noqa: S608
        f"WHERE kind = 'balance_transaction' AND json_extract(body, '$.available_on') {operator} ? "
        "GROUP BY 1 ORDER BY 1",
        (tx.now,),
    )
    return {currency: int(net) for currency, net in rows}


def _amounts(sums: dict[str, int]) -> list[Object]:
    return [
        {"amount": net, "currency": currency, "source_types": {"card": net}}
        for currency, net in sums.items()
    ]
