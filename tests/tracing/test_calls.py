"""A call of the app's code has a span that is current in it, and nowhere else."""

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import cast

import pytest
from chatkit.errors import CustomStreamError, ErrorCode, StreamError
from chatkit.store import NotFoundError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.trace import StatusCode, get_current_span

from chatkit_prod.errors import ForbiddenError
from chatkit_prod.tracing.calls import TracedCall, end, is_unwanted, shaped, start, traced_events
from tests.servers import bounded
from tests.tracing.recording import Recorder, attributes, is_child, recorded
from tests.tracing.requests_traced import current, traced_request

pytestmark = pytest.mark.anyio


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def current_name() -> str:
    return str(getattr(get_current_span(), "name", ""))


# ------------------------------------------------------------------------------------------------ awaited


def test_a_call_is_unwanted_only_in_a_request_of_which_nobody_wants_to_know(recorder: Recorder) -> None:
    assert not is_unwanted()
    with current(traced_request(recorder)):
        assert not is_unwanted()
    with current(traced_request(recorder, is_wanted=False)):
        assert is_unwanted()


def test_a_call_has_a_span_that_is_current_for_its_length(recorder: Recorder) -> None:
    with TracedCall(recorder.tracer, "call", {"a": 1}) as span:
        assert get_current_span() is span
    assert get_current_span() is trace.INVALID_SPAN
    found = recorder.span("call")
    assert (attributes(found), found.status.status_code) == ({"a": 1}, StatusCode.UNSET)


def test_a_span_stands_inside_of_what_is_current(recorder: Recorder) -> None:
    with current(traced_request(recorder)):
        with TracedCall(recorder.tracer, "outer", {}), TracedCall(recorder.tracer, "inner", {}):
            pass
        end(start(recorder.tracer, "beside", {}), None)
    assert is_child(recorder.span("inner"), recorder.span("outer"))
    assert is_child(recorder.span("outer"), recorder.span("request"))
    assert is_child(recorder.span("beside"), recorder.span("request"))


def test_a_call_is_made_even_if_its_span_cannot_be(caplog: pytest.LogCaptureFixture) -> None:
    class BrokenTracer(trace.NoOpTracer):
        def start_span(self, *_: object, **__: object) -> trace.Span:
            raise OSError

    with TracedCall(BrokenTracer(), "call", {}) as span:
        assert span is trace.INVALID_SPAN
    assert "telemetry failed" in caplog.text


def test_an_exception_marks_the_span_and_goes_on(recorder: Recorder) -> None:
    with pytest.raises(KeyError), TracedCall(recorder.tracer, "call", {}):
        raise KeyError("unseen")
    assert attributes(recorder.span("call")) == {"error.type": "KeyError"}
    assert recorder.span("call").status.status_code is StatusCode.ERROR
    assert get_current_span() is trace.INVALID_SPAN


@pytest.mark.parametrize("error", [NotFoundError(), ForbiddenError()], ids=["absent", "forbidden"])
def test_a_refusal_is_told_and_no_failure(recorder: Recorder, error: Exception) -> None:
    with (
        current(traced_request(recorder)) as request,
        pytest.raises(type(error)),
        TracedCall(recorder.tracer, "call", {}),
    ):
        raise error
    assert attributes(recorder.span("call")) == {"chatkit.outcome": "refused"}
    assert recorder.span("call").status.status_code is StatusCode.UNSET
    assert recorded(recorder.spans) == {}
    assert request.failure is None


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit()], ids=["cancelled", "closed"])
def test_a_call_that_is_given_up_is_cancelled_and_no_failure(
    recorder: Recorder, error: BaseException
) -> None:
    with suppress(asyncio.CancelledError, GeneratorExit), TracedCall(recorder.tracer, "call", {}):
        raise error
    assert attributes(recorder.span("call")) == {"chatkit.outcome": "cancelled"}
    assert recorder.span("call").status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    "error", [StreamError(ErrorCode.STREAM_ERROR), CustomStreamError("unseen")], ids=repr
)
def test_an_error_of_the_app_is_a_failure(recorder: Recorder, error: Exception) -> None:
    with (
        current(traced_request(recorder)),
        pytest.raises(type(error)),
        TracedCall(recorder.tracer, "call", {}),
    ):
        raise error
    assert recorded(recorder.spans) == {("call", type(error).__name__): 1}
    assert recorder.span("call").status.status_code is StatusCode.ERROR


