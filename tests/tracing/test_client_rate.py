"""Events per minute and user, in bounded memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.tracing.client_rate import EventRate


class Clock:
    """Goes on when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_user_may_send_the_whole_number_at_once_and_not_one_more(clock: Clock) -> None:
    rate = EventRate(600, clock=clock)
    assert rate.take("alice", 600) == 0
    assert rate.take("alice", 1) == 1


def test_the_wait_that_is_named_is_long_enough_and_less_than_a_second_too_long(clock: Clock) -> None:
    rate = EventRate(60, clock=clock)
    assert rate.take("alice", 60) == 0
    wait = rate.take("alice", 30)
    assert wait == 30
    clock.now += wait - 1
    assert rate.take("alice", 30) == 1
    clock.now += 1
    assert rate.take("alice", 30) == 0


def test_what_is_refused_costs_nothing(clock: Clock) -> None:
    rate = EventRate(10, clock=clock)
    assert rate.take("alice", 9) == 0
    assert rate.take("alice", 2) > 0
    assert rate.take("alice", 1) == 0


def test_one_user_does_not_use_up_the_events_of_another(clock: Clock) -> None:
    rate = EventRate(1, clock=clock)
    assert rate.take("alice", 1) == 0
    assert rate.take("bob", 1) == 0
    assert rate.take("alice", 1) == 60


def test_no_more_users_are_remembered_than_allowed_and_the_least_recent_is_forgotten(clock: Clock) -> None:
    rate = EventRate(2, max_users=2, clock=clock)
    for user in ("alice", "bob", "alice", "carol"):
        assert rate.take(user, 1) == 0
    assert len(rate) == 2
    assert rate.take("alice", 1) > 0


@given(
    st.integers(min_value=1, max_value=1000).flatmap(
        lambda limit: st.tuples(
            st.just(limit),
            st.lists(st.tuples(st.floats(0, 120), st.integers(0, limit)), max_size=50),
        )
    )
)
def test_in_no_stretch_of_time_more_is_taken_in_than_the_burst_and_the_pace(
    case: tuple[int, list[tuple[float, int]]],
) -> None:
    limit, steps = case
    clock = Clock()
    rate, taken = EventRate(limit, clock=clock), list[tuple[float, int]]()
    for pause, count in steps:
        clock.now += pause
        if rate.take("alice", count) == 0:
            taken.append((clock.now, count))
    for start, (began, _) in enumerate(taken):
        total = 0
        for at, count in taken[start:]:
            total += count
            assert total <= limit + (at - began) * limit / 60 + 1e-3


def test_by_default_time_is_the_machines() -> None:
    rate = EventRate(1)
    assert rate.take("alice", 1) == 0
    assert rate.take("alice", 1) in (59, 60)
