"""The Agents SDK's spans in OpenTelemetry: what happened, under the request, without a word of what was said."""

import asyncio
import gc
import json
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from agents import (
    Agent,
    FunctionTool,
    GuardrailFunctionOutput,
    InputGuardrail,
    InputGuardrailTripwireTriggered,
    ModelBehaviorError,
    OutputGuardrail,
    RunContextWrapper,
    Runner,
    UserError,
    default_tool_error_function,
    function_tool,
    handoff,
)
from agents.tool import ToolErrorFunction
from agents.tracing import (
    FunctionSpanData,
    GenerationSpanData,
    GuardrailSpanData,
    ResponseSpanData,
    SpanData,
    add_trace_processor,
    agent_span,
    custom_span,
    function_span,
    generation_span,
    get_trace_provider,
    response_span,
    set_trace_provider,
)
from agents.tracing import trace as sdk_trace
from agents.tracing.provider import DefaultTraceProvider
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import InternalServerError
from openai.types.responses import Response
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.trace import NoOpTracerProvider, Span, SpanKind, StatusCode

from chatkit_prod import RequestState
from chatkit_prod.tracing.agent_messages import content_of
from chatkit_prod.tracing.agent_spans import describe
from chatkit_prod.tracing.agents import AgentsBridge, tool_errors
from chatkit_prod.tracing.failures import Failures
from chatkit_prod.tracing.metrics import Metrics
from chatkit_prod.tracing.request import TracedRequest
from chatkit_prod.tracing.user import UserTag
from tests.layers import get
from tests.servers import bounded, forever
from tests.tracing.agents_fixtures import MODEL, Provider, Spans, Watcher, answer, calls, events, run, says

pytestmark = pytest.mark.anyio

CANARY = "canary-4711"


@pytest.fixture(autouse=True)
def sdk() -> Iterator[None]:
    """Give the SDK processors of this test's own, and then those back that it had."""
    before = get_trace_provider()
    set_trace_provider(DefaultTraceProvider())
    yield
    set_trace_provider(before)


@pytest.fixture
def spans() -> Spans:
    found = Spans()
    AgentsBridge(tracer_provider=found.provider, exclusive=True).install()
    return found


@pytest.fixture
def request_span(spans: Spans) -> Iterator[Span]:
    span = spans.provider.get_tracer("tests").start_span("request")
    token = otel_context.attach(trace.set_span_in_context(span))
    yield span
    otel_context.detach(token)


class TracedRun:
    """A request that runs agents."""

    def __init__(self, span: Span) -> None:
        _, state = RequestState.seed(get())
        self.request = TracedRequest(
            state,
            span,
            is_joined=False,
            metrics=Metrics.of(None),
            failures=Failures(),
            tag=UserTag("id", None),
            is_wanted=True,
        )

    def __enter__(self) -> TracedRequest:
        self._token = otel_context.attach(self.request.inside(Context()))
        return self.request

    def __exit__(self, *_: object) -> None:
        otel_context.detach(self._token)


def desk(provider: Provider, *tools: FunctionTool, **options: Any) -> Agent[Any]:
    return Agent(name="Help desk", model=provider.responses(), tools=list(tools), **options)


def failing(error: Exception, name: str = "fails", **options: Any) -> FunctionTool:
    async def fails() -> str:
        raise error

    return function_tool(fails, name_override=name, **options)


def fail() -> None:
    raise LookupError


@function_tool
async def look_up(number: str) -> str:
    """Look up an order."""
    return f"{number} was sent"


# ------------------------------------------------------------------------------------------------ what there is


