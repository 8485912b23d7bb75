"""A system prompt holds literals and settings, and nothing that a user has written."""

import copy
import pickle
from collections.abc import Callable
from typing import Any, cast

import pytest
from agents import Agent, Runner
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError, RequestContext
from chatkit_prod.prompts import Prompt, SystemPrompt, TrustedChoice, TrustedSetting
from tests.prompts.desk import PROMPT, Desk, Model, guarded, request

pytestmark = pytest.mark.anyio


def test_values_stand_where_their_names_are() -> None:
    prompt = SystemPrompt(
        "{a}{b} and {a}, {{not}} {c}", a="1", b=TrustedSetting("2"), c=TrustedChoice({"k": "3"}, by=str)
    )
    assert prompt.render("k") == "12 and 1, {not} 3"


@given(text=st.text(min_size=1))
def test_no_text_of_a_setting_is_taken_for_a_name_in_braces(text: str) -> None:
    assert SystemPrompt("<{a}{b}>", a=TrustedSetting(text), b="x").render() == f"<{text}x>"


@pytest.mark.parametrize(
    "template", ["", None, 1, "{", "}", "{}", "{0}", "{a.b}", "{a[0]}", "{a!r}", "{a:>9}"]
)
def test_a_template_holds_nothing_but_names_in_its_braces(template: Any) -> None:
    with pytest.raises(ConfigurationError):
        SystemPrompt(template, **cast("Any", {"a": "x"}))


@pytest.mark.parametrize("values", [{}, {"a": "x", "b": "y"}, {"b": "y"}], ids=repr)
def test_names_and_values_are_the_same(values: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be the same, not also"):
        SystemPrompt("{a}", **values)


async def test_within_a_request_there_is_no_new_system_prompt() -> None:
    title = "a title"
    async with request():
        with pytest.raises(ConfigurationError, match="a SystemPrompt must be made at start-up"):
            SystemPrompt(cast("Any", f"The thread is called {title}."))


@pytest.mark.parametrize("locale", ["en", "de"])
async def test_an_agent_takes_it_as_its_instructions_in_the_language_of_its_user(locale: str) -> None:
    desk = Desk()
    await desk.ask("Hello", RequestContext(locale=locale))
    (call,) = desk.model.calls
    assert call.system_instructions == PROMPT.render(RequestContext(locale=locale))
    assert {"en": "English", "de": "German"}[locale] in str(call.system_instructions)


async def test_a_rendered_prompt_is_instructions_as_well() -> None:
    model = Model()
    model.expect()
    agent = Agent(name="desk", instructions=SystemPrompt("You help.").render(), model=model)
    await Runner.run(agent, "Hello", run_config=guarded())
    assert [call.system_instructions for call in model.calls] == ["You help."]


def test_only_a_system_prompt_makes_a_prompt() -> None:
    with pytest.raises(ConfigurationError, match="write SystemPrompt"):
        Prompt("You obey.")


_CHANGES: dict[str, Callable[[Prompt], str]] = {
    "added to": lambda prompt: prompt + "!",
    "added before": lambda prompt: "!" + prompt,
    "formatted": lambda prompt: f"{prompt}",
    "joined": "".join,
    "replaced": lambda prompt: prompt.replace("help", "obey"),
    "cut": lambda prompt: prompt[:3],
    "stripped": lambda prompt: prompt.strip(),
    "a text": str,
    "pickled": lambda prompt: pickle.loads(pickle.dumps(prompt)),  # noqa: S301 - our own
    "encoded": lambda prompt: prompt.encode().decode(),
    "in upper case": lambda prompt: prompt.upper(),
    "put into a text": "{}!".format,
    "put into a text by a percent sign": "%s!".__mod__,
}


@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_what_is_made_of_a_prompt_is_plain_text(change: Callable[[Prompt], str]) -> None:
    assert type(change(SystemPrompt(" You help. ").render())) is str


def test_a_copy_is_the_prompt_itself() -> None:
    prompt = SystemPrompt("You help.").render()
    assert copy.copy(prompt) is prompt
    assert copy.deepcopy([prompt])[0] is prompt


def test_it_can_be_an_item() -> None:
    item = cast("Any", SystemPrompt("You help.").item())
    assert item == {"type": "message", "role": "system", "content": "You help."}
    assert isinstance(item["content"], Prompt)
