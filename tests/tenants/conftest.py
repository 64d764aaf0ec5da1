"""One more person, for tests that need a tenant on a plan of their own."""

import pytest

from tenants.models import User


@pytest.fixture
def alice_user(db: None) -> User:
    return User.objects.create_user("alice@example.org", "barrier-station-53")