async def test_a_run_is_a_tree_under_what_is_current(spans: Spans, request_span: Span) -> None:
    provider = Provider(answer(calls("look_up", '{"number": "1"}')), answer(says("It was sent.")))
    await run(desk(provider, look_up))
    chat = f"chat {MODEL}"
    assert spans.names() == [chat, "execute_tool look_up", chat, "invoke_agent Help desk"]
    assert spans.under("invoke_agent Help desk") == [chat, "execute_tool look_up", chat]
    agent = spans.one("invoke_agent Help desk")
    assert agent.parent == request_span.get_span_context()
    assert agent.kind is SpanKind.INTERNAL
    assert agent.attributes == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "Help desk",
    }
    tool = spans.one("execute_tool look_up")
    assert tool.kind is SpanKind.INTERNAL
    assert tool.attributes == {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look_up"}
    first, last = (span for span in spans.finished if span.name == chat)
    assert first.kind is SpanKind.CLIENT
    assert first.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": MODEL,
        "gen_ai.response.id": "resp_1",
        "gen_ai.response.finish_reasons": ("tool_call",),
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
    }
    assert (last.attributes or {})["gen_ai.response.finish_reasons"] == ("stop",)
    assert {span.status.status_code for span in spans.finished} == {StatusCode.UNSET}


async def test_a_run_outside_of_a_request_is_a_trace_of_its_own(spans: Spans) -> None:
    await Runner.run(desk(Provider(answer(says("Hello.")))), "hello")
    assert spans.one("invoke_agent Help desk").parent is None


async def test_what_is_current_stays_current(spans: Spans, request_span: Span) -> None:
    seen: list[Span] = []

    @function_tool
    async def look_around() -> str:
        seen.append(trace.get_current_span())
        return ""

    stream = events(desk(Provider(answer(calls("look_around")), answer(says("Hi."))), look_around))
    seen += [trace.get_current_span() async for _ in stream]
    assert len(seen) > 5
    assert set(seen) == {request_span}


async def test_parallel_tools_are_siblings(spans: Spans) -> None:
    meeting = asyncio.Barrier(2)

    @function_tool
    async def one() -> None:
        await meeting.wait()

    @function_tool
    async def two() -> None:
        await meeting.wait()

    with anyio.fail_after(10):
        await run(desk(Provider(answer(calls("one"), calls("two")), answer(says("Hi."))), one, two))
    assert {"execute_tool one", "execute_tool two"} <= set(spans.under("invoke_agent Help desk"))


async def test_an_agent_that_takes_over_stands_beside_the_first(spans: Spans, request_span: Span) -> None:
    provider = Provider(answer(calls("transfer_to_billing")), answer(says("Hi.")))
    billing = Agent(name="Billing", model=provider.responses())
    await run(desk(provider, handoffs=[handoff(billing, tool_name_override="transfer_to_billing")]))
    for name in ("Help desk", "Billing"):
        assert spans.one(f"invoke_agent {name}").parent == request_span.get_span_context()
        assert spans.under(f"invoke_agent {name}") == [f"chat {MODEL}"]


async def test_an_agent_as_a_tool_stands_under_that_tool(spans: Spans) -> None:
    provider = Provider(answer(calls("ask", '{"input": "?"}')), answer(says("42")), answer(says("42!")))
    oracle = Agent(name="Oracle", model=provider.responses()).as_tool("ask", "Ask.")
    await run(desk(provider, oracle))
    assert spans.under("execute_tool ask") == ["invoke_agent Oracle"]


async def test_spans_without_a_counterpart_pass_their_children_on(spans: Spans, request_span: Span) -> None:
    with sdk_trace("test"), custom_span("outer"), function_span("tool"), custom_span("inner") as inner:
        explicit = function_span("explicit", parent=inner)
        explicit.start()
        explicit.finish()
    assert spans.under("execute_tool tool") == ["execute_tool explicit"]
    assert spans.one("execute_tool tool").parent == request_span.get_span_context()


