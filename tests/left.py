"""What is left of a tenant in the database, looked for everywhere."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import models

from tenants.models import Tenant

DEPTH = 4  # foreign keys between a row and its tenant


def kinds_left(tenant: Tenant) -> set[str]:
    """Return the models that have rows which lead to the tenant, by whichever way."""
    return {
        model.__name__
        for model in apps.get_models()
        for path in _paths(model, DEPTH)
        if model._base_manager.filter(**{path: tenant.pk}).exists()
    }


def _paths(model: type[models.Model], depth: int) -> Iterator[str]:
    for field in model._meta.get_fields():
        if isinstance(field, models.ForeignKey) and depth:
            target: Any = field.related_model
            if target is Tenant:
                yield field.name
            elif target is not model:
                yield from (f"{field.name}__{rest}" for rest in _paths(target, depth - 1))


def kinds_that_say(text: str) -> set[str]:
    """Return the models that have rows with this text in any field."""
    return {
        model.__name__
        for model in apps.get_models()
        for row in model._base_manager.values()
        if text in str(row)
    }
