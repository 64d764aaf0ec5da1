"""Uploads: the page, the form that a browser posts a file to S3 with, and the gallery."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

from conversions import selectors
from portal.views.access import TenantRequest, tenant_required


@tenant_required
def uploads(request: TenantRequest) -> HttpResponse:
    """The page: where files are dropped, and what became of them."""
    tenant = request.member.tenant
    context = {"nav": "uploads", "uploads": selectors.uploads(tenant=tenant)}
    return render(request, "conversions/uploads.html", context)


urlpatterns = [path("uploads/", uploads, name="uploads")]