async def test_a_guardrail_says_whether_it_was_triggered(spans: Spans) -> None:
    def trip(*_: object) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info=CANARY, tripwire_triggered=True)

    def pass_on(*_: object) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info=CANARY, tripwire_triggered=False)

    agent = desk(
        Provider(answer(says("Hi."))),
        input_guardrails=[InputGuardrail(trip, name="no spam", run_in_parallel=False)],
        output_guardrails=[OutputGuardrail(pass_on, name="no lies")],
    )
    with pytest.raises(InputGuardrailTripwireTriggered):
        await run(agent)
    tripped = spans.one("guardrail no spam")
    assert tripped.attributes == {
        "chatkit.guardrail.name": "no spam",
        "chatkit.guardrail.triggered": True,
    }
    agent.input_guardrails.clear()
    await run(agent)
    assert (spans.one("guardrail no lies").attributes or {})["chatkit.guardrail.triggered"] is False


@pytest.mark.parametrize("is_streamed", [True, False], ids=["streamed", "at once"])
async def test_chat_completions_tell_the_model_that_was_asked_for(spans: Spans, is_streamed: bool) -> None:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi."}}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "x", "choices": [choice]}
    provider = Provider({**body, "usage": usage}) if not is_streamed else Provider(404)
    agent = Agent(name="Help desk", model=provider.chat_completions())
    if is_streamed:
        with pytest.raises(Exception, match=r"canary of the provider|404"):
            await run(agent)
    else:
        await Runner.run(agent, "hello")
    attributes = spans.one("chat gpt-5").attributes or {}
    assert attributes["gen_ai.request.model"] == "gpt-5"
    assert attributes["gen_ai.provider.name"] == "openai"
    assert attributes.get("gen_ai.usage.input_tokens") == (None if is_streamed else 3)
    assert attributes.get("error.type") == ("NotFoundError" if is_streamed else None)


async def test_without_sensitive_data_the_usage_stays_and_the_model_does_not(spans: Spans) -> None:
    await run(desk(Provider(answer(says("Hi.")))), trace_include_sensitive_data=False)
    attributes = spans.one("chat").attributes or {}
    assert attributes["gen_ai.usage.output_tokens"] == 7
    assert "gen_ai.response.model" not in attributes


async def test_tracing_that_is_disabled_gives_no_spans(spans: Spans) -> None:
    await run(desk(Provider(answer(says("Hi.")))), tracing_disabled=True)
    assert spans.finished == ()


# ------------------------------------------------------------------------------------------------ how they look


@pytest.mark.parametrize(
    ("status", "details", "reasons"),
    [
        ("completed", None, ["stop"]),
        ("incomplete", {"reason": "max_output_tokens"}, ["length"]),
        ("incomplete", {"reason": "content_filter"}, ["content_filter"]),
        ("incomplete", None, None),
        ("failed", None, ["error"]),
        ("cancelled", None, None),
    ],
)
def test_the_reason_to_stop_is_in_the_words_of_the_conventions(
    status: str, details: object, reasons: list[str] | None
) -> None:
    response = Response.model_validate(answer(says("Hi."), status=status, incomplete_details=details))
    found = describe(ResponseSpanData(response=response))
    assert found is not None
    assert found.attributes.get("gen_ai.response.finish_reasons") == reasons


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.openai.com/v1/", "openai"),
        ("https://my.openai.azure.com/openai", "azure.ai.openai"),
        ("https://api.openai.com.evil.example/", None),
        ("https://notapi.openai.com.example/", None),
        ("http://localhost:8000", None),
        ("", None),
        (None, None),
    ],
)
def test_the_provider_is_named_where_its_address_is_known(url: str | None, provider: str | None) -> None:
    found = describe(GenerationSpanData(model="m", model_config={"base_url": url}))
    assert found is not None
    assert found.attributes.get("gen_ai.provider.name") == provider


@given(st.one_of(st.text(max_size=200), st.integers(), st.none()))
def test_a_name_that_is_no_identifier_is_not_exported(name: Any) -> None:
    for data in (FunctionSpanData(name, None, None), GenerationSpanData(model=name)):
        found = describe(data)
        assert found is not None
        word, *rest = found.name.split(" ")
        assert word in {"execute_tool", "chat"}
        assert len(rest) <= 1
        assert not rest or (rest == [name] and name.isascii() and len(name) <= 128)


