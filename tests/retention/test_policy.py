"""When a thread expires."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from chatkit.types import ClosedStatus, LockedStatus, ThreadMetadata
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError
from chatkit_prod.retention import RetentionPolicy
from tests.retention.world import ALICE, BOB, DAY, NOW, a_thread

CLOSED = ClosedStatus()
EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


def after(policy: RetentionPolicy, **fields: Any) -> timedelta | None:
    """Return how long a thread is kept."""
    moment = policy.expires(a_thread("thr", **fields))
    return None if moment is None else moment - NOW


def test_a_thread_expires_at_its_age() -> None:
    assert after(RetentionPolicy(max_age=30 * DAY)) == 30 * DAY


def test_a_tenants_age_takes_the_place_of_the_general_one() -> None:
    policy = RetentionPolicy(max_age=30 * DAY, by_tenant={"north": 90 * DAY, "south": None})
    assert after(policy, owner=ALICE) == 90 * DAY
    assert after(policy, owner=BOB) is None
    assert after(policy, owner=None) == 30 * DAY


def test_a_status_only_shortens() -> None:
    policy = RetentionPolicy(max_age=30 * DAY, by_status={"closed": 7 * DAY, "locked": 300 * DAY})
    assert after(policy, status=CLOSED) == 7 * DAY
    assert after(policy, status=LockedStatus()) == 30 * DAY
    assert after(policy) == 30 * DAY
    assert after(RetentionPolicy(max_age=None, by_status={"closed": DAY}), status=CLOSED) == DAY


def test_the_hook_has_the_last_word() -> None:
    seen: list[Any] = []

    def hook(thread: ThreadMetadata, owner: Any, moment: datetime | None) -> datetime | None:
        seen.append((thread.id, owner, moment))
        return moment and moment + DAY

    assert after(RetentionPolicy(max_age=DAY, expires_at=hook)) == 2 * DAY
    assert after(RetentionPolicy(max_age=None, expires_at=hook)) is None
    assert seen == [("thr", ALICE, NOW + DAY), ("thr", ALICE, None)]


def test_a_hook_that_returns_something_else_is_an_error() -> None:
    def wrong(thread: ThreadMetadata, owner: Any, moment: datetime | None) -> Any:
        return 5

    with pytest.raises(ConfigurationError, match="an int"):
        after(RetentionPolicy(max_age=DAY, expires_at=wrong))


def test_a_time_without_a_zone_is_local() -> None:
    thread = ThreadMetadata(id="thr", created_at=datetime(2026, 1, 2))  # noqa: DTZ001 - as ChatKit makes them
    assert RetentionPolicy(max_age=DAY).expires(thread) == datetime(2026, 1, 3).astimezone(UTC)


@given(
    st.datetimes(timezones=st.none() | st.just(UTC) | st.just(timezone(timedelta(hours=14)))),
    st.timedeltas(min_value=timedelta(microseconds=1)),
)
def test_no_time_is_too_early_or_too_late(created: datetime, age: timedelta) -> None:
    thread = ThreadMetadata(id="thr", created_at=created)
    moment = RetentionPolicy(max_age=age).expires(thread)
    assert moment is None or moment.tzinfo is UTC


@pytest.mark.parametrize("created", [datetime.min.replace(tzinfo=EAST), datetime.max.replace(tzinfo=WEST)])
def test_a_time_at_the_end_of_time_is_a_time(created: datetime) -> None:
    thread = ThreadMetadata(id="thr", created_at=created)
    moment = RetentionPolicy(max_age=timedelta(microseconds=1)).expires(thread)
    assert moment is None or moment.year == 1


def test_the_shortest_age_is_known_unless_there_is_a_hook() -> None:
    policy = RetentionPolicy(
        max_age=30 * DAY, by_tenant={"a": 2 * DAY, "b": None}, by_status={"closed": 7 * DAY}
    )
    assert policy.shortest_age == 2 * DAY
    assert RetentionPolicy(max_age=DAY, expires_at=lambda thread, owner, moment: None).shortest_age is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_age": 30}, "max_age must be a positive timedelta"),
        ({"max_age": timedelta()}, "max_age must be a positive timedelta"),
        ({"max_age": None}, "nothing would ever expire"),
        ({"max_age": DAY, "by_tenant": {"a": -DAY}}, r"by_tenant\['a'\]"),
        ({"max_age": DAY, "by_tenant": {"": DAY}}, "names of tenants"),
        ({"max_age": DAY, "by_tenant": [("a", DAY)]}, "by_tenant must be a mapping"),
        ({"max_age": DAY, "by_status": {"open": DAY}}, "active, locked and closed"),
        ({"max_age": DAY, "by_status": {"closed": None}}, r"by_status\['closed'\]"),
        ({"max_age": DAY, "expires_at": 5}, "expires_at must be a function"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        RetentionPolicy(**options)


def test_a_policy_does_not_change_with_the_mapping_that_it_was_made_of() -> None:
    ages: dict[str, timedelta | None] = {"north": DAY}
    policy = RetentionPolicy(max_age=30 * DAY, by_tenant=ages)
    ages.clear()
    assert after(policy, owner=ALICE) == DAY
