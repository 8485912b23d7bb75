# pyright: reportUnnecessaryTypeIgnoreComment=true
"""The types of prompts: a text that is no literal is an error for pyright, and so are handlers of other payloads.

mypy takes `LiteralString` for `str` (PEP 675 is not implemented in it): there, only the check at run time is left.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, assert_type

import pytest
from agents import Agent, RunConfig
from chatkit.types import ThreadMetadata, ThreadStreamEvent, WidgetItem
from pydantic import BaseModel

from chatkit_prod import ConfigurationError, RequestContext
from chatkit_prod.prompts import (
    ActionRouter,
    Prompt,
    SystemPrompt,
    TrustedChoice,
    TrustedSetting,
    guard_model_input,
    untrusted,
    user_locale,
)


def title() -> str:
    return "a title"


def test_a_template_and_its_values_are_literals_or_trusted() -> None:
    SystemPrompt(
        "You help {a}. " + "{b} {c}", a="x", b=TrustedSetting(title()), c=TrustedChoice({"k": "v"}, by=str)
    )
    SystemPrompt(title())  # pyright: ignore[reportArgumentType]
    SystemPrompt(f"You help with {title()}.")  # pyright: ignore[reportArgumentType]
    SystemPrompt("{a}", a=title())  # pyright: ignore[reportArgumentType]
    SystemPrompt("{a}", a=untrusted("x"))  # pyright: ignore[reportArgumentType]
    TrustedChoice({"k": title()}, by=str)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigurationError):
        SystemPrompt("{a}", a=1)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        SystemPrompt("{a}", a=None)  # type: ignore[arg-type]


def test_a_prompt_is_a_text_and_what_is_made_of_it_is_no_prompt() -> None:
    prompt = SystemPrompt("You help.").render()
    assert_type(prompt, Prompt)
    assert_type(prompt + "!", str)


def test_the_agents_sdk_takes_them() -> None:
    prompt = SystemPrompt("Answer in {locale}.", locale=TrustedChoice({"en": "English"}, by=user_locale))
    Agent[RequestContext](name="desk", instructions=prompt)
    Agent[RequestContext](name="desk", instructions=SystemPrompt("You help.").render())
    RunConfig(call_model_input_filter=guard_model_input)


class Cancel(BaseModel):
    order: int


class Other(BaseModel): ...


def test_a_handler_gets_what_its_model_says() -> None:
    router = ActionRouter[RequestContext]()

    @router.on("cancel", Cancel)
    async def cancel(
        thread: ThreadMetadata, payload: Cancel, sender: WidgetItem | None, context: RequestContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        assert_type(payload.order, int)
        for event in list[ThreadStreamEvent]():
            yield event

    @router.on("other", Other)  # type: ignore[arg-type]
    async def other(
        thread: ThreadMetadata, payload: Cancel, sender: WidgetItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        for event in list[ThreadStreamEvent]():
            yield event


if TYPE_CHECKING:
    assert_type(untrusted("x", source="tool"), str)
    untrusted("x", source="somewhere")  # type: ignore[arg-type]