@pytest.mark.parametrize("name", ["", "x" * 129, "two\nlines", 7], ids=["empty", "long", "lines", "a number"])
def test_a_name_that_people_would_not_give_is_not_exported(name: Any) -> None:
    found = describe(GuardrailSpanData(name))
    assert found == ("guardrail", SpanKind.INTERNAL, {"chatkit.guardrail.triggered": False})


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": "7"}, {"input_tokens": -1}], ids=str)
def test_only_a_count_is_a_count(usage: Any) -> None:
    found = describe(GenerationSpanData(usage=usage))
    assert found is not None
    assert "gen_ai.usage.input_tokens" not in found.attributes


@pytest.mark.parametrize("behavior", ["raise_error", "return_error_to_model"])
@pytest.mark.parametrize(
    "call", [(CANARY, {}), (CANARY, {"namespace": "ns"}), ("look_up", {"namespace": CANARY})]
)
async def test_the_name_of_a_tool_that_a_model_has_made_up_is_in_no_span(
    spans: Spans, behavior: Any, call: tuple[str, dict[str, str]]
) -> None:
    name, options = call
    agent = desk(Provider(answer(calls(name, **options)), answer(says("Hi."))), look_up)
    try:
        await run(agent, tool_not_found_behavior=behavior)
    except ModelBehaviorError:
        assert (spans.one("invoke_agent Help desk").attributes or {})["error.type"] == "ModelBehaviorError"
    assert not [name for name in spans.names() if name.startswith("execute_tool")]
    assert CANARY not in spans.dump()


# ------------------------------------------------------------------------------------------------ failures


async def test_a_model_that_fails_marks_its_span_and_the_agents(spans: Spans, request_span: Span) -> None:
    with TracedRun(request_span) as request, pytest.raises(InternalServerError) as caught:
        await run(desk(Provider(500)))
    assert request.failure is caught.value
    for name in ("chat", "invoke_agent Help desk"):
        span = spans.one(name)
        assert span.status.status_code is StatusCode.ERROR
        assert (span.attributes or {})["error.type"] == "InternalServerError"
    ((where, event),) = spans.events()
    assert where == "chat"
    assert event["exception.type"] == "InternalServerError"
    assert set(event) == {"exception.type", "exception.stacktrace"}


async def test_an_exception_that_leaves_a_tool_is_recorded_once_and_by_its_own_name(
    spans: Spans, request_span: Span
) -> None:
    tool = failing(LookupError(CANARY), failure_error_function=None)
    with TracedRun(request_span) as request, pytest.raises(UserError) as caught:
        await run(desk(Provider(answer(calls("fails"))), tool))
    assert request.failure is caught.value
    assert (spans.one("execute_tool fails").attributes or {})["error.type"] == "LookupError"
    assert (spans.one("invoke_agent Help desk").attributes or {})["error.type"] == "UserError"
    ((where, event),) = spans.events()
    assert where == "execute_tool fails"
    assert event["exception.type"] == "LookupError"
    assert "in fails" in event["exception.stacktrace"]
    assert CANARY not in spans.dump()


async def test_without_a_request_the_exception_of_a_tool_is_known_too(spans: Spans) -> None:
    tool = failing(LookupError(CANARY), failure_error_function=None)
    with pytest.raises(UserError):
        await run(desk(Provider(answer(calls("fails"))), tool))
    assert (spans.one("execute_tool fails").attributes or {})["error.type"] == "LookupError"


async def answer_later(context: RunContextWrapper[Any], error: Exception) -> str:
    await asyncio.sleep(0)
    return type(error).__name__


THEN: list[ToolErrorFunction] = [default_tool_error_function, answer_later]


