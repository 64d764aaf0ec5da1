from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConversionsConfig(AppConfig):
    name = "conversions"
    verbose_name = _("Conversions")

    def ready(self) -> None:
        from conversions import audit_words, webhook_types  # noqa: F401  (they register)
        from tenants import leaving

        leaving.register("conversions")
