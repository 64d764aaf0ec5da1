"""Export chosen invoices from their list in the admin."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _

from billing.export import CONTENT_TYPES, export
from billing.models import Invoice


@admin.action(description=_("Export for the bookkeeper (CSV)"))
def export_csv(
    admin: object, request: HttpRequest, invoices: QuerySet[Invoice]
) -> StreamingHttpResponse:
    return _download(invoices, "csv")


@admin.action(description=_("Export for the bookkeeper (JSON)"))
def export_json(
    admin: object, request: HttpRequest, invoices: QuerySet[Invoice]
) -> StreamingHttpResponse:
    return _download(invoices, "json")


def _download(invoices: QuerySet[Invoice], format_: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        export(invoices, format_=format_),
        content_type=CONTENT_TYPES[format_],
        headers={"Content-Disposition": f'attachment; filename="invoices.{format_}"'},
    )
