from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = _("Billing")

    def ready(self) -> None:
        from billing import (  # noqa: F401  (they register)
            alert_types,
            audit_words,
            mail_files,
            webhook_types,
        )
        from tenants import leaving

        leaving.register("billing")
