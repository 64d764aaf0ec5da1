"""Browsers that are signed in, lately or not."""

from django.test import Client

from tenants.models import User
from tenants.recent import SESSION_KEY


def signed_in(user: User) -> Client:
    """Return a browser in which somebody has just signed in."""
    client = Client()
    client.force_login(user)
    return client


def signed_in_long_ago(user: User) -> Client:
    """Return one in which somebody did so longer ago than what is dangerous allows."""
    client = signed_in(user)
    session = client.session
    session[SESSION_KEY] = 0
    session.save()
    return client
