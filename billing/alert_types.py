"""The alerts of money: amounts are in minor units of a currency."""

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.money import display
from tenants.alert_types import AlertType, Data, register
from tenants.permissions import Act
from tenants.scopes import Scope
from tenants.sentences import sentences

SPENDING, PAYMENT_FAILED = "spending", "payment_failed"


def _spending_title(data: Data) -> str:
    if data["percent"] is None:
        amount = display(data["amount"], data["currency"])
        return _("This month’s requests have cost %(amount)s") % {"amount": amount}
    if data["percent"] >= 100:
        return _("Your spending cap is reached")
    return _("%(percent)d %% of your spending cap is used") % {"percent": data["percent"]}


def _spending_text(data: Data) -> str:
    text = _("The requests of this month (UTC) come to %(spent)s so far, before tax.") % {
        "spent": display(data["spent"], data["currency"])
    }
    if data["cap"] is not None:
        cap = display(data["cap"], data["currency"])
        beyond = _("Your spending cap is %(cap)s; beyond it, calls are refused.") % {"cap": cap}
        text = sentences(text, beyond)
    return text


register(
    AlertType(
        SPENDING,
        gettext_lazy("Spending"),
        gettext_lazy("When a part of your spending cap is used, or a month costs so much."),
        _spending_title,
        _spending_text,
        gettext_lazy("See what it costs"),
        lambda _data: reverse("billing"),
        Act.BUY,
        Scope.BILLING_READ,
        news="spending.threshold",
    ),
    AlertType(
        PAYMENT_FAILED,
        gettext_lazy("Payments"),
        gettext_lazy("When an invoice could not be collected; always by mail, too."),
        lambda data: _("Invoice %(number)s could not be collected") % {"number": data["invoice"]},
        lambda data: (
            _("Invoice %(number)s for %(amount)s is not paid.")
            % {
                "number": data["invoice"],
                "amount": display(data["amount"], data["currency"]),
            }
        ),
        gettext_lazy("Pay the invoice"),
        lambda data: reverse("billing-invoice-pay", args=[data["invoice"]]),
        Act.BUY,
        Scope.BILLING_READ,
        mailed=False,
    ),
)