@pytest.mark.parametrize("then", THEN, ids=["sync", "async"])
@pytest.mark.parametrize("is_async", [True, False], ids=["async tool", "sync tool"])
async def test_the_hook_at_a_tool_notes_what_it_has_raised_and_passes_it_on(
    spans: Spans, request_span: Span, then: ToolErrorFunction, is_async: bool
) -> None:
    @function_tool(name_override="fails", failure_error_function=tool_errors(then))
    def sync_fails() -> str:
        raise LookupError(CANARY)

    tool = failing(LookupError(CANARY), failure_error_function=tool_errors(then))
    provider = Provider(answer(calls("fails")), answer(says("Sorry.")))
    with TracedRun(request_span) as request:
        await run(desk(provider, tool if is_async else sync_fails))
    assert isinstance(request.failure, LookupError)
    span = spans.one("execute_tool fails")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "LookupError"
    ((where, event),) = spans.events()
    assert (where, event["exception.type"]) == ("execute_tool fails", "LookupError")
    assert spans.one("invoke_agent Help desk").status.status_code is StatusCode.UNSET
    told = json.loads(provider.requests[1].content)["input"][-1]["output"]
    assert told in {"LookupError", default_tool_error_function(RunContextWrapper(None), LookupError())}


@bounded
async def test_the_hook_notes_a_timeout_too(spans: Spans) -> None:
    @function_tool(timeout=0.01, timeout_error_function=tool_errors())
    async def slow() -> None:
        await forever()

    await run(desk(Provider(answer(calls("slow")), answer(says("Sorry."))), slow))
    assert (spans.one("execute_tool slow").attributes or {})["error.type"] == "ToolTimeoutError"


async def test_without_the_hook_a_tool_that_failed_is_marked_and_nobody_knows_of_what(spans: Spans) -> None:
    await run(desk(Provider(answer(calls("fails")), answer(says("Sorry."))), failing(LookupError(CANARY))))
    span = spans.one("execute_tool fails")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "_OTHER"
    assert spans.events() == []


async def test_the_hook_answers_where_there_is_no_bridge() -> None:
    add_trace_processor(watcher := Watcher())
    tool = failing(LookupError(), failure_error_function=tool_errors(answer_later))
    for is_disabled in (False, True):
        provider = Provider(answer(calls("fails")), answer(says("Sorry.")))
        await run(desk(provider, tool), tracing_disabled=is_disabled)
        assert json.loads(provider.requests[1].content)["input"][-1]["output"] == "LookupError"
    assert watcher.spans


async def test_the_hook_answers_outside_of_a_run_and_of_the_spans_of_a_bridge(spans: Spans) -> None:
    note, context = tool_errors(), RunContextWrapper(None)
    expected = default_tool_error_function(context, LookupError())
    assert note(context, LookupError()) == expected
    with sdk_trace("test"), custom_span("not ours"):
        assert note(context, LookupError()) == expected
    with sdk_trace("test"), function_span("ours", disabled=True):
        assert note(context, LookupError()) == expected
    assert spans.finished == ()


async def test_an_exception_that_is_being_handled_around_a_run_is_not_blamed_for_it(spans: Spans) -> None:
    try:
        fail()
    except LookupError:
        await Runner.run(desk(Provider(answer(says("Hi.")))), "hello")
    assert {span.status.status_code for span in spans.finished} == {StatusCode.UNSET}


# ------------------------------------------------------------------------------------------------ content


def talkative() -> tuple[Agent[Any], Provider]:
    """An agent with canaries in everything that people, models and tools say."""
    provider = Provider(
        answer(
            calls("look_up", json.dumps({"number": CANARY})),
            calls("noted", "{}"),
            calls("lost", "{}"),
            instructions=CANARY,
        ),
        answer(calls("hand_over")),
        answer(says(CANARY), metadata={"x": CANARY}),
        500,
    )

    def info(*_: object) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info=CANARY, tripwire_triggered=False)

    second = Agent(
        name="Second",
        instructions=CANARY,
        model=provider.responses(),
        output_guardrails=[OutputGuardrail(info, name="out")],
    )
    first = desk(
        provider,
        look_up,
        failing(LookupError(CANARY), "noted", failure_error_function=tool_errors()),
        failing(LookupError(CANARY), "lost"),
        instructions=CANARY,
        handoffs=[handoff(second, tool_name_override="hand_over")],
        input_guardrails=[InputGuardrail(info, name="in")],
    )
    return first, provider


