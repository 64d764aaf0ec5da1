"""The project itself as a Django app: its commands, its static files, and the Celery app."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        # Web processes queue tasks too, and shared_task needs an app to queue them through.
        # drf-spectacular finds its extensions once they are imported.
        from portal import celery, openapi  # noqa: F401
