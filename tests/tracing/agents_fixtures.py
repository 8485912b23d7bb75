"""The real Agents SDK in front of a provider of models that has no network."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeAlias

import httpx2
from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, RunConfig, Runner
from agents.tracing import Span as AgentsSpan
from agents.tracing import Trace, TracingProcessor
from openai import AsyncOpenAI
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

Item: TypeAlias = dict[str, Any]
Answer: TypeAlias = Item | int

MODEL = "gpt-5-2026-01-01"


def says(text: str) -> Item:
    part: Item = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def calls(name: str, arguments: str = "{}", **options: str) -> Item:
    call_id = f"call_{name}"
    return {
        "type": "function_call",
        "id": call_id,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
        **options,
    }


def answer(*output: Item, status: str = "completed", **options: Any) -> Item:
    usage = {
        "input_tokens": 11,
        "output_tokens": 7,
        "total_tokens": 18,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": MODEL,
        "status": status,
        "output": list(output),
        "usage": usage,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        **options,
    }


class Provider:
    """Gives one answer after the other.

    Args:
        answers: Bodies, or the statuses of failures.
    """

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.client = httpx2.AsyncClient(transport=httpx2.MockTransport(self._handle))
        self._openai = AsyncOpenAI(api_key="none", http_client=self.client, max_retries=0)

    def responses(self) -> OpenAIResponsesModel:
        return OpenAIResponsesModel(model="gpt-5", openai_client=self._openai)

    def chat_completions(self) -> OpenAIChatCompletionsModel:
        return OpenAIChatCompletionsModel(model="gpt-5", openai_client=self._openai)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        found = self._answers.pop(0)
        if isinstance(found, int):
            return httpx2.Response(found, json={"error": {"message": "canary of the provider"}})
        if not json.loads(request.content).get("stream"):
            return httpx2.Response(200, json=found)
        event = {"type": "response.completed", "sequence_number": 0, "response": found}
        text = f"event: response.completed\ndata: {json.dumps(event)}\n\n"
        return httpx2.Response(200, text=text, headers={"content-type": "text/event-stream"})


class Spans(SpanProcessor):
    """What a real tracer provider exports."""

    def __init__(self, **options: Any) -> None:
        self.started = 0
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(**options)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.provider.add_span_processor(self)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.started += 1

    @property
    def finished(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def names(self) -> list[str]:
        return [span.name for span in self.finished]

    def one(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.finished if span.name == name]
        return found

    def under(self, name: str) -> list[str]:
        above = self.one(name).context
        assert above is not None
        return [span.name for span in self.finished if span.parent and span.parent.span_id == above.span_id]

    def events(self) -> list[tuple[str, Mapping[str, Any]]]:
        return [(span.name, dict(event.attributes or {})) for span in self.finished for event in span.events]

    def dump(self) -> str:
        return "".join(span.to_json() for span in self.finished)


class Watcher(TracingProcessor):
    """A processor of somebody else's."""

    def __init__(self) -> None:
        self.spans: list[AgentsSpan[Any]] = []

    def on_trace_start(self, trace: Trace) -> None: ...

    def on_trace_end(self, trace: Trace) -> None: ...

    def on_span_start(self, span: AgentsSpan[Any]) -> None: ...

    def on_span_end(self, span: AgentsSpan[Any]) -> None:
        self.spans.append(span)

    def shutdown(self) -> None: ...

    def force_flush(self) -> None: ...


async def run(agent: Agent[Any], text: str = "hello", **options: Any) -> None:
    """Stream a run to its end, as `respond` does."""
    async for _ in events(agent, text, **options):
        pass


async def events(agent: Agent[Any], text: str = "hello", **options: Any) -> AsyncIterator[object]:
    config = RunConfig(**options)
    async for event in Runner.run_streamed(agent, text, run_config=config).stream_events():
        yield event
