"""Requests, streams and store calls are counted by operation and outcome, and never by who asked."""

import gc
import weakref
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import metrics as otel_metrics
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.trace import INVALID_SPAN

from chatkit_prod.tracing import metrics as module
from chatkit_prod.tracing import names
from chatkit_prod.tracing.ended import Ended
from chatkit_prod.tracing.metrics import Metrics
from chatkit_prod.tracing.outcome import Stream, Verdict
from chatkit_prod.tracing.user import User
from tests.tracing.recording import Recorder, context_of
from tests.tracing.test_ended import FAILED, REFUSED

STREAMED = FAILED._replace(verdict=Verdict("completed"), seconds=12.0)


def noted(*all_ended: Ended) -> Recorder:
    recorder = Recorder()
    for ended in all_ended:
        Metrics.of(recorder.meters).request_ended(ended, INVALID_SPAN)
    return recorder


def only(recorder: Recorder, metric: str) -> tuple[dict[str, Any], Any]:
    (point,) = recorder.points(metric)
    return point


def test_a_request_is_counted_by_operation_outcome_and_type_of_error() -> None:
    recorder = noted(STREAMED, STREAMED, FAILED, REFUSED)
    assert [(found, point.value) for found, point in recorder.points("chatkit.requests")] == [
        ({"chatkit.operation": "threads.create", "chatkit.outcome": "completed"}, 2),
        (
            {"chatkit.operation": "threads.create", "chatkit.outcome": "error", "error.type": "KeyError"},
            1,
        ),
        ({"chatkit.operation": "unknown", "chatkit.outcome": "refused"}, 1),
    ]


def test_the_duration_has_the_attributes_of_the_convention_besides() -> None:
    found, point = only(noted(FAILED._replace(seconds=12.0)), "http.server.request.duration")
    assert found == {
        "chatkit.operation": "threads.create",
        "chatkit.outcome": "error",
        "error.type": "KeyError",
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/{app}",
        "url.scheme": "https",
    }
    assert (point.count, point.sum) == (1, 12.0)


def test_what_is_not_known_of_a_request_is_left_out() -> None:
    found, _ = only(noted(REFUSED), "http.server.request.duration")
    assert set(found) == {"chatkit.operation", "chatkit.outcome", "http.request.method", "url.scheme"}


def test_the_waits_of_a_stream_are_measured_and_those_of_another_answer_are_not() -> None:
    recorder = noted(STREAMED, REFUSED)
    for metric, seconds in (("first_event.duration", 0.2), ("longest_gap", 0.3)):
        found, point = only(recorder, f"chatkit.stream.{metric}")
        assert found == {"chatkit.operation": "threads.create", "chatkit.outcome": "completed"}
        assert (point.count, point.sum) == (1, seconds)


def test_a_request_that_an_outer_instrumentation_measures_is_not_measured_twice() -> None:
    recorder = noted(STREAMED._replace(is_new=False))
    assert recorder.points("http.server.request.duration") == []
    assert only(recorder, "chatkit.requests")[1].value == 1


@pytest.mark.parametrize(
    ("metric", "bounds"),
    [
        ("http.server.request.duration", names.REQUEST_SECONDS),
        ("chatkit.stream.first_event.duration", names.WAIT_SECONDS),
        ("chatkit.stream.longest_gap", names.WAIT_SECONDS),
    ],
)
def test_the_buckets_are_long_enough_for_chats(metric: str, bounds: tuple[float, ...]) -> None:
    _, point = only(noted(STREAMED), metric)
    assert point.explicit_bounds == bounds
    assert bounds[-1] >= 120


def test_no_metric_knows_user_thread_session_or_request() -> None:
    recorder = noted(STREAMED, FAILED, FAILED._replace(user=User(id="alice")))
    Metrics.of(recorder.meters).store_called("load_thread", "MyStore", None, 0.1, INVALID_SPAN)
    metrics = ("chatkit.requests", "http.server.request.duration", "chatkit.store.duration")
    told = {value for metric in metrics for found, _ in recorder.points(metric) for value in found.values()}
    assert told.isdisjoint({"alice", "abcd", "thr_1", "5e55", "0123", "/chatkit"})


def test_a_figure_leads_to_the_trace_that_it_is_of() -> None:
    recorder = Recorder()
    with recorder.tracer.start_as_current_span("request") as span:
        pass
    Metrics.of(recorder.meters).request_ended(STREAMED, span)
    _, point = only(recorder, "http.server.request.duration")
    assert [example.trace_id for example in point.exemplars] == [context_of(span).trace_id]


# ------------------------------------------------------------------------------------------------ streams, stores


