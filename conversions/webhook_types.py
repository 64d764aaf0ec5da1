"""The events of uploads that tenants may hear of."""

from django.utils.translation import gettext_lazy as _

from tenants.scopes import Scope
from tenants.webhook_types import EventType, register

register(
    EventType(
        "upload.finished",
        Scope.UPLOADS_READ,
        _("All variants of an upload are there (done), or no other is coming (failed)."),
        {
            "id": "4f0c9e0b-7c55-4f4a-9a51-2d1d3c1b8e55",
            "filename": "lake.jpg",
            "state": "done",
            "error": "",
        },
    ),
)