@pytest.mark.parametrize("is_sensitive", [True, False])
async def test_no_word_of_what_was_said_is_exported(spans: Spans, is_sensitive: bool) -> None:
    agent, _ = talkative()
    with spans.provider.get_tracer("tests").start_as_current_span("request") as span, TracedRun(span):
        await run(agent, CANARY, trace_include_sensitive_data=is_sensitive, trace_metadata={"x": CANARY})
        with pytest.raises(InternalServerError):
            await run(agent, CANARY)
        with sdk_trace("test"), generation_span(input=[{"content": CANARY}], output=[{"content": CANARY}]):
            custom = custom_span(CANARY, {"x": CANARY})
            custom.start()
            custom.finish()
    kinds = {name.split(" ")[0] for name in spans.names()}
    assert kinds == {"request", "invoke_agent", "chat", "execute_tool", "guardrail"}
    assert [event["exception.type"] for _, event in spans.events()] == ["LookupError", "InternalServerError"]
    assert CANARY not in spans.dump()


async def test_an_app_that_asks_for_it_gets_what_was_said() -> None:
    spans = Spans()
    AgentsBridge(tracer_provider=spans.provider, content=True).install()
    provider = Provider(answer(calls("look_up", '{"number": "1"}')), answer(says("It was sent.")))
    await run(desk(provider, look_up), "Where is it?")
    tool = spans.one("execute_tool look_up").attributes or {}
    assert tool["gen_ai.tool.call.arguments"] == '{"number": "1"}'
    assert tool["gen_ai.tool.call.result"] == "1 was sent"
    last = [span.attributes or {} for span in spans.finished if span.name.startswith("chat")][-1]
    call = {"type": "tool_call", "id": "call_look_up", "name": "look_up", "arguments": '{"number": "1"}'}
    result = {"type": "tool_call_response", "id": "call_look_up", "response": "1 was sent"}
    assert json.loads(str(last["gen_ai.input.messages"])) == [
        {"role": "user", "parts": [{"type": "text", "content": "Where is it?"}]},
        {"role": "assistant", "parts": [call]},
        {"role": "tool", "parts": [result]},
    ]
    assert json.loads(str(last["gen_ai.output.messages"])) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "It was sent."}]}
    ]


def test_messages_of_every_api_have_one_form() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    image = {"type": "image_url", "image_url": {"url": "https://images.example/1"}}
    reasoning = {"type": "reasoning", "id": "rs"}
    said: list[dict[str, Any]] = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Look."}, image]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "done"},
        reasoning,
    ]
    streamed = [answer(says("Hi."))]
    found = content_of(GenerationSpanData(input=said, output=streamed))
    assert json.loads(found["gen_ai.input.messages"]) == [
        {"role": "system", "parts": [{"type": "text", "content": "Be kind."}]},
        {"role": "user", "parts": [{"type": "text", "content": "Look."}, image]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": "{}"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "done"}]},
        {"role": "assistant", "parts": [reasoning]},
    ]
    assert json.loads(found["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Hi."}]}
    ]
    text = content_of(ResponseSpanData(input="Hello."))
    assert json.loads(text["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Hello."}]}
    ]
    assert content_of(GuardrailSpanData("in")) == {}


# ------------------------------------------------------------------------------------------------ processors


@pytest.mark.parametrize("exclusive", [True, False])
async def test_only_exclusively_the_other_processors_get_nothing(exclusive: bool) -> None:
    spans = Spans()
    add_trace_processor(watcher := Watcher())
    bridge = AgentsBridge(tracer_provider=spans.provider, exclusive=exclusive)
    bridge.install()
    await run(desk(Provider(answer(says("Hi.")))))
    assert len(spans.finished) == 2
    assert bool(watcher.spans) is not exclusive
    get_trace_provider().force_flush()
    get_trace_provider().shutdown()


