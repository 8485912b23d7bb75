"""The Agents SDK tells what its models use, in streams as well."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseUsage,
)

from chatkit_prod.limits import LimitsMiddleware, Rules, TokenHooks
from tests.limits.apps import STREAM, Inside, ask

pytestmark = pytest.mark.anyio


def _message() -> ResponseOutputMessage:
    text = ResponseOutputText(annotations=[], text="Hello", type="output_text")
    return ResponseOutputMessage(
        id="msg_1", content=[text], role="assistant", status="completed", type="message"
    )


class LocalModel(Model):
    """Says hello, for 12 tokens."""

    async def get_response(self, *_: Any, **__: Any) -> ModelResponse:
        usage = Usage(requests=1, input_tokens=7, output_tokens=5, total_tokens=12)
        return ModelResponse(output=[_message()], usage=usage, response_id=None)

    async def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[ResponseCompletedEvent]:
        usage = ResponseUsage.model_validate(
            {
                "input_tokens": 7,
                "output_tokens": 5,
                "total_tokens": 12,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens_details": {"reasoning_tokens": 0},
            }
        )
        response = Response(
            id="resp_1",
            created_at=0,
            model="local",
            object="response",
            output=[_message()],
            parallel_tool_calls=False,
            tool_choice="auto",
            tools=[],
            usage=usage,
        )
        yield ResponseCompletedEvent(response=response, sequence_number=0, type="response.completed")


async def streamed() -> None:
    run = Runner.run_streamed(AGENT, "Hello", hooks=TokenHooks(), run_config=RunConfig(tracing_disabled=True))
    async for _ in run.stream_events():
        pass


async def plain() -> None:
    await Runner.run(AGENT, "Hello", hooks=TokenHooks(), run_config=RunConfig(tracing_disabled=True))


AGENT = Agent(name="Greeter", model=LocalModel())


@pytest.mark.parametrize("run", [streamed, plain])
async def test_a_run_is_charged_what_its_model_used(run: Any) -> None:
    app = LimitsMiddleware(Inside(run), rules=Rules(tokens="24/day"))
    remaining = [(await ask(app, STREAM)).headers["ratelimit"].split(";")[1] for _ in range(2)]
    assert remaining == ["r=24", "r=12"]
    assert not (await ask(app, STREAM)).passed
