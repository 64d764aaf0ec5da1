"""Disputes (https://docs.stripe.com/api/disputes): a cardholder asks their bank for the money back.

A chargeback takes the amount and a fee from the balance at once; winning it brings back the amount
and not the fee. One that is won in part is lost, as Stripe has it, but some comes back
(https://support.stripe.com/questions/dispute-for-full-charge-amount-after-a-partial-refund-was-issued).
An inquiry (its states begin with `warning_`) takes nothing, and may be escalated to a chargeback.
Who does not answer in time loses. Evidence decides as it does in Stripe's test mode
(https://docs.stripe.com/testing#disputes), by its `uncategorized_text`.
"""

from typing import Any

from portal.local.payments.errors import ApiError
from portal.local.payments.money import DISPUTE_FEE
from portal.local.payments.params import (
    EXPAND,
    PAGE,
    Flag,
    Hash,
    Metadata,
    Range,
    Text,
    merge_metadata,
)
from portal.local.payments.present import chosen, page
from portal.local.payments.store import Object, Transaction, new_id, public

from .balance import book

_EVIDENCE = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
]
RETRIEVE = Hash(EXPAND)
UPDATE = Hash(
    {
        **EXPAND,
        "evidence": Hash({name: Text(max=20_000) for name in _EVIDENCE}),
        "metadata": Metadata(),
        "submit": Flag(),
    }
)
LIST = Hash({**PAGE, "charge": Text(), "created": Range(), "payment_intent": Text()})

# what a charge's cardholder may say -> Stripe's reason, Visa's code for it
_REASONS = {
    "fraudulent": ("fraudulent", "10.4"),
    "product_not_received": ("product_not_received", "13.1"),
    "part_not_received": ("product_not_received", "13.1"),
    "inquiry": ("fraudulent", "10"),
}
REASONS = tuple(_REASONS)
OUTCOMES = ("won", "partially_won", "lost", "escalated")
_DECIDED_BY = {
    "winning_evidence": "won",
    "losing_evidence": "lost",
    "escalate_inquiry_evidence": "escalated",
}
_ANSWER_WITHIN = 20 * 24 * 3600


def open_(tx: Transaction, charge: Object, reason: str) -> None:
    """Dispute what is left of a charge, or half of that where only a part was not received.

    Raises ApiError where nothing is left, or it is disputed.
    """
    amount = charge["amount_captured"] - charge["amount_refunded"]
    if not amount or charge["disputed"]:
        raise ApiError(f"Charge {charge['id']} cannot be disputed (any more).", param="id")
    if reason == "part_not_received":
        amount = _half(amount)
    is_inquiry = reason == "inquiry"
    stripes_reason, code = _REASONS[reason]
    brand = charge["payment_method_details"]["card"]["brand"]
    dispute: Object = {
        "id": new_id("du_1"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": tx.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": tx.now + _ANSWER_WITHIN,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": is_inquiry,
        "livemode": False,
        "metadata": {},
        "network_reason_code": code,
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": brand,
                "case_type": "inquiry" if is_inquiry else "chargeback",
                "network": brand,
                "network_reason_code": code,
            },
            "type": "card",
        },
        "reason": stripes_reason,
        "status": "warning_needs_response" if is_inquiry else "needs_response",
    }
    charge["disputed"] = True
    tx.save(charge)
    tx.save(dispute)
    tx.emit("charge.dispute.created", dispute)
    tx.later(dispute["id"], "lost", after=_ANSWER_WITHIN)
    if not is_inquiry:
        _withdraw(tx, dispute)