async def test_once_an_answer_has_begun_nothing_is_refused_any_more(recorder: Recorder) -> None:
    async def failing() -> AsyncGenerator[str]:
        yield "a"
        raise NotFoundError

    with pytest.raises(NotFoundError):
        _ = [letter async for letter in traced(recorder, failing())]
    assert recorded(recorder.spans) == {("call", "NotFoundError"): 1}


# ------------------------------------------------------------------------------------------------ iterated


def traced(recorder: Recorder, events: AsyncIterator[str]) -> AsyncGenerator[str]:
    return traced_events(recorder.tracer, "call", {"a": 1}, lambda: events)


async def letters(seen: list[str], *, error: BaseException | None = None) -> AsyncGenerator[str]:
    try:
        for letter in "abc":
            seen.append(current_name())
            yield letter
            await asyncio.sleep(0)
        if error is not None:
            raise error
    finally:
        seen.append(f"closed in {current_name()}")


async def test_the_span_is_current_while_the_generator_runs_and_never_in_between(recorder: Recorder) -> None:
    inside, between = list[str](), list[str]()
    async for _ in traced(recorder, letters(inside)):
        between.append(current_name())
    assert inside == ["call", "call", "call", "closed in call"]
    assert between == ["", "", ""]
    assert attributes(recorder.span("call")) == {"a": 1}


@given(st.integers(0, 4), st.sampled_from([None, KeyError(), asyncio.CancelledError()]))
async def test_wherever_an_iteration_ends_the_generator_is_closed_and_the_span_has_ended(
    taken: int, error: BaseException | None
) -> None:
    recorder, seen, got = Recorder(), list[str](), list[str]()
    with suppress(KeyError, asyncio.CancelledError):
        async with aclosing(traced(recorder, letters(seen, error=error))) as events:
            while len(got) < taken and (event := await anext(events, None)) is not None:
                got.append(event)
    assert got == list("abc")[:taken]
    if taken == 0:
        assert (recorder.names, seen) == ([], [])
        return
    assert recorder.names == ["call"]
    assert seen[-1] == "closed in call"
    expected: dict[str, object] = {"a": 1}
    if taken < 4 or isinstance(error, asyncio.CancelledError):
        expected["chatkit.outcome"] = "cancelled"
    elif error is not None:
        expected["error.type"] = "KeyError"
    assert attributes(recorder.span("call")) == expected
    assert get_current_span() is trace.INVALID_SPAN