async def test_a_bridge_that_is_installed_twice_makes_every_span_once(spans: Spans) -> None:
    bridge = AgentsBridge(tracer_provider=spans.provider, exclusive=True)
    bridge.install()
    add_trace_processor(bridge)
    await run(desk(Provider(answer(says("Hi.")))))
    assert len(spans.finished) == 2


async def test_without_an_sdk_of_open_telemetry_a_run_is_as_ever() -> None:
    AgentsBridge(tracer_provider=NoOpTracerProvider(), exclusive=True).install()
    tool = failing(LookupError(), failure_error_function=tool_errors())
    await run(desk(Provider(answer(calls("fails")), answer(says("Hi."))), tool))


async def test_under_a_parent_that_is_not_sampled_nothing_is_made() -> None:
    asked: list[str] = []

    class Sampler(ParentBased):
        def should_sample(
            self, parent_context: Any, trace_id: int, name: str, *rest: Any, **more: Any
        ) -> Any:
            asked.append(name)
            return super().should_sample(parent_context, trace_id, name, *rest, **more)

    spans = Spans(sampler=Sampler(ALWAYS_OFF))
    AgentsBridge(tracer_provider=spans.provider, exclusive=True).install()
    tool = failing(LookupError(), failure_error_function=tool_errors())
    with spans.provider.get_tracer("tests").start_as_current_span("request"):
        await run(desk(Provider(answer(calls("fails")), answer(says("Hi."))), tool))
    assert asked == ["request"]
    assert spans.finished == ()


async def test_a_sampled_caller_in_another_process_is_a_parent() -> None:
    spans = Spans(sampler=ParentBased(ALWAYS_OFF, remote_parent_sampled=ALWAYS_ON))
    AgentsBridge(tracer_provider=spans.provider, exclusive=True).install()
    caller = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(1))
    token = otel_context.attach(trace.set_span_in_context(trace.NonRecordingSpan(caller)))
    try:
        await run(desk(Provider(answer(says("Hi.")))))
    finally:
        otel_context.detach(token)
    assert spans.one("invoke_agent Help desk").parent == caller


# ------------------------------------------------------------------------------------------------ whatever happens


@bounded
@pytest.mark.parametrize("closes", [False, True], ids=["is cancelled", "closes the stream"])
async def test_a_run_whose_reader_went_away_ends_every_span_in_its_place(
    spans: Spans, request_span: Span, closes: bool
) -> None:
    started, may_end = asyncio.Event(), asyncio.Event()

    @function_tool
    async def slow() -> str:
        started.set()
        await may_end.wait()
        return ""

    result = Runner.run_streamed(desk(Provider(answer(calls("slow")), answer(says("Hi."))), slow), "hello")
    stream = cast("AsyncGenerator[object, None]", result.stream_events())

    async def read() -> None:
        await anext(stream)
        await started.wait()
        if closes:
            await stream.aclose()
        await forever()

    reader = asyncio.create_task(read())
    await started.wait()
    request_span.end()
    reader.cancel()
    may_end.set()
    assert result.run_loop_task is not None
    await asyncio.wait([reader, result.run_loop_task])
    assert spans.started == len(spans.finished)
    assert set(spans.under("invoke_agent Help desk")) == {f"chat {MODEL}", "execute_tool slow"}
    assert spans.one("invoke_agent Help desk").parent == request_span.get_span_context()
    assert {span.status.status_code for span in spans.finished} == {StatusCode.UNSET}