def settle(tx: Transaction, dispute: Object, outcome: str) -> None:
    """The bank decides; of one that is won in part half comes back.

    Raises ApiError for a dispute that is closed, or cannot be escalated.
    """
    is_inquiry = _is_inquiry(dispute)
    if dispute["status"] in {"won", "lost", "warning_closed"}:
        raise ApiError("This dispute is already closed", param="id")
    if outcome == "escalated":
        if not is_inquiry:
            raise ApiError("Only an inquiry can be escalated.", param="outcome")
        _escalate(tx, dispute)
        return
    before = {"status": dispute["status"]}
    decided = "lost" if outcome == "partially_won" else outcome
    dispute["status"] = "warning_closed" if is_inquiry else decided
    if outcome == "won" and not is_inquiry:
        dispute["is_charge_refundable"] = True
        _move(tx, dispute, "reversal", dispute["amount"], fee=0)
    elif outcome == "partially_won" and not is_inquiry:
        _move(tx, dispute, "reversal", _half(dispute["amount"]), fee=0)
    tx.save(dispute)
    tx.emit("charge.dispute.closed", dispute, before)


def retrieve(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return tx.get("dispute", id)


def update(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    dispute = tx.get("dispute", id)
    before = {key: dispute[key] for key in ("evidence", "metadata", "status")}
    if "metadata" in params:
        dispute["metadata"] = merge_metadata(dispute["metadata"], params["metadata"])
    if "evidence" in params or params.get("submit"):
        _answer(tx, dispute, params.get("evidence", {}), submit=params.get("submit", True))
    tx.save(dispute)
    changed = {key: value for key, value in before.items() if dispute[key] != value}
    if changed:
        tx.emit("charge.dispute.updated", dispute, changed)
    return dispute


def close(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    """Accept it: there is no evidence."""
    dispute = tx.get("dispute", id)
    _must_need_response(dispute)
    tx.never(id)
    settle(tx, dispute, "lost")
    return dispute


def list_all(tx: Transaction, params: dict[str, Any]) -> Object:
    equal = chosen(params, "charge", "payment_intent")
    return page(tx, "dispute", "/v1/disputes", params, equal=equal)


def _half(amount: int) -> int:
    return (amount + 1) // 2


def _is_inquiry(dispute: Object) -> bool:
    status: str = dispute["status"]
    return status.startswith("warning_")


def _must_need_response(dispute: Object) -> None:
    if not dispute["status"].endswith("needs_response"):
        raise ApiError(f"This dispute cannot be answered: it is {dispute['status']}.")


def _answer(tx: Transaction, dispute: Object, evidence: Object, *, submit: bool) -> None:
    _must_need_response(dispute)
    dispute["evidence"] = {**dispute["evidence"], **evidence}
    details = dispute["evidence_details"]
    details["has_evidence"] = any(dispute["evidence"].values())
    if not submit:
        return
    details.update(submission_count=details["submission_count"] + 1, submission_method="manual")
    is_inquiry = _is_inquiry(dispute)
    dispute["status"] = "warning_under_review" if is_inquiry else "under_review"
    outcome = _DECIDED_BY.get(dispute["evidence"]["uncategorized_text"])
    tx.never(dispute["id"])
    if outcome and (is_inquiry or outcome != "escalated"):
        tx.later(dispute["id"], outcome, after=0)


def _escalate(tx: Transaction, dispute: Object) -> None:
    before = {"status": dispute["status"]}
    dispute.update(status="needs_response", is_charge_refundable=False)
    dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
    tx.save(dispute)
    tx.emit("charge.dispute.updated", dispute, before)
    tx.later(dispute["id"], "lost", after=_ANSWER_WITHIN)
    _withdraw(tx, dispute)


def _withdraw(tx: Transaction, dispute: Object) -> None:
    _move(tx, dispute, "withdrawal", -dispute["amount"], fee=DISPUTE_FEE)


def _move(tx: Transaction, dispute: Object, what: str, amount: int, *, fee: int) -> None:
    entry = book(
        tx,
        dispute,
        amount,
        type="adjustment",
        category="dispute" if what == "withdrawal" else "dispute_reversal",
        description=f"Chargeback {what} for {dispute['charge']}",
        fee=fee,
        fee_for="Dispute fee",
        at_once=True,
    )
    dispute["balance_transactions"].append(public(entry))
    tx.save(dispute)
    moved = "funds_withdrawn" if what == "withdrawal" else "funds_reinstated"
    tx.emit(f"charge.dispute.{moved}", dispute)
