"""Nothing expired is ever served, and nothing live ever deleted, whatever happens in whatever order."""

import pytest

from .machine import run

pytestmark = pytest.mark.no_cover


def test_nothing_expired_is_served_and_nothing_live_is_deleted() -> None:
    run(histories=150)