async def test_a_span_that_the_app_keeps_open_across_its_yields_stays_current_there_and_only_there(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    async def keeping() -> AsyncGenerator[str]:
        with recorder.tracer.start_as_current_span("kept"):
            yield current_name()
            with recorder.tracer.start_as_current_span("inner"):
                yield current_name()
            token = otel_context.attach(baggage.set_baggage("k", "v"))
            yield current_name()
            yield str(baggage.get_baggage("k"))
            otel_context.detach(token)
        yield current_name()

    inside, between = list[str](), list[str]()
    async for name in traced(recorder, keeping()):
        inside.append(name)
        between.append(f"{current_name()}{baggage.get_baggage('k') or ''}")
    assert inside == ["kept", "inner", "kept", "v", "call"]
    assert between == [""] * 5
    assert is_child(recorder.span("inner"), recorder.span("kept"))
    assert is_child(recorder.span("kept"), recorder.span("call"))
    assert caplog.records == []


async def test_a_span_that_the_app_keeps_open_is_closed_where_it_was_opened(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    async def keeping() -> AsyncGenerator[str]:
        with recorder.tracer.start_as_current_span("kept"):
            yield "a"

    async with aclosing(traced(recorder, keeping())) as events:
        await anext(events)
    assert recorder.names == ["kept", "call"]
    assert caplog.records == []
    assert get_current_span() is trace.INVALID_SPAN


async def test_two_iterations_in_turns_do_not_see_each_other(recorder: Recorder) -> None:
    async def keeping(name: str) -> AsyncGenerator[str]:
        with recorder.tracer.start_as_current_span(name):
            for _ in range(3):
                yield current_name()

    one, other = traced(recorder, keeping("one")), traced(recorder, keeping("other"))
    for _ in range(3):
        assert (await anext(one), await anext(other)) == ("one", "other")
    await one.aclose()
    await other.aclose()


class Counted:
    """An iterator that is no generator, and cannot be closed."""

    def __init__(self) -> None:
        self._left = 2

    def __aiter__(self) -> "Counted":
        return self

    async def __anext__(self) -> str:
        self._left -= 1
        if self._left < 0:
            raise StopAsyncIteration
        return current_name()


async def test_an_iterator_that_is_no_generator_will_do(recorder: Recorder) -> None:
    assert [name async for name in traced(recorder, Counted())] == ["call", "call"]
    assert recorder.names == ["call"]


async def test_what_only_can_be_iterated_will_do_as_it_does_for_chatkit(recorder: Recorder) -> None:
    class Iterable:
        def __aiter__(self) -> AsyncIterator[str]:
            return Counted()

    iterable = cast("AsyncIterator[str]", Iterable())
    events = traced_events(recorder.tracer, "call", {}, lambda: iterable)
    assert [name async for name in events] == ["call", "call"]


async def test_a_function_that_raises_instead_of_returning_an_iterator_is_a_failure(
    recorder: Recorder,
) -> None:
    def broken() -> AsyncIterator[str]:
        assert current_name() == "call"
        raise KeyError

    with pytest.raises(KeyError):
        await anext(traced_events(recorder.tracer, "call", {}, broken))
    assert attributes(recorder.span("call")) == {"error.type": "KeyError"}
    assert get_current_span() is trace.INVALID_SPAN


async def test_a_generator_that_fails_while_it_is_closed_is_a_failure_and_its_span_ends(
    recorder: Recorder,
) -> None:
    async def stubborn() -> AsyncGenerator[str]:
        try:
            yield "a"
        finally:
            raise KeyError

    events = traced(recorder, stubborn())
    await anext(events)
    with pytest.raises(KeyError):
        await events.aclose()
    assert attributes(recorder.span("call"))["error.type"] == "KeyError"


@bounded
async def test_a_cancelled_iteration_is_cancelled_inside_of_the_generator(recorder: Recorder) -> None:
    cancelled = list[str]()

    async def waiting() -> AsyncGenerator[str]:
        try:
            await asyncio.Event().wait()
            yield "never"
        except asyncio.CancelledError:
            cancelled.append(current_name())
            raise

    task = asyncio.ensure_future(anext(traced(recorder, waiting())))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled == ["call"]
    assert attributes(recorder.span("call"))["chatkit.outcome"] == "cancelled"


async def test_an_exception_is_not_kept_alive_by_the_span_that_saw_it(recorder: Recorder) -> None:
    class LostError(Exception):
        pass

    async def failing() -> AsyncGenerator[str]:
        raise LostError
        yield ""

    with suppress(LostError):
        await anext(traced(recorder, failing()))
    gc.disable()
    try:
        assert not any(type(found) is LostError for found in gc.get_objects())
    finally:
        gc.enable()


@given(st.text(max_size=200) | st.integers())
def test_only_what_looks_like_an_id_a_name_or_a_count_becomes_an_attribute(value: str | int) -> None:
    found = shaped({"given": value})
    if isinstance(value, int):
        assert found == {"given": min(value, 2**31 - 1)}
    elif found:
        assert found == {"given": value}
        assert len(value) <= 128
        assert value.isascii()
        assert not any(letter.isspace() or letter in "@\"'{}/" for letter in value)


def test_what_a_stranger_calls_a_thread_is_no_attribute(recorder: Recorder) -> None:
    with TracedCall(recorder.tracer, "call", {"thread": "My sister Anna, anna@example.org", "limit": 10**30}):
        pass
    assert attributes(recorder.span("call")) == {"limit": 2**31 - 1}
