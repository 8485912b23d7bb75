"""The spans of the OpenAI Agents SDK, as children of the request's span.

callbacks of the SDK → what a span is (agent_spans) → start, name, attributes, failure, end
"""

import logging
import sys
from collections.abc import Awaitable
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from agents import RunContextWrapper, UserError, default_tool_error_function
from agents.tool import ToolErrorFunction
from agents.tracing import (
    Span,
    Trace,
    TracingProcessor,
    add_trace_processor,
    get_current_span,
    set_trace_processors,
)
from opentelemetry import trace
from opentelemetry.trace import Span as OpenTelemetrySpan
from opentelemetry.trace import TracerProvider, set_span_in_context

from chatkit_prod.errors import stack_of

from .agent_messages import content_of
from .agent_spans import describe
from .failures import mark
from .names import OTHER, SCOPE
from .request import TracedRequest, fail

logger = logging.getLogger("chatkit_prod")


class AgentsBridge(TracingProcessor):
    """Make every call of an agent, a model, a tool and a guardrail a span under what is current.

    Unless `exclusive`, the SDK goes on to send its own traces to OpenAI whenever `OPENAI_API_KEY` is set, with
    what users, models and tools have said, unless it was told otherwise. What stops the SDK's tracing, such as
    `OPENAI_AGENTS_DISABLE_TRACING=1` or `RunConfig(tracing_disabled=True)`, stops this as well.
    `trace_include_sensitive_data=False` takes the model, the id and the finish reason from the spans of the
    Responses API, and no content, of which nothing is exported here: with `exclusive` leave it alone.

    Nothing is made current: a span that the app starts in a tool is a child of the request's.

    Args:
        tracer_provider: Where the spans go; the global provider if None.
        content: Whether messages, and the arguments and results of tools, go with them. They hold what users have written.
        exclusive: Whether this takes the place of all the SDK's processors, so that nothing goes to OpenAI.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        content: bool = False,
        exclusive: bool = False,
    ) -> None:
        self._tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        self._content = content
        self._exclusive = exclusive
        # As long as the SDK holds a span, so do we: late children find it, and one that never ends is no leak.
        self._places: WeakKeyDictionary[Span[Any], _Place] = WeakKeyDictionary()
        self._by_id: WeakValueDictionary[str, _Place] = WeakValueDictionary()

    def install(self) -> None:
        """Register with the SDK, for the whole process."""
        if self._exclusive:
            set_trace_processors([self])
        else:
            add_trace_processor(self)
        _installed.add(self)

    def on_span_start(self, span: Span[Any]) -> None:
        """Start a span under that of the parent, or under what is current."""
        try:
            self._start(span)
        except Exception as error:  # noqa: BLE001 - tracing must not disturb a run
            _report(error)

    def on_span_end(self, span: Span[Any]) -> None:
        """End the span, with what is known about it now."""
        try:
            self._end(span)
        except Exception as error:  # noqa: BLE001 - tracing must not disturb a run
            _report(error)

    def note_failure(self, span: Span[Any], error: Exception) -> None:
        """Mark a span as failed of an exception that does not leave it.

        Args:
            span: Of the SDK.
            error: Its type and its stack are recorded, its message is not.
        """
        try:
            place = self._places.get(span)
            if place is not None and place.is_open:
                place.has_failed = True
                fail(place.span, error)
        except Exception as trouble:  # noqa: BLE001 - tracing must not disturb a run
            _report(trouble)

    def on_trace_start(self, trace: Trace) -> None:
        """Do nothing: a trace is what OpenTelemetry says."""

    def on_trace_end(self, trace: Trace) -> None:
        """Do nothing."""

    def shutdown(self) -> None:
        """Do nothing: the provider is the app's."""

    def force_flush(self) -> None:
        """Do nothing: the provider is the app's."""

    def _start(self, span: Span[Any]) -> None:
        if span in self._places:
            return  # installed twice
        above = None if span.parent_id is None else self._by_id.get(span.parent_id)
        parent = trace.get_current_span() if above is None else above.span
        place = self._places[span] = self._by_id[span.span_id] = _Place(parent)
        origin = parent.get_span_context()
        if origin.is_valid and not origin.trace_flags.sampled:
            return
        description = describe(span.span_data)
        if description is None:
            return
        name, kind, attributes = description
        context = set_span_in_context(parent)
        place.span = self._tracer.start_span(name, context, kind, attributes)
        place.is_open = place.span.is_recording()

    def _end(self, span: Span[Any]) -> None:
        place = self._places.get(span)
        if place is None or not place.is_open:
            return
        place.is_open = False
        try:
            self._finish(place, span)
        finally:
            place.span.end()

    def _finish(self, place: "_Place", span: Span[Any]) -> None:
        error = sys.exception()
        if isinstance(error, Exception) and id(error) != place.handled:
            _fail(place.span, error)
        elif span.error is not None and not place.has_failed:
            mark(place.span, OTHER)
        description = describe(span.span_data)
        if description is not None:
            place.span.update_name(description.name)
            place.span.set_attributes(description.attributes)
        if self._content:
            place.span.set_attributes(content_of(span.span_data))


class _Place:
    """Where the children of a span of the SDK belong.

    Args:
        parent: What they get if the span itself has no counterpart.
    """

    __slots__ = ("__weakref__", "handled", "has_failed", "is_open", "span")

    def __init__(self, parent: OpenTelemetrySpan) -> None:
        self.span = parent
        self.is_open = False
        self.has_failed = False
        # An exception that is being handled around the span has not left it. To hold it would hold its frames.
        self.handled = id(sys.exception())


_installed: WeakSet[AgentsBridge] = WeakSet()


def tool_errors(then: ToolErrorFunction = default_tool_error_function) -> ToolErrorFunction:
    """Return a `failure_error_function` that notes with the tool's span what the tool has raised.

    The SDK tells no processor of an exception that such a function has answered. It takes any but its default for
    consent to put the message into its own trace, which goes to OpenAI unless a bridge is `exclusive`.

    Args:
        then: Answers the model: sync or async.
    """

    def note(context: RunContextWrapper[Any], error: Exception) -> str | Awaitable[str]:
        if _installed and (span := get_current_span()) is not None:
            for bridge in tuple(_installed):
                bridge.note_failure(span, error)
        return then(context, error)

    return note


def _fail(span: OpenTelemetrySpan, error: Exception) -> None:
    """Mark a span as failed; what a tool has raised is the cause of what the SDK makes of it."""
    request = TracedRequest.current()
    cause = error.__cause__ if isinstance(error, UserError) else None
    if cause is None or (request is not None and request.failure is error):
        fail(span, error)
        return
    fail(span, cause)
    if request is not None:
        request.remember(error)  # the spans outside see this one, of which nothing is left to be said


def _report(error: Exception) -> None:
    logger.error("a span of the Agents SDK was lost: %s", stack_of(error))
