"""How a request ended is decided in one table, and every case stands in it."""

import asyncio
from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from chatkit_prod.state import Outcome
from chatkit_prod.tracing.outcome import Seen, Stream, Verdict, judge

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
STREAM = Stream(events=1, first_event=0.1, longest_gap=0.0)

SEEN = st.builds(
    Seen,
    status=st.none() | st.integers(100, 599),
    is_complete=st.booleans(),
    has_error=st.booleans(),
    is_disconnected=st.booleans(),
    stream=st.none() | st.just(STREAM),
)
RAISED = st.none() | st.sampled_from([ValueError("canary"), asyncio.CancelledError(), KeyboardInterrupt()])
TYPES = st.none() | st.sampled_from(["shutdown", "RuntimeError", "app"])


def seen(
    status: int | None = 200,
    *,
    complete: bool = True,
    error: bool = False,
    gone: bool = False,
) -> Seen:
    return Seen(status, complete, error, gone, None)


@given(st.none() | st.sampled_from(OUTCOMES), TYPES, RAISED, RAISED, SEEN)
def test_every_request_has_an_outcome_and_every_error_a_type_and_nothing_else_has_one(
    outcome: Outcome | None,
    error_type: str | None,
    raised: BaseException | None,
    failure: BaseException | None,
    seen: Seen,
) -> None:
    verdict = judge(outcome, error_type, raised, failure, seen)
    assert verdict.outcome in OUTCOMES
    if verdict.outcome == "error":
        assert verdict.error_type
        assert "canary" not in verdict.error_type
    elif verdict.outcome == "cancelled":
        assert verdict.error_type in {None, "shutdown"}
    else:
        assert verdict.error_type is None


@given(st.sampled_from(OUTCOMES), TYPES, RAISED, RAISED, SEEN)
def test_what_a_layer_of_ours_has_said_counts_unless_it_hoped_too_soon(
    outcome: Outcome,
    error_type: str | None,
    raised: BaseException | None,
    failure: BaseException | None,
    seen: Seen,
) -> None:
    verdict = judge(outcome, error_type, raised, failure, seen)
    if outcome != "completed" or (raised is None and seen.is_complete):
        assert verdict.outcome == outcome
    else:
        assert verdict == judge(None, error_type, raised, failure, seen)
        assert verdict.outcome != "completed"


@given(RAISED, RAISED, SEEN)
def test_an_answer_is_completed_only_if_all_of_it_was_sent_and_nothing_was_raised(
    raised: BaseException | None, failure: BaseException | None, seen: Seen
) -> None:
    verdict = judge(None, None, raised, failure, seen)
    is_good = seen.status is not None and seen.status < 400 and seen.is_complete and not seen.has_error
    assert (verdict.outcome == "completed") == (is_good and raised is None and not seen.is_disconnected)


@pytest.mark.parametrize(
    ("found", "raised", "verdict"),
    [
        (seen(), None, Verdict("completed")),
        (seen(304), None, Verdict("completed")),
        (seen(400), None, Verdict("refused")),
        (seen(499), None, Verdict("refused")),
        (seen(500), None, Verdict("error", "500")),
        (seen(503), None, Verdict("error", "503")),
        (seen(error=True), None, Verdict("error", "stream.error")),
        (seen(complete=False), None, Verdict("error", "truncated")),
        (seen(error=True, complete=False), None, Verdict("error", "stream.error")),
        (seen(None, complete=False), None, Verdict("error", "no_response")),
        (seen(), ValueError(), Verdict("error", "ValueError")),
        (seen(None, complete=False), ValueError(), Verdict("error", "ValueError")),
        (seen(404), ValueError(), Verdict("error", "ValueError")),
        (seen(), asyncio.CancelledError(), Verdict("cancelled")),
        (seen(complete=False, gone=True), None, Verdict("cancelled")),
        (seen(complete=False, gone=True), OSError(), Verdict("cancelled")),
        (seen(complete=False), KeyboardInterrupt(), Verdict("error", "KeyboardInterrupt")),
    ],
)
def test_an_app_that_says_nothing_is_judged_by_what_was_seen(
    found: Seen, raised: BaseException | None, verdict: Verdict
) -> None:
    assert judge(None, None, raised, None, found) == verdict


def test_an_error_that_was_seen_is_named_after_the_exception_behind_it() -> None:
    assert judge(None, None, None, KeyError(), seen(error=True)) == Verdict("error", "KeyError")
    assert judge("error", None, None, KeyError(), seen()) == Verdict("error", "KeyError")


def test_an_error_is_named_by_the_layer_then_by_what_left_the_app_then_by_what_a_span_has_seen() -> None:
    assert judge("error", "Named", OSError(), KeyError(), seen()) == Verdict("error", "Named")
    assert judge("error", None, OSError(), KeyError(), seen()) == Verdict("error", "OSError")


def test_an_exception_that_the_app_got_over_decides_nothing() -> None:
    assert judge(None, None, None, KeyError(), seen()) == Verdict("completed")
    assert judge("completed", None, None, KeyError(), seen()) == Verdict("completed")


@pytest.mark.parametrize(("outcome", "error_type"), [*product(OUTCOMES, ["shutdown", "RuntimeError"])])
def test_only_an_error_and_a_shutdown_have_a_type(outcome: Outcome, error_type: str) -> None:
    """A stream that failed and whose client was gone before it could be told: it was left, and did not fail."""
    has_type = outcome == "error" or (outcome, error_type) == ("cancelled", "shutdown")
    assert judge(outcome, error_type, None, None, seen()) == Verdict(
        outcome, error_type if has_type else None
    )


def test_a_layer_that_thought_the_answer_complete_before_it_was_sent_is_corrected() -> None:
    assert judge("completed", None, OSError(), None, seen(None, complete=False)) == Verdict(
        "error", "OSError"
    )
    assert judge("completed", None, None, None, seen(complete=False)) == Verdict("error", "truncated")
    assert judge("completed", None, asyncio.CancelledError(), None, seen(complete=False)) == Verdict(
        "cancelled"
    )


def test_a_client_that_went_away_in_the_middle_of_a_send_is_no_error() -> None:
    """Starlette says so in this way on servers of ASGI 2.4 and later."""
    assert judge(None, None, ClientDisconnect(), None, seen(complete=False)) == Verdict("cancelled")
