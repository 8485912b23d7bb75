"""An app that has no telemetry yet gets traces, metrics and logs with one call; one that has some keeps it."""

import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.metrics._internal import _ProxyMeterProvider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.util._once import Once

from chatkit_prod import ConfigurationError
from chatkit_prod.tracing.log_export import OpenTelemetryHandler
from chatkit_prod.tracing.setup import Telemetry, setup_telemetry
from tests.tracing.otlp_receiver import Receiver, endpoint, receiver

__all__ = ["receiver"]

LOGGERS = ("chatkit_prod", "chatkit")
_PLACES = (
    ("opentelemetry.trace", "_TRACER_PROVIDER"),
    ("opentelemetry.metrics._internal", "_METER_PROVIDER"),
    ("opentelemetry._logs._internal", "_LOGGER_PROVIDER"),
)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take OpenTelemetry's global providers away, and the marks of ours, until the end of the test."""
    for module, name in _PLACES:
        monkeypatch.setattr(f"{module}.{name}", None)
        monkeypatch.setattr(f"{module}.{name}_SET_ONCE", Once())
    # The instruments of other tests would go over to the provider of this one, and never come back.
    monkeypatch.setattr("opentelemetry.metrics._internal._PROXY_METER_PROVIDER", _ProxyMeterProvider())
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def handlers() -> list[logging.Handler]:
    found = (handler for name in LOGGERS for handler in logging.getLogger(name).handlers)
    return [handler for handler in found if isinstance(handler, OpenTelemetryHandler)]


# --------------------------------------------------------------------------------------------- set up, and ended


@pytest.mark.usefixtures("fresh")
def test_the_global_providers_and_the_loggers_are_set(capsys: pytest.CaptureFixture[str]) -> None:
    with setup_telemetry(service_name="my-chat", exporter="console"):
        assert isinstance(trace.get_tracer_provider(), TracerProvider)
        assert isinstance(metrics.get_meter_provider(), MeterProvider)
        assert isinstance(_logs.get_logger_provider(), LoggerProvider)
        assert [handler.level for handler in handlers()] == [logging.INFO] * 2
        logging.getLogger("chatkit_prod").info("so far so good")
        assert "so far so good" in capsys.readouterr().out


@pytest.mark.usefixtures("fresh")
def test_after_the_end_nothing_is_sent_and_a_second_end_changes_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with setup_telemetry(service_name="my-chat", exporter="console") as telemetry:
        assert telemetry.force_flush(5)
    telemetry.shutdown()
    assert handlers() == []
    logging.getLogger("chatkit_prod").info("too late")
    assert "too late" not in capsys.readouterr().out


@pytest.mark.usefixtures("fresh")
def test_a_level_that_a_logger_has_stays() -> None:
    logging.getLogger("chatkit").setLevel(logging.ERROR)
    logging.getLogger("chatkit_prod").setLevel(logging.NOTSET)
    with setup_telemetry(service_name="my-chat", exporter="console"):
        assert logging.getLogger("chatkit").level == logging.ERROR
        assert logging.getLogger("chatkit_prod").level == logging.INFO


@pytest.mark.usefixtures("fresh")
def test_a_further_reader_gets_the_metrics() -> None:
    reader = InMemoryMetricReader()
    with setup_telemetry(service_name="my-chat", exporter="console", metric_readers=[reader]):
        metrics.get_meter("app").create_counter("made").add(1)
        data = reader.get_metrics_data()
    assert data is not None
    (resource,) = data.resource_metrics
    assert resource.resource.attributes["service.name"] == "my-chat"
    assert [metric.name for scope in resource.scope_metrics for metric in scope.metrics] == ["made"]


@pytest.mark.usefixtures("fresh")
def test_otlp_is_set_up_in_batches_for_where_the_environment_says(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    for name, value in endpoint(receiver).items():
        monkeypatch.setenv(name, value)
    with setup_telemetry(service_name="my-chat", exporter="otlp"):
        trace.get_tracer("app").start_span("one").end()
        assert receiver.bodies == []
    assert "/v1/traces" in {path for path, _ in receiver.bodies}


# --------------------------------------------------------------------------------------------- what cannot be


@pytest.mark.usefixtures("fresh")
def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http._log_exporter", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'chatkit-prod\[otlp\]'"):
        setup_telemetry(service_name="my-chat", exporter="otlp")
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
    assert handlers() == []


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_a_provider_that_the_app_has_set_is_not_replaced(signal: str) -> None:
    match signal:
        case "traces":
            trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
        case "metrics":
            metrics.set_meter_provider(MeterProvider(shutdown_on_exit=False))
        case _:
            _logs.set_logger_provider(LoggerProvider(shutdown_on_exit=False))
    with pytest.raises(ConfigurationError, match="global provider already"):
        setup_telemetry(service_name="my-chat", exporter="console")
    assert handlers() == []


@pytest.mark.usefixtures("fresh")
def test_a_second_call_is_refused() -> None:
    with (
        setup_telemetry(service_name="my-chat", exporter="console"),
        pytest.raises(ConfigurationError, match="called once"),
    ):
        setup_telemetry(service_name="my-chat", exporter="console")


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"service_name": ""}, "service_name"),
        ({"service_name": None}, "service_name"),
        ({"exporter": "jaeger"}, "exporter must be one of console, otlp"),
        ({"exporter": None}, "exporter"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_set(options: dict[str, Any], expected: str) -> None:
    given: dict[str, Any] = {"service_name": "my-chat", "exporter": "console", **options}
    with pytest.raises(ConfigurationError, match=expected):
        setup_telemetry(**given)
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)


@pytest.mark.usefixtures("fresh")
def test_to_flush_is_no_success_where_a_part_of_it_raises() -> None:
    class Broken(MeterProvider):
        def force_flush(self, timeout_millis: float = 10_000) -> bool:
            raise RuntimeError

    traces, logs = TracerProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
    telemetry = Telemetry(traces, Broken([InMemoryMetricReader()], shutdown_on_exit=False), logs)
    try:
        assert telemetry.force_flush() is False
    finally:
        telemetry.shutdown()
