"""What an operator can do about money on an invoice: each is said in words, then confirmed."""

from typing import Any, ClassVar

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from billing.forms_money import BankTransferForm, CreditNoteForm, MoneyForm, RefundForm
from billing.models import Invoice
from billing.services.locks import invoice_locked
from tenants.admin_tools import operator
from tenants.errors import Refused


class InvoiceActs:
    """For the admin of invoices."""

    admin_site: Any
    opts: Any
    actions_detail: ClassVar = ["credit_note", "refund", "bank_transfer"]

    @action(  # type: ignore[untyped-decorator]  # unfold has no types
        description=_("Issue a credit note"),
        url_path="credit-note",
        permissions=["credit_note"],
    )
    def credit_note(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, CreditNoteForm, str(_("Issue a credit note")))

    @action(  # type: ignore[untyped-decorator]  # unfold has no types
        description=_("Pay back to a card"), url_path="refund", permissions=["refund"]
    )
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, RefundForm, str(_("Pay back to a card")))

    @action(  # type: ignore[untyped-decorator]  # unfold has no types
        description=_("Record a bank transfer"),
        url_path="bank-transfer",
        permissions=["bank_transfer"],
    )
    def bank_transfer(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, BankTransferForm, str(_("Record a bank transfer")))

    def has_credit_note_permission(self, request: HttpRequest, object_id: str) -> bool:
        return operator(request).has_perm("billing.add_invoice")

    def has_refund_permission(self, request: HttpRequest, object_id: str) -> bool:
        return operator(request).has_perm("billing.add_refund")

    def has_bank_transfer_permission(self, request: HttpRequest, object_id: str) -> bool:
        return operator(request).has_perm("billing.add_payment")

    def _act(
        self, request: HttpRequest, object_id: str, form_class: type[MoneyForm], title: str
    ) -> HttpResponse:
        """Show the form; on POST say what it would do, once confirmed do it.

        What it would do is done and rolled back: nothing else could say it as exactly.
        """
        page = reverse("admin:billing_invoice_change", args=[object_id])
        is_confirmed = "confirmed" in request.POST
        would_do = ""
        with transaction.atomic():
            invoice = _locked_or_404(object_id)
            form = form_class(invoice, request.POST or None)
            if form.is_valid():
                try:
                    with transaction.atomic():
                        would_do = form.do(actor=operator(request), now=timezone.now())
                        if not is_confirmed:
                            transaction.set_rollback(True)
                except Refused as refusal:
                    form.add_error(None, str(refusal))
        if would_do and is_confirmed:
            messages.success(request, would_do)
            return HttpResponseRedirect(page)
        return TemplateResponse(
            request,
            "admin/billing/invoice/act.html",
            {
                **self.admin_site.each_context(request),
                "title": f"{title}: {invoice}",
                "opts": self.opts,
                "invoice": invoice,
                "form": form,
                "would_do": would_do,
                "page": page,
            },
        )


def _locked_or_404(object_id: str) -> Invoice:
    try:
        return invoice_locked(int(object_id))
    except (ValueError, Invoice.DoesNotExist) as error:
        raise Http404 from error
