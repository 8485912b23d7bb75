"""Every field, every way to instruct a model with it, and any text: too many runs for every day."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_prod import RequestContext, RequestState
from chatkit_prod.prompts import SystemPrompt, TrustedChoice, TrustedSetting, UntrustedPromptError
from chatkit_prod.testing import chatkit_request, user_message
from tests.prompts.desk import PROMPT, instructions_in
from tests.prompts.world import ITEMS, MESSAGE, OPERATIONS, World

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


TEMPLATE = SystemPrompt("You help.")

Instruct = Callable[[str], tuple[Any, Any]]
"""Returns instructions and input of a run, with a text of a user's in what speaks for the app."""

CLUMSY: dict[str, Instruct] = {
    "instructions": lambda text: (f"You help with {text}.", "Hello"),
    "instructions alone": lambda text: (text, "Hello"),
    "instructions in capitals": lambda text: (f"You help. {text.upper()}", "Hello"),
    "instructions cut": lambda text: (f"You help. {text[:20]}", "Hello"),
    "a prompt and more": lambda text: (TEMPLATE.render() + text, "Hello"),
    "a system item": lambda text: (TEMPLATE, [{"role": "system", "content": text}]),
    "a developer item": lambda text: (
        TEMPLATE,
        [{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": text}]}],
    ),
    "another case": lambda text: (TEMPLATE, [{"role": "System", "content": text}]),
    "a template of the request": lambda text: (SystemPrompt(cast("Any", text)), "Hello"),
    "a setting of the request": lambda text: (SystemPrompt("{it}", it=TrustedSetting(text)), "Hello"),
    "a choice of the request": lambda text: (
        SystemPrompt("{it}", it=TrustedChoice({"a": cast("Any", text)}, by=lambda _: "a")),
        "Hello",
    ),
}


@pytest.mark.parametrize("instruct", CLUMSY.values(), ids=CLUMSY)
async def test_an_app_that_instructs_with_any_field_is_refused_with_each_of_them(instruct: Instruct) -> None:
    tried: list[str] = []
    refused: list[str] = []

    async def think(state: RequestState, brought: list[str]) -> None:
        for text in filter(str.strip, brought):
            tried.append(text)
            try:
                instructions, spoken = instruct(text)
                await world.desk.ask(spoken, RequestContext.of(state), world.desk.agent(instructions))
            except (UntrustedPromptError, ValueError):
                refused.append(text)

    world = World(think)
    for operation in OPERATIONS:
        name: str = operation.model_fields["type"].default
        for body in world.walk(ITEMS.get(name, MESSAGE)).values(operation):
            before = len(world.desk.model.calls)
            await world.furnish()
            await world.send(json.dumps(body).encode())
            own = [
                call
                for call in world.desk.model.calls[before:]
                if "You are a helpful" not in instructions_in(call)
            ]
            assert own == []
    assert refused == tried
    fields = " ".join(world.marks.found_in(" ".join(tried)))
    for field in (
        "].text",
        "data",
        "quoted_text",
        "title",
        "name",
        "result",
        "payload",
        "accept-language",
    ):
        assert field in fields.lower(), field


@settings(max_examples=50)
@given(text=st.text(min_size=1, max_size=200).filter(lambda text: text.strip() and text.isprintable()))
async def test_any_text_of_a_message_stays_a_message(text: str) -> None:
    world = World()
    body = chatkit_request("threads.create", input=user_message(text, quoted_text=text))
    assert (await world.send(body)).status == 200
    assert world.desk.model.calls
    for call in world.desk.model.calls:
        assert call.system_instructions == PROMPT.render(RequestContext(locale="de"))
        assert all(item["role"] == "user" for item in call.input)
