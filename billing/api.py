"""The management API of a tenant's invoices; the other modules `api_…` are of what it buys.

Amounts are in minor units of a currency.
"""

from typing import Any

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import selectors
from tenants.callers import TenantView
from tenants.pagination import PageQuerySerializer, page_of
from tenants.scopes import Scope


class InvoiceSerializer(serializers.Serializer[Any]):
    """An issued invoice. `total` is `subtotal` and `tax`; the period's end is not included."""

    number = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.CharField()
    currency = serializers.CharField()
    subtotal = serializers.IntegerField()
    tax = serializers.IntegerField()
    total = serializers.IntegerField()
    period_start = serializers.DateField()
    period_end = serializers.DateField()
    issued_at = serializers.DateTimeField()
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
        tenant = self.caller(request).tenant
        invoice = selectors.invoice_by_number(tenant=tenant, number=number)
        if invoice is None:
            raise Http404
        return Response(InvoiceDetailSerializer(invoice).data)


urlpatterns = [
    path("invoices/", InvoicesView.as_view(), name="api-invoices"),
    path("invoices/<str:number>/", InvoiceView.as_view(), name="api-invoice"),
]
