"""Nothing expired is ever served and nothing live ever deleted: the machine of `tests/retention`, for longer."""

import pytest

from tests.retention.machine import run

pytestmark = pytest.mark.slow


def test_nothing_expired_is_served_and_nothing_live_is_deleted() -> None:
    run(histories=2000, steps=10)
