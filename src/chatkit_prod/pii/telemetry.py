"""Spans and log records of OpenTelemetry without personal data, whoever has made them.

tracer → span ends → ScrubbingSpanProcessor → a clean copy → the app's own processor → exporter
logger → record    → ScrubbingLogRecordProcessor → a clean copy → the app's own processor → exporter
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from opentelemetry._logs import LogRecord
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Link, Status

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import named
from chatkit_prod.scrub import TextScrubber

from .keys import KEYS, Keys
from .leaves import UNSCRUBBED, Leaves, safely


class ScrubbingSpanProcessor(SpanProcessor):
    """Hand spans without personal data to another processor.

    When a span ends, that one gets a copy: name, attributes, events with the texts of exceptions, links and the
    description of its status are scrubbed, by the names of values and by what they say. The span itself stays
    as it is for the other processors of the provider, so wrap each one that has an exporter. A scrubber that raises
    costs the value, not the span.

    What the inner processor gets when a span starts is the span itself; those of the SDK leave it alone.
    The resource is the app's own configuration, and is not looked at.

    Args:
        inner: What gets the copies, such as a `BatchSpanProcessor`.
        scrubber: Finds what is personal; called where a span ends, so not a slow one.
        keys: What the names of attributes tell of their values.

    Raises:
        ConfigurationError: An argument is something else.
    """

    def __init__(self, inner: SpanProcessor, *, scrubber: TextScrubber, keys: Keys = KEYS) -> None:
        if not isinstance(inner, SpanProcessor):
            raise ConfigurationError(f"inner must be a SpanProcessor, not {named(inner)}")
        self.inner = inner
        self._clean = _Clean(scrubber, keys)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Pass on that a span has started."""
        self.inner.on_start(span, parent_context)

    def _on_ending(self, span: Span) -> None:
        """Pass on that a span is about to end; newer releases of the SDK ask."""
        self.inner._on_ending(span)  # noqa: SLF001 - a hook of the interface, for all its name

    def on_end(self, span: ReadableSpan) -> None:
        """Hand on a clean copy of a span that has ended."""
        self.inner.on_end(self._clean.span(span))

    def shutdown(self) -> None:
        """End the inner processor."""
        self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Have the inner processor send what is waiting."""
        return self.inner.force_flush(timeout_millis)


class ScrubbingLogRecordProcessor(LogRecordProcessor):
    """Hand log records without personal data to another processor.

    That one gets a copy: body, attributes with the texts of exceptions, and the name of the event are scrubbed.
    The record itself stays as it is for the other processors of the provider, so wrap each one that has an
    exporter. A scrubber that raises costs the value, not the record.

    Args:
        inner: What gets the copies, such as a `BatchLogRecordProcessor`.
        scrubber: Finds what is personal; called where a record is written, so not a slow one.
        keys: What the names of attributes tell of their values.

    Raises:
        ConfigurationError: An argument is something else.
    """

    def __init__(self, inner: LogRecordProcessor, *, scrubber: TextScrubber, keys: Keys = KEYS) -> None:
        if not isinstance(inner, LogRecordProcessor):
            raise ConfigurationError(f"inner must be a LogRecordProcessor, not {named(inner)}")
        self.inner = inner
        self._clean = _Clean(scrubber, keys)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Hand on a clean copy of a record."""
        self.inner.on_emit(self._clean.record(log_record))

    def enabled(self, **question: Any) -> bool:
        """Ask the inner processor whether it wants a record; newer releases of the SDK do."""
        return self.inner.enabled(**question)

    def shutdown(self) -> None:
        """End the inner processor."""
        self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Have the inner processor send what is waiting."""
        return self.inner.force_flush(timeout_millis)


class _Clean:
    """Makes copies that are clean, out of what is named here alone: what a new release adds stays behind."""

    def __init__(self, scrubber: TextScrubber, keys: Keys) -> None:
        if not callable(getattr(scrubber, "scrub", None)):
            raise ConfigurationError(f"scrubber must be a Scrubber, not {named(scrubber)}")
        if not isinstance(keys, Keys):
            raise ConfigurationError(f"keys must be Keys, not {named(keys)}")
        self._leaves = Leaves(safely(scrubber), keys=keys)

    def span(self, span: ReadableSpan) -> ReadableSpan:
        status = span.status
        description = self._leaves.text(status.description) if status.description else None
        return ReadableSpan(
            name=self._leaves.text(span.name),
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=self._attributes(span.attributes, span.dropped_attributes),
            events=_counted([self._event(event) for event in span.events], span.dropped_events),
            links=_counted([self._link(link) for link in span.links], span.dropped_links),
            kind=span.kind,
            status=Status(status.status_code, description),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    def _event(self, event: Event) -> Event:
        attributes = self._attributes(event.attributes, event.dropped_attributes)
        return Event(self._leaves.text(event.name), attributes, event.timestamp)

    def _link(self, link: Link) -> Link:
        return Link(link.context, self._attributes(link.attributes, link.dropped_attributes))

    def _attributes(self, attributes: Mapping[str, Any] | None, dropped: int) -> BoundedAttributes:
        """Return clean attributes, and how many the SDK has dropped before."""
        clean = BoundedAttributes(attributes=self._leaves.value(dict(attributes or {})))
        clean.dropped = dropped
        return clean

    def record(self, emitted: ReadWriteLogRecord) -> ReadWriteLogRecord:
        record = emitted.log_record
        copy = LogRecord(
            timestamp=record.timestamp,
            observed_timestamp=record.observed_timestamp,
            context=record.context,
            severity_text=record.severity_text,
            severity_number=record.severity_number,
            body=self._body(record.body),
            attributes=self._leaves.value(dict(record.attributes or {})),
            event_name=self._leaves.text(record.event_name) if record.event_name else None,
        )
        copy.trace_id, copy.span_id, copy.trace_flags = record.trace_id, record.span_id, record.trace_flags
        clean = ReadWriteLogRecord(copy, emitted.resource, emitted.instrumentation_scope, emitted.limits)
        cast("BoundedAttributes", copy.attributes).dropped = emitted.dropped_attributes
        return clean

    def _body(self, body: Any) -> Any:
        try:
            return self._leaves.value(body)
        except Exception:  # noqa: BLE001 - values are the app's: they may raise when they are looked at
            return UNSCRUBBED


def _counted(items: list[Any], dropped: int) -> Sequence[Any]:
    """Return a list that knows how many the SDK has dropped before."""
    counted = cast("Any", BoundedList)(len(items))
    counted.extend(items)
    counted.dropped = dropped
    return cast("Sequence[Any]", counted)
