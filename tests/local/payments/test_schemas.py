"""The parameters that we take are parameters of the API that the SDK speaks, and no others."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import stripe
import stripe.params as stripe_params
import stripe.params.checkout as checkout_params
from typing_extensions import is_typeddict

from portal.local.payments.params import Field, Hash, ListOf, Removed
from portal.local.payments.resources import (
    balance,
    charges,
    customers,
    disputes,
    events,
    payment_intents,
    payment_methods,
    payouts,
    refunds,
    session_params,
    setup_intents,
)


def typed_dict_in(hint: Any) -> Any:
    """The typed dictionary that a hint such as `NotRequired[List["X"] | str]` is about, if any."""
    if is_typeddict(hint):
        return hint
    for part in get_args(hint) if get_origin(hint) else ():
        if found := typed_dict_in(part):
            return found
    return None


def strangers(schema: Hash, known: Any, path: str = "") -> Iterator[str]:
    """Fields of ours that the SDK's parameters do not have, and removed ones that they do."""
    only_for_type_checkers = {"StripeContext": stripe.StripeContext, "Mapping": Mapping}
    hints = get_type_hints(known, localns=only_for_type_checkers)
    for name, ours in schema.fields.items():
        if isinstance(ours, Removed) != (name not in hints):
            yield f"{path}{name}"
        field: Field = ours.item if isinstance(ours, ListOf) else ours
        if isinstance(field, Hash) and name in hints:
            inner = typed_dict_in(hints[name])
            assert inner is not None, f"{path}{name} is not a hash"
            yield from strangers(field, inner, f"{path}{name}.")


@pytest.mark.parametrize(
    ("schema", "known"),
    [
        (customers.CREATE, stripe_params.CustomerCreateParams),
        (customers.UPDATE, stripe_params.CustomerUpdateParams),
        (customers.LIST, stripe_params.CustomerListParams),
        (payment_methods.LIST, stripe_params.PaymentMethodListParams),
        (payment_methods.LIST_FOR_CUSTOMER, stripe_params.CustomerPaymentMethodListParams),
        (payment_methods.ATTACH, stripe_params.PaymentMethodAttachParams),
        (session_params.CREATE, checkout_params.SessionCreateParams),
        (session_params.LIST, checkout_params.SessionListParams),
        (payment_intents.CREATE, stripe_params.PaymentIntentCreateParams),
        (payment_intents.CONFIRM, stripe_params.PaymentIntentConfirmParams),
        (payment_intents.CANCEL, stripe_params.PaymentIntentCancelParams),
        (payment_intents.LIST, stripe_params.PaymentIntentListParams),
        (setup_intents.LIST, stripe_params.SetupIntentListParams),
        (charges.LIST, stripe_params.ChargeListParams),
        (balance.LIST, stripe_params.BalanceTransactionListParams),
        (payouts.CREATE, stripe_params.PayoutCreateParams),
        (payouts.LIST, stripe_params.PayoutListParams),
        (refunds.CREATE, stripe_params.RefundCreateParams),
        (refunds.UPDATE, stripe_params.RefundUpdateParams),
        (refunds.LIST, stripe_params.RefundListParams),
        (disputes.UPDATE, stripe_params.DisputeUpdateParams),
        (disputes.LIST, stripe_params.DisputeListParams),
        (events.LIST, stripe_params.EventListParams),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_parameter_is_stripes(schema: Hash, known: Any) -> None:
    assert list(strangers(schema, known)) == []
