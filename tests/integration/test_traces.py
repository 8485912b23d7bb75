"""Ten thousand users who go away at any moment leave no trace of their traces."""

import logging

import pytest

from tests.path.test_traces import AROUND
from tests.tracing.departures import depart

pytestmark = pytest.mark.anyio

STREAMS = {"alone": 10_000, "instrumented": 1_000, "nested": 1_000}


@pytest.mark.parametrize("around", AROUND)
async def test_after_thousands_of_streams_that_were_left_at_random_no_span_and_no_context_is_left(
    around: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "chatkit")
    caplog.set_level(logging.CRITICAL, "chatkit_prod")
    (await depart(STREAMS[around], around=AROUND[around])).check()
