"""What the acts of money are called in a tenant's audit trail."""

from django.utils.translation import gettext_lazy as _

from tenants.audit_words import Part, register

register(
    Part.BILLING,
    {
        "bank_transfer.recorded": _("Bank transfer received"),
        "credit_note.issued": _("Credit note issued"),
        "dunning.paused": _("Reminders paused"),
        "dunning.resumed": _("Reminders resumed"),
        "invoice.written_off": _("Invoice written off"),
        "order.refunded_at_stripe": _("Purchase refunded"),
        "order.taking_back": _("Pack given back"),
        "plan_change.scheduled": _("Change of plan planned"),
        "plan_change.withdrawn": _("Change of plan taken back"),
        "price_move.scheduled": _("Change of price announced"),
        "price_move.withdrawn": _("Change of price withdrawn"),
        "refund.made_at_stripe": _("Payment refunded"),
        "refund.requested": _("Refund requested"),
        "spending_cap.lifted": _("Spending cap lifted"),
        "spending_cap.set": _("Spending cap set"),
        "tax_details.saved": _("Billing details changed"),
        "top_up.set": _("Automatic top-up set"),
        "top_up.stopped": _("Automatic top-up stopped"),
        "vies.confirmed": _("VAT number confirmed"),
        "vies.ended": _("VAT number not confirmed any more"),
    },
)
register(Part.ORGANISATION, {"sign_up.approved": _("Organisation approved")})
