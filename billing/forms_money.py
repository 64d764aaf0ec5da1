"""The operator's forms on an invoice: a credit note, a refund, a bank transfer.

Each can tell in words what it does, so that it can be confirmed before it is done. `seen` is how
the invoice was when the form was shown: the same form sent twice finds another one.
"""

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from billing import balances
from billing.models import Invoice, Payment
from billing.money import display
from billing.services.bank import bank_transfer_record
from billing.services.credit_notes import credit_note_issue
from billing.services.creditable import fee_line, fee_taken_back, lines_creditable
from billing.services.refunds import credit_note_refund, refund_refusal, refund_request
from tenants.models import User
from tenants.sentences import sentences

_MINOR_UNITS = gettext_lazy("In minor units: 2900 is $29.00, 4500 is ¥4,500.")


class MoneyForm(forms.Form):
    """What the forms share. `do` raises Refused."""

    def __init__(self, invoice: Invoice, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invoice = invoice
        self.fields["seen"] = forms.CharField(widget=forms.HiddenInput, initial=self._state())

    def clean_seen(self) -> str:
        seen = str(self.cleaned_data["seen"])
        if seen != self._state():
            raise ValidationError(_("The invoice has changed meanwhile. Please look at it again."))
        return seen

    def do(self, *, actor: User, now: datetime) -> str:
        """Do it, and say in words what was done."""
        raise NotImplementedError

    def _state(self) -> str:
        paid, credited = self.invoice.amount_paid, self.invoice.amount_credited
        refunds = sum(payment.refunds.count() for payment in self.invoice.payments.all())
        return f"{paid} {credited} {refunds}"

    def _set_off(self, paid: int, over: int) -> int:
        """Return what was set off against what the payer has back: that much less is paid now.

        At most what came `over` by this; credit that the tenant had already may be set off with it.
        """
        invoices = Invoice.objects.values_list("amount_paid", flat=True)
        return min(paid - invoices.get(pk=self.invoice.pk), over)

    def _money(self, amount: int) -> str:
        return display(amount, self.invoice.currency)


class CreditNoteForm(MoneyForm):
    """How much of each line is taken back; all that is left of them, to begin with."""

    def __init__(self, invoice: Invoice, *args: Any, **kwargs: Any) -> None:
        super().__init__(invoice, *args, **kwargs)
        self.left = lines_creditable(invoice=invoice)
        fee, back = fee_line(self.left), fee_taken_back(invoice=invoice)
        for line, left in self.left.items():
            if left > 0 or (line == fee and back):
                self.fields[f"line_{line.position}"] = forms.IntegerField(
                    label=line.description,
                    min_value=0,
                    max_value=left,
                    initial=left,
                    widget=UnfoldAdminIntegerFieldWidget,
                    help_text=_("Before tax, of %(left)s left. %(units)s")
                    % {"left": self._money(left), "units": _MINOR_UNITS},
                )
        if fee and back:
            said = _("A change of plan has taken back %(amount)s of its fee.")
            field = self.fields[f"line_{fee.position}"]
            field.help_text = sentences(str(field.help_text), said % {"amount": self._money(back)})
        self.fields["reason"] = forms.CharField(
            label=_("reason"), max_length=200, widget=UnfoldAdminTextInputWidget
        )
        self.fields["pay_back"] = forms.BooleanField(
            label=_("Pay back to the card what it paid"), required=False, widget=UnfoldBooleanWidget
        )

    def do(self, *, actor: User, now: datetime) -> str:
        amounts = {
            line.position: self.cleaned_data[f"line_{line.position}"]
            for line in self.left
            if f"line_{line.position}" in self.fields
        }
        is_all = all(amounts.get(line.position, left) == left for line, left in self.left.items())
        owed, paid = max(self.invoice.amount_due, 0), self.invoice.amount_paid
        note = credit_note_issue(
            invoice=self.invoice,
            amounts=None if is_all else amounts,
            reason=self.cleaned_data["reason"],
            actor=actor,
            now=now,
        )
        refunds = []
        if self.cleaned_data["pay_back"]:
            refunds = credit_note_refund(credit_note=note, actor=actor, now=now)
        off, back = min(owed, -note.total), sum(refund.amount for refund in refunds)
        before = self._set_off(paid, -note.total - off - back)
        text = _(
            "A credit note of %(total)s with tax: %(off)s off what is owed, %(back)s back to the "
            "card, %(credit)s as credit."
        ) % {
            "total": self._money(-note.total),
            "off": self._money(off),
            "back": self._money(back),
            "credit": self._money(-note.total - off - back - before),
        }
        if before:
            had = _("The payer has %(amount)s of it back already.")
            text = sentences(text, had % {"amount": self._money(before)})
        return text


class RefundForm(MoneyForm):
    """What goes back of a card payment: credit that the tenant has on this invoice."""

    def __init__(self, invoice: Invoice, *args: Any, **kwargs: Any) -> None:
        super().__init__(invoice, *args, **kwargs)
        self.payments: dict[str, tuple[Payment, int]] = {}
        refusals = []
        for payment in invoice.payments.all():
            most = balances.refundable(payment=payment, invoice=invoice)
            if most and (refusal := refund_refusal(payment)):
                refusals.append(f"{payment}: {refusal}")
            elif most:
                self.payments[str(payment.pk)] = (payment, most)
        self.fields["payment"] = forms.ChoiceField(
            label=_("payment"),
            choices=[
                (
                    pk,
                    _("%(payment)s, at most %(most)s")
                    % {"payment": one, "most": self._money(most)},
                )
                for pk, (one, most) in self.payments.items()
            ],
            widget=UnfoldAdminSelectWidget,
            help_text=sentences(*refusals)
            if refusals
            else _("Where there is none, issue a credit note first."),
        )
        self.fields["amount"] = forms.IntegerField(
            label=_("amount"),
            min_value=1,
            widget=UnfoldAdminIntegerFieldWidget,
            help_text=_MINOR_UNITS,
        )
        self.fields["reason"] = forms.CharField(
            label=_("reason"), max_length=200, widget=UnfoldAdminTextInputWidget
        )

    def do(self, *, actor: User, now: datetime) -> str:
        payment, _most = self.payments[self.cleaned_data["payment"]]
        refund = refund_request(
            payment=payment,
            amount=self.cleaned_data["amount"],
            reason=self.cleaned_data["reason"],
            actor=actor,
            now=now,
        )
        return _("%(amount)s goes back to the card.") % {"amount": self._money(refund.amount)}


class BankTransferForm(MoneyForm):
    """A transfer, as the bank's statement has it."""

    amount = forms.IntegerField(
        label=gettext_lazy("amount"),
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_MINOR_UNITS,
    )
    reference = forms.CharField(
        label=gettext_lazy("reference"), max_length=120, widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("The bank's own for this transfer."),
    )  # fmt: skip
    received_on = forms.DateField(label=gettext_lazy("received on"), widget=UnfoldAdminDateWidget)

    def do(self, *, actor: User, now: datetime) -> str:
        owed, paid = max(self.invoice.amount_due, 0), self.invoice.amount_paid
        amount = self.cleaned_data["amount"]
        bank_transfer_record(
            invoice=self.invoice,
            amount=amount,
            reference=self.cleaned_data["reference"],
            received_on=self.cleaned_data["received_on"],
            actor=actor,
            now=now,
        )
        used = min(owed, amount)
        again = self._set_off(paid + amount, amount - used)
        text = _("A transfer of %(amount)s: %(used)s for this invoice, %(over)s as credit.") % {
            "amount": self._money(amount),
            "used": self._money(used),
            "over": self._money(amount - used - again),
        }
        if again:
            good = _("%(amount)s makes good what the payer got back.")
            text = sentences(text, good % {"amount": self._money(again)})
        return text