@bounded
async def test_a_run_that_is_cancelled_ends_every_span_without_blame(spans: Spans) -> None:
    started = asyncio.Event()

    @function_tool
    async def hangs() -> str:
        started.set()
        await asyncio.Event().wait()
        return ""

    result = Runner.run_streamed(desk(Provider(answer(calls("hangs"))), hangs), "hello")
    stream = result.stream_events()
    await anext(stream)
    await started.wait()
    result.cancel()
    async for _ in stream:
        pass
    assert result.run_loop_task is not None
    await asyncio.wait([result.run_loop_task])
    assert sorted(spans.names()) == [f"chat {MODEL}", "execute_tool hangs", "invoke_agent Help desk"]
    assert {span.status.status_code for span in spans.finished} == {StatusCode.UNSET}


async def test_a_child_that_starts_after_its_parent_has_ended_finds_it(spans: Spans) -> None:
    may_start = asyncio.Event()

    async def late() -> None:
        await may_start.wait()
        with function_span("late"):
            pass

    with sdk_trace("test"), agent_span("Help desk"):
        task = asyncio.create_task(late())
        await asyncio.sleep(0)
    may_start.set()
    await task
    assert spans.under("invoke_agent Help desk") == ["execute_tool late"]


async def test_spans_that_never_end_are_forgotten_with_the_sdks(spans: Spans) -> None:
    bridge = AgentsBridge(tracer_provider=spans.provider, exclusive=True)
    bridge.install()
    with sdk_trace("test"):
        for _ in range(1000):
            function_span("never").start()
            response_span().start()
    gc.collect()
    assert (len(bridge._places), len(bridge._by_id)) == (0, 0)
    try:
        fail()
    except LookupError:
        with sdk_trace("test"):
            function_span("never").start()
    gc.collect()
    assert len(bridge._places) == 0


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just(object())),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["role", "type", "content", "text", "object", "output", "tool_calls", "base_url"]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


DATA: st.SearchStrategy[SpanData] = st.one_of(
    st.builds(FunctionSpanData, ANYTHING, ANYTHING, ANYTHING),
    st.builds(GenerationSpanData, ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING),
    st.builds(ResponseSpanData, ANYTHING, ANYTHING, ANYTHING),
    st.builds(GuardrailSpanData, ANYTHING, ANYTHING),
)


@given(DATA, DATA)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_a_span_holds_it_ends_and_nothing_is_raised(before: SpanData, after: SpanData) -> None:
    spans = Spans()
    bridge = AgentsBridge(tracer_provider=spans.provider, content=True, exclusive=True)
    span: Any = Switching(before)
    bridge.on_span_start(span)
    started = len(bridge._places)
    span.span_data = after
    bridge.note_failure(span, LookupError())
    bridge.on_span_end(span)
    place = bridge._places.get(span)
    assert place is None or not place.is_open
    assert len(spans.finished) <= started


class Switching(SimpleNamespace):
    """A span of the SDK whose data may become something else."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, data: object) -> None:
        super().__init__(span_id="s", parent_id=None, span_data=data, error=None)


def note_failure(bridge: AgentsBridge, span: Any) -> None:
    bridge.note_failure(span, LookupError())


@pytest.mark.parametrize(
    "callback",
    [AgentsBridge.on_span_start, AgentsBridge.on_span_end, note_failure],
    ids=["start", "end", "failure"],
)
@pytest.mark.parametrize("span", [None, 7, {}, []], ids=str)
def test_what_is_no_span_is_reported_without_its_content(
    callback: Callable[[AgentsBridge, Any], None], span: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "chatkit_prod"):
        callback(AgentsBridge(tracer_provider=NoOpTracerProvider()), span)
    assert [record.name for record in caplog.records] == ["chatkit_prod"]
    assert "builtins." in caplog.text


def test_data_that_lost_their_kind_leave_the_span_as_it_was(spans: Spans) -> None:
    bridge = AgentsBridge(tracer_provider=spans.provider)
    span: Any = Switching(FunctionSpanData("tool", None, None))
    bridge.on_span_start(span)
    span.span_data = None
    bridge.on_span_end(span)
    assert spans.names() == ["execute_tool tool"]
