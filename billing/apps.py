from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = _("Billing")

    def ready(self) -> None:
        from billing import alert_types, audit_words, webhook_types  # noqa: F401  (they register)
        from tenants import leaving

        leaving.register("billing")
