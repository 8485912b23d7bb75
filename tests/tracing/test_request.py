"""A request is found by whatever makes spans inside of it, and by nothing else."""

import pytest
from opentelemetry import context as otel_context
from opentelemetry.trace import StatusCode, get_current_span, set_span_in_context

from chatkit_prod import Principal
from chatkit_prod.operation import Limits, parse
from chatkit_prod.testing import chatkit_request
from chatkit_prod.tracing import request as module
from chatkit_prod.tracing.failures import Failures
from chatkit_prod.tracing.request import TracedRequest, fail
from chatkit_prod.tracing.user import NOBODY, User
from tests.tracing.recording import Recorder, attributes, recorded
from tests.tracing.requests_traced import current, traced_request


def test_the_current_request_is_known_inside_of_it_and_nowhere_else() -> None:
    request = traced_request(Recorder())
    assert TracedRequest.current() is None
    with current(request):
        assert TracedRequest.current() is request
        assert get_current_span() is request.span
    assert TracedRequest.current() is None


def test_a_request_inside_of_another_one_hides_it_until_it_is_over() -> None:
    recorder = Recorder()
    with current(traced_request(recorder)) as outer:
        with current(traced_request(recorder)) as inner:
            assert TracedRequest.current() is inner
        assert TracedRequest.current() is outer


def test_the_operation_is_what_was_noted_until_an_endpoint_has_read_it() -> None:
    request = traced_request(Recorder())
    assert request.operation_name is None
    request.operation = "threads.create"
    assert request.operation_name == "threads.create"
    request.state.operation = parse(chatkit_request("threads.list"), Limits())
    assert request.operation_name == "threads.list"


def test_the_user_is_named_as_telemetry_may_have_it() -> None:
    request = traced_request(Recorder())
    assert request.user == NOBODY
    request.state.principal = Principal(issuer="idp", subject="alice")
    assert request.user == User(id="alice")


def test_a_new_span_stands_under_the_span_of_the_server_if_nothing_nearer_is_current() -> None:
    recorder = Recorder()
    with current(traced_request(recorder)) as request:
        assert get_current_span(request.parent()) is request.span
        process, nearer = recorder.tracer.start_span("process"), recorder.tracer.start_span("nearer")
        request.process = set_span_in_context(process)
        assert get_current_span(request.parent()) is process
        token = otel_context.attach(set_span_in_context(nearer))
        assert get_current_span(request.parent()) is nearer
        otel_context.detach(token)


def test_an_exception_is_recorded_with_the_first_span_that_it_leaves_and_marks_them_all() -> None:
    recorder = Recorder()
    error = KeyError("unseen")
    with current(traced_request(recorder)) as request:
        for name in ("inner", "outer"):
            with recorder.tracer.start_as_current_span(name) as span:
                fail(span, error)
        assert request.failure is error
    assert recorded(recorder.spans) == {("inner", "KeyError"): 1}
    for name in ("inner", "outer"):
        assert attributes(recorder.span(name)) == {"error.type": "KeyError"}
        assert recorder.span(name).status.status_code is StatusCode.ERROR


def test_another_exception_is_recorded_as_well() -> None:
    recorder = Recorder()
    with current(traced_request(recorder)) as request:
        for error in (KeyError(), KeyError()):
            request.fail(request.span, error)
    assert recorded(recorder.spans) == {("request", "KeyError"): 2}


def test_outside_of_a_request_an_exception_is_recorded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setattr(module, "_OUTSIDE", Failures(recorder.loggers))
    with recorder.tracer.start_as_current_span("job") as span:
        fail(span, KeyError())
    assert recorded(recorder.spans) == {("job", "KeyError"): 1}
    assert attributes(recorder.span("job")) == {"error.type": "KeyError"}


def test_behind_its_end_a_request_is_current_for_nobody_and_lets_go_of_exceptions() -> None:
    request = traced_request(Recorder())
    with current(request):
        error = ValueError()
        assert request.remember(error)
        request.end()
        assert TracedRequest.current() is None
        assert TracedRequest.around() is request
        assert request.failure is None
        assert request.remember(error), "it was forgotten"


def test_an_exception_is_known_again_also_behind_another_one() -> None:
    request, first = traced_request(Recorder()), ValueError()
    assert request.remember(first)
    assert request.remember(OSError())
    assert not request.remember(first)
    assert request.failure is first


def test_many_exceptions_do_not_pile_up() -> None:
    request = traced_request(Recorder())
    for _ in range(1_000):
        request.remember(ValueError())
    assert len(request._recorded) <= 30  # pyright: ignore[reportPrivateUsage]
