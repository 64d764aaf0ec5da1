"""The operator's view of billing. What is issued or paid is read-only; actions call services."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from billing import payments, services
from billing.admin_balance import BalanceTransactionAdmin  # noqa: F401  (it registers)
from billing.admin_catalog import ExtensionPackAdmin, PlanAdmin  # noqa: F401  (they register)
from billing.admin_changes import move_to_newest_price
from billing.admin_controls import SpendingCapAdmin  # noqa: F401  (it registers)
from billing.admin_costs import UnitCostAdmin  # noqa: F401  (it registers)
from billing.admin_disputes import DisputeAdmin, disputes_of  # noqa: F401  (it registers)
from billing.admin_dunning import DunningCaseAdmin  # noqa: F401  (it registers)
from billing.admin_events import StripeEventAdmin  # noqa: F401  (it registers)
from billing.admin_export import export_csv, export_json
from billing.admin_invoice_acts import InvoiceActs
from billing.admin_invoice_parts import InvoiceLineInline, InvoiceTaxInline, PaymentInline
from billing.admin_ledger import PostingAdmin, RefundAdmin  # noqa: F401  (they register)
from billing.admin_money import MoneyAdmin, money
from billing.admin_reconciliation import ReconciliationAdmin  # noqa: F401  (it registers)
from billing.admin_sign_up import SignUpRequestAdmin  # noqa: F401  (it registers)
from billing.admin_tax import TaxRateAdmin  # noqa: F401  (it registers)
from billing.balances import credit_display
from billing.models import (
    Customer,
    Invoice,
    Order,
    Payment,
    PaymentState,
    SavedCard,
    Subscription,
)
from billing.pdf import invoice_pdf
from tenants.admin_tools import ReadOnly, operator
from tenants.errors import Refused
from tenants.models import Tenant


def _tenant_link(tenant: Tenant) -> str:
    url = reverse("admin:tenants_tenant_change", args=[tenant.pk])
    return format_html('<a href="{}">{}</a>', url, tenant)


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnly, ModelAdmin):
    list_display = ["tenant_link", "plan", "price", "state", "starts_on", "ends_on"]
    list_display_links = ["plan"]
    list_filter = ["state", "plan"]
    search_fields = ["tenant__uuid", "tenant__name"]
    list_select_related = ["tenant", "plan", "price__plan"]
    actions = [move_to_newest_price]

    @admin.display(description=_("tenant"))
    def tenant_link(self, subscription: Subscription) -> str:
        return _tenant_link(subscription.tenant)


class SavedCardInline(ReadOnly, TabularInline):
    model = SavedCard
    extra = 0
    fields = ["brand", "last_four", "expiry", "default", "saved_at", "removed_at"]
    readonly_fields = fields

    @admin.display(description=_("expires"))
    def expiry(self, card: SavedCard) -> str:
        return card.expiry

    @admin.display(description=_("default"), boolean=True)
    def default(self, card: SavedCard) -> bool:
        return card.is_default


@admin.register(Customer)
class CustomerAdmin(ReadOnly, ModelAdmin):
    list_display = ["tenant", "stripe_id", "currency"]
    search_fields = ["tenant__uuid", "tenant__name", "stripe_id"]
    list_select_related = ["tenant"]
    exclude = ["payment_method_id"]
    readonly_fields = ["credit"]
    inlines = [SavedCardInline]

    @admin.display(description=_("credit"))
    def credit(self, customer: Customer) -> str:
        return credit_display(tenant=customer.tenant) or "–"


@admin.register(Order)
class OrderAdmin(MoneyAdmin):
    amounts = {"amount": money("amount", _("price")), "tax": money("tax", _("tax"))}
    list_display = [
        "created_at", "tenant_link", "description", amounts["amount"], "state", "decline_message",
    ]  # fmt: skip
    list_filter = ["state", "purpose", "currency"]
    search_fields = ["uuid", "tenant__uuid", "tenant__name", "checkout_session_id",
                     "payment_intent_id"]  # fmt: skip
    list_select_related = ["tenant"]
    date_hierarchy = "created_at"
    exclude = ["token"]
    actions = ["ask_stripe", "take_back"]

    @admin.action(
        description=_("Take these packs back, and pay back those unused"), permissions=["act"]
    )
    def take_back(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        for order in orders.select_related("tenant"):
            try:
                services.order_take_back(order=order, actor=operator(request), now=timezone.now())
            except Refused as refusal:
                self.message_user(request, f"{order}: {refusal}", messages.ERROR)

    @admin.display(description=_("tenant"))
    def tenant_link(self, order: Order) -> str:
        return _tenant_link(order.tenant)

    @admin.action(description=_("Ask Stripe about these orders"), permissions=["act"])
    def ask_stripe(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        for order in orders.select_related("tenant"):
            try:
                services.order_check(order=order, now=timezone.now())
            except payments.PaymentError as error:
                self.message_user(request, f"{order}: {error}", messages.ERROR)


@admin.register(Invoice)
class InvoiceAdmin(InvoiceActs, ReadOnly, ModelAdmin):
    list_display = [
        "number", "tenant_link", "kind", money("total", _("total")), "state_label", "issued_at",
        "pdf",
    ]  # fmt: skip
    list_filter = ["state", "kind", "currency", "year"]
    search_fields = ["tenant__uuid", "tenant__name", "sequence"]
    list_select_related = ["tenant"]
    date_hierarchy = "issued_at"
    readonly_fields = [
        "tenant", "kind", "subscription", "order", "corrects", "period_start", "period_end",
        "state_label", money("subtotal", _("subtotal")), money("tax", _("tax")),
        money("total", _("total")), money("amount_paid", _("paid")),
        money("amount_credited", _("credited")), "issued_at", "due_on", "paid_at", "waits_for",
        "issuer", "buyer",
    ]  # fmt: skip
    fields = readonly_fields
    inlines = [InvoiceLineInline, InvoiceTaxInline, PaymentInline]
    actions = ["collect", export_csv, export_json]

    @admin.display(description=_("tenant"))
    def tenant_link(self, invoice: Invoice) -> str:
        return _tenant_link(invoice.tenant)

    @admin.display(description=_("state"), ordering="state")
    def state_label(self, invoice: Invoice) -> str:
        return invoice.state_label

    @admin.display(description=_("note"))
    def waits_for(self, invoice: Invoice) -> str:
        return invoice.waits_for or "–"

    @admin.display(description=_("PDF"))
    def pdf(self, invoice: Invoice) -> str:
        url = reverse("admin:billing_invoice_pdf", args=[invoice.pk])
        return format_html('<a href="{}">PDF</a>', url)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.pdf_view)
        return [path("<int:pk>/pdf/", view, name="billing_invoice_pdf"), *super().get_urls()]

    def pdf_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        invoice = get_object_or_404(Invoice.objects.prefetch_related("lines"), pk=pk)
        if not self.has_view_permission(request, invoice):
            raise PermissionDenied
        return HttpResponse(invoice_pdf(invoice), content_type="application/pdf")

    @admin.action(description=_("Charge the saved card"), permissions=["act"])
    def collect(self, request: HttpRequest, invoices: QuerySet[Invoice]) -> None:
        for invoice in invoices.select_related("tenant"):
            try:
                outcome = services.invoice_retry(invoice=invoice, now=timezone.now())
            except payments.PaymentError as error:
                self.message_user(request, f"{invoice}: {error}", messages.ERROR)
                continue
            invoice.refresh_from_db()
            text = PaymentState(outcome).label if outcome else invoice.waits_for or _("not open")
            is_good = outcome == PaymentState.SUCCEEDED
            level = messages.SUCCESS if is_good else messages.WARNING
            self.message_user(request, f"{invoice}: {text}", level)


@admin.register(Payment)
class PaymentAdmin(MoneyAdmin):
    amounts = {"amount": money("amount", _("amount"))}
    list_display = [
        "created_at", "invoice", "attempt", amounts["amount"], "state", "failure_message",
        disputes_of,
    ]  # fmt: skip
    list_filter = ["state", ("disputes", admin.EmptyFieldListFilter), "currency"]
    search_fields = ["payment_intent_id", "invoice__tenant__name", "invoice__tenant__uuid"]
    list_select_related = ["invoice"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        payments: QuerySet[Payment] = super().get_queryset(request)
        return payments.prefetch_related("disputes")