def test_open_streams_go_up_and_down_and_their_events_only_up() -> None:
    recorder = Recorder()
    metrics = Metrics.of(recorder.meters)
    metrics.stream_began("threads.create")
    metrics.stream_began("threads.create")
    metrics.stream_ended("threads.create", 7)
    assert only(recorder, "chatkit.stream.active")[0] == {"chatkit.operation": "threads.create"}
    assert only(recorder, "chatkit.stream.active")[1].value == 1
    metrics.stream_ended("threads.create", 5)
    assert only(recorder, "chatkit.stream.active")[1].value == 0
    assert only(recorder, "chatkit.stream.events")[1].value == 12


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), max_size=20))
def test_every_stream_that_has_ended_leaves_its_events_and_nothing_open(
    streams: list[tuple[str, int]],
) -> None:
    recorder = Recorder()
    metrics = Metrics.of(recorder.meters)
    for operation, _ in streams:
        metrics.stream_began(operation)
    for operation, events in streams:
        metrics.stream_ended(operation, events)
    assert all(point.value == 0 for _, point in recorder.points("chatkit.stream.active"))
    assert sum(point.value for _, point in recorder.points("chatkit.stream.events")) == sum(
        events for _, events in streams
    )


@pytest.mark.parametrize("error_type", [None, "OSError"])
def test_a_call_of_a_store_is_measured_by_method_class_and_type_of_error(error_type: str | None) -> None:
    recorder = Recorder()
    Metrics.of(recorder.meters).store_called("load_thread", "MyStore", error_type, 0.02, INVALID_SPAN)
    found, point = only(recorder, "chatkit.store.duration")
    named = {"chatkit.store.method": "load_thread", "chatkit.store.class": "MyStore"}
    assert found == (named if error_type is None else {**named, "error.type": error_type})
    assert (point.count, point.sum) == (1, 0.02)
    assert point.explicit_bounds == names.STORE_SECONDS


# ------------------------------------------------------------------------------------------------ how it is kept


@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_a_reader_sees_every_request_so_far_in_every_metric(count: int) -> None:
    recorder = noted(*[STREAMED] * count)
    for metric in ("http.server.request.duration", "chatkit.stream.first_event.duration"):
        assert only(recorder, metric)[1].count == count
    assert only(recorder, "chatkit.requests")[1].value == count


def test_a_reader_that_never_comes_does_not_fill_the_memory() -> None:
    metrics = Metrics(Recorder().meters)
    for _ in range(1000):
        metrics.request_ended(STREAMED, INVALID_SPAN)
        metrics.store_called("load_thread", "MyStore", None, 0.1, INVALID_SPAN)
    assert len(metrics._pending) < 100


def test_there_is_an_end_of_series_and_what_comes_behind_is_counted_as_other() -> None:
    recorder = noted(*(FAILED._replace(verdict=Verdict("error", f"Error{n}")) for n in range(1500)))
    points = recorder.points("chatkit.requests")
    counts = {found["error.type"]: point.value for found, point in points}
    assert sum(counts.values()) == 1500
    assert len(counts) <= 1001
    assert counts["_OTHER"] >= 400


def test_threads_lose_nothing() -> None:
    recorder = Recorder()
    metrics = Metrics.of(recorder.meters)

    def work() -> None:
        for _ in range(300):
            metrics.stream_began("a")
            metrics.request_ended(STREAMED, INVALID_SPAN)
            metrics.stream_ended("a", 1)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert only(recorder, "chatkit.requests")[1].value == 1200
    assert only(recorder, "http.server.request.duration")[1].count == 1200
    assert only(recorder, "chatkit.stream.active")[1].value == 0


def test_all_that_measure_for_one_provider_share_its_metrics() -> None:
    one, other = Recorder(), Recorder()
    assert Metrics.of(one.meters) is Metrics.of(one.meters)
    assert Metrics.of(one.meters) is not Metrics.of(other.meters)


def test_a_provider_that_is_gone_is_forgotten() -> None:
    provider = MeterProvider(shutdown_on_exit=False)
    Metrics.of(provider).request_ended(STREAMED, INVALID_SPAN)
    gone = weakref.ref(provider)
    del provider
    gc.collect()
    assert gone() is None
    assert all(found is not None for found in module._by_provider)


def test_without_a_provider_of_its_own_the_global_one_is_used() -> None:
    assert Metrics.of(None) is Metrics.of(otel_metrics.get_meter_provider())


def test_what_nobody_reads_is_not_kept() -> None:
    metrics = Metrics(NoOpMeterProvider())
    assert not metrics.is_wanted
    assert Metrics(Recorder().meters).is_wanted
    metrics.request_ended(STREAMED._replace(stream=Stream(1, 0.1, 0.1)), INVALID_SPAN)
    metrics.store_called("load_thread", "MyStore", None, 0.1, INVALID_SPAN)
    assert metrics._pending == []
    assert not metrics._requests


def test_there_is_an_end_to_the_types_of_errors_also_of_durations_and_stores() -> None:
    recorder = Recorder()
    found = Metrics.of(recorder.meters)
    for number in range(300):
        error_type = f"Error{number}"
        found.request_ended(FAILED._replace(verdict=Verdict("error", error_type)), INVALID_SPAN)
        found.store_called("load_thread", "Store", error_type, 0.1, INVALID_SPAN)
    for metric in ("chatkit.requests", "http.server.request.duration", "chatkit.store.duration"):
        types = {attributes["error.type"] for attributes, _ in recorder.points(metric)}
        assert len(types) == 101
        assert "_OTHER" in types
