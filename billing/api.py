"""The management API of a tenant's invoices; the other modules `api_…` are of what it buys.

Amounts are in minor units of a currency.
"""

from collections.abc import Mapping
from typing import Any

from django.http import Http404
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from billing import pdf, selectors
from billing.models import Invoice, InvoiceKind, InvoiceState
from tenants.callers import Caller, TenantView
from tenants.pagination import PageQuerySerializer, page_of
from tenants.scopes import Scope


class InvoiceSerializer(serializers.Serializer[Any]):
    """An issued invoice, for UTC days that are both included. `total` is `subtotal` and `tax`.

    `due_on` is null where nothing was to pay; `corrects` is the number of a credit note's invoice.
    """

    number = serializers.CharField()
    kind = serializers.ChoiceField(choices=InvoiceKind.values)
    state = serializers.ChoiceField(choices=InvoiceState.values)
    corrects = serializers.CharField(source="corrects.number", allow_null=True, default=None)
    currency = serializers.CharField()
    subtotal = serializers.IntegerField()
    tax = serializers.IntegerField()
    total = serializers.IntegerField()
    amount_due = serializers.IntegerField(help_text="Of an open invoice: what is still to pay.")
    period_start = serializers.DateField()
    period_end = serializers.DateField(source="last_day")
    issued_at = serializers.DateTimeField()
    due_on = serializers.DateField(allow_null=True)
    paid_at = serializers.DateTimeField(allow_null=True)


class InvoiceLineSerializer(serializers.Serializer[Any]):
    """What, how many, at what price each; `amount` is rounded once."""

    description = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_amount = serializers.DecimalField(max_digits=16, decimal_places=4)
    amount = serializers.IntegerField()


class InvoiceTaxSerializer(serializers.Serializer[Any]):
    """The tax of one rate, in percent, on `net`; `home_tax`: the same in the issuer's currency."""

    country = serializers.CharField()
    name = serializers.CharField()
    rate = serializers.DecimalField(max_digits=5, decimal_places=2)
    is_reverse_charge = serializers.BooleanField()
    net = serializers.IntegerField()
    tax = serializers.IntegerField()
    home_currency = serializers.CharField()
    home_tax = serializers.IntegerField(allow_null=True)


class InvoiceDetailSerializer(InvoiceSerializer):
    lines = InvoiceLineSerializer(many=True)
    taxes = InvoiceTaxSerializer(many=True)


class InvoicesView(TenantView):
    scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(
        summary="List your invoices",
        parameters=[PageQuerySerializer],
        responses=InvoiceSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """List the issued invoices, newest first; the Link header leads to older ones."""
        invoices = selectors.invoices(tenant=self.caller(request).tenant)
        page, headers = page_of(invoices, at="issued_at", request=request)
        return Response(InvoiceSerializer(page, many=True).data, headers=headers)


class InvoiceView(TenantView):
    scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(summary="Read an invoice", responses=InvoiceDetailSerializer)
    def get(self, request: Request, number: str) -> Response:
        """Return an invoice with its lines."""
        return Response(InvoiceDetailSerializer(_found(self.caller(request), number)).data)


class PdfRenderer(BaseRenderer):
    """A file as it is; refusals are problems here, too."""

    media_type, format, charset = "application/pdf", "pdf", None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if isinstance(data, bytes):
            return data
        return bytes(JSONRenderer().render(data))


class InvoicePdfView(TenantView):
    scopes = {"GET": Scope.BILLING_READ}
    renderer_classes = [PdfRenderer]

    @extend_schema(
        summary="Read an invoice as a PDF",
        responses={(200, PdfRenderer.media_type): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, number: str) -> Response:
        """Return an invoice as it was sent, in the organisation's language of the time."""
        return Response(pdf.invoice_pdf(_found(self.caller(request), number)))


def _found(caller: Caller, number: str) -> Invoice:
    """Return the caller's own invoice; a stranger's does not exist."""
    invoice = selectors.invoice_by_number(tenant=caller.tenant, number=number)
    if invoice is None:
        raise Http404
    return invoice


urlpatterns = [
    path("invoices/", InvoicesView.as_view(), name="api-invoices"),
    path("invoices/<str:number>/", InvoiceView.as_view(), name="api-invoice"),
    path("invoices/<str:number>/pdf/", InvoicePdfView.as_view(), name="api-invoice-pdf"),
]
