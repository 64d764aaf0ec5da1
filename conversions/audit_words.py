"""What the acts on uploads are called in a tenant's audit trail."""

from django.utils.translation import gettext_lazy as _

from tenants.audit_words import Part, register

register(
    Part.UPLOADS,
    {
        "upload.deleted": _("Upload deleted"),
        "upload.linked": _("Link shared"),
        "upload.published": _("Variants made public"),
        "upload.restored": _("Upload restored"),
        "upload.retried": _("Variants tried again"),
        "upload.unpublished": _("Variants made private"),
        "uploads.expired": _("Old files deleted"),
    },
)
