"""Whatever a request brings, in whichever field: no instruction ever contains it.

The real endpoint, ChatKit and Agents SDK; a text that wants to instruct the model in every field there is.
"""

import json
from typing import Any

import pytest
from agents import Agent
from pydantic import BaseModel

from chatkit_prod import RequestContext, RequestState
from chatkit_prod.testing import chatkit_request, user_message
from tests.prompts.desk import PROMPT, instructions_in
from tests.prompts.world import INSTRUCTION, ITEMS, MESSAGE, OPERATIONS, THREAD, World

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda found: found.__name__)
async def test_no_instruction_contains_anything_of_a_request_or_of_a_thread(
    operation: type[BaseModel],
) -> None:
    world = World()
    name: str = operation.model_fields["type"].default
    said = ""
    for body in world.walk(ITEMS.get(name, MESSAGE)).values(operation):
        await world.furnish()
        answer = await world.send(json.dumps(body).encode())
        assert answer.status == 200, answer.body
        assert not answer.headers["content-type"].startswith("text/event") or "error" not in {
            event["type"] for event in answer.events
        }
        said += "".join(json.dumps(call.input) for call in world.desk.model.calls)
    assert world.desk.model.calls
    for call in world.desk.model.calls:
        assert world.marks.found_in(instructions_in(call)) == []
        assert INSTRUCTION not in instructions_in(call)
        assert call.system_instructions == PROMPT.render(RequestContext(locale="de"))
    assert "accept-language" in world.marks.found_in(said), "the model was told, as a user's words"


def test_that_is_every_operation() -> None:
    assert len(OPERATIONS) == 16


# ------------------------------------------------------------------------------------------------ clumsy apps


async def test_an_answer_of_a_refused_stream_is_an_error_that_repeats_nothing() -> None:
    async def think(state: RequestState, brought: list[str]) -> None:
        await world.desk.ask("Hello", RequestContext.of(state), Agent(name="x", instructions=brought[0]))

    world = World(think)
    streamed = await world.send(chatkit_request("threads.create", input=user_message(INSTRUCTION)))
    assert [event["type"] for event in streamed.events] == ["error"]
    plain = await world.send(chatkit_request("threads.update", thread_id=THREAD, title=INSTRUCTION))
    assert (plain.status, plain.json()["code"]) == (500, "internal_error")
    assert INSTRUCTION.encode() not in streamed.body + plain.body


async def test_a_refusal_within_respond_ends_the_stream_with_an_error() -> None:
    async def think(state: RequestState, brought: list[str]) -> None: ...

    world = World(think)
    clumsy = Agent[Any](name="x", instructions=f"You like {INSTRUCTION}", model=world.desk.model)
    world.desk.agent = lambda instructions=None: clumsy  # type: ignore[method-assign]
    answer = await world.send(chatkit_request("threads.create", input=user_message(INSTRUCTION)))
    assert answer.events[-1] == {
        "type": "error",
        "code": "stream.error",
        "allow_retry": True,
    }
    assert world.desk.model.calls == ()
