"""Browsers that are signed in, lately or not."""

from datetime import UTC, datetime

from allauth.usersessions.models import UserSession
from django.test import Client

from tenants.models import User


def signed_in(user: User) -> Client:
    """Return a browser in which somebody has just signed in."""
    client = Client()
    client.force_login(user)
    return client


def signed_in_long_ago(user: User) -> Client:
    """Return one in which somebody did so longer ago than what is dangerous allows."""
    client = signed_in(user)
    UserSession.objects.create(
        user=user,
        session_key=client.session.session_key,
        ip="127.0.0.1",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return client
