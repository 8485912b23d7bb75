"""The last look at what a model gets, as a `call_model_input_filter` of the Agents SDK.

agent, input, session → the app's own filter → PromptGuard ─┬→ the model
                                                            └→ UntrustedPromptError, an audit record
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import anyio.to_thread
from agents import Agent
from agents.run import CallModelData, CallModelInputFilter, ModelInputData
from chatkit.agents import AgentContext

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import named
from chatkit_prod.state import RequestState

from .audit import audit_refusal
from .errors import UntrustedPromptError
from .items import is_of_assistant, is_permitted, prompts_of, texts_in
from .overlap import repeats
from .system import Prompt
from .trusted import TrustedSetting

_RESERVED: Final = "chatkit_prod."


class PromptGuard:
    """Let a model be called only with instructions that a `SystemPrompt` has rendered.

        RunConfig(call_model_input_filter=guard_model_input)

    Refused is what may hold a user's words, whatever it holds this time:

    - instructions that are plain text, also those made of a `SystemPrompt` by `+` or an f-string;
    - items with the role `system` or `developer`, or an unknown one, wherever they come from: the input of the
      run, a session, a handoff, another filter;
    - a stored prompt of the agent (`prompt=`) that is made for the run, or has variables: nobody sees its text here.

    A setting made at start-up cannot hold what came with a request. Outside of an endpoint of this library, nobody
    knows when it was made: there, a setting is refused that repeats a passage of what users and tools have said, of
    the thread's title and metadata, or of what `arrived` returns. A passage is 6 words with 24 letters.

    Args:
        after: The app's own filter, whose result is guarded: the SDK takes only one.
        arrived: Returns more texts that came from outside, such as `Accept-Language` or the names of files, for a run
            outside of an endpoint. It gets what the run has as its context.

    Raises:
        ConfigurationError: An argument cannot be called.
    """

    def __init__(
        self,
        *,
        after: CallModelInputFilter | None = None,
        arrived: Callable[[Any], Iterable[str]] | None = None,
    ) -> None:
        for name, function in (("after", after), ("arrived", arrived)):
            if function is not None and not callable(function):
                raise ConfigurationError(f"{name} must be a function, not {named(function)}")
        self._after = after
        self._arrived = arrived

    async def __call__(self, data: CallModelData[Any]) -> ModelInputData:
        """Return the input of the model, as it is.

        Raises:
            UntrustedPromptError: It is refused; the model is not called.
            ConfigurationError: The app's own filter returned something else.
        """
        found = await self._filtered(data)
        try:
            prompts = _prompts(found, data.agent)
            settings = [setting for prompt in prompts for setting in prompt.settings]
            if settings and not RequestState.within_request():
                arrived = [*_said(found.input), *self._brought(data.context)]
                await anyio.to_thread.run_sync(_require_own, settings, arrived)
        except UntrustedPromptError as error:
            audit_refusal(error.reason)
            raise
        return found

    async def _filtered(self, data: CallModelData[Any]) -> ModelInputData:
        if self._after is None:
            return data.model_data
        returned = self._after(data)
        found: object = await returned if inspect.isawaitable(returned) else returned
        if not isinstance(found, ModelInputData):
            raise ConfigurationError(f"after must return ModelInputData, not {named(found)}")
        return found

    def _brought(self, context: Any) -> Iterable[str]:
        """Yield what came from outside and is not in the input."""
        if isinstance(context, AgentContext):
            thread = context.thread
            yield from texts_in(thread.title)
            for key, value in thread.metadata.items():
                if not key.startswith(_RESERVED):
                    yield from texts_in(value)
        if self._arrived is not None:
            yield from self._arrived(context)


def _prompts(found: ModelInputData, agent: Agent[Any]) -> list[Prompt]:
    """Return every rendered prompt of a model's input.

    Raises:
        UntrustedPromptError: There are instructions that are none.
    """
    stored = agent.prompt
    if stored is not None and (callable(stored) or stored.get("variables")):
        raise UntrustedPromptError(
            "stored prompt with variables", "take what differs from run to run into a SystemPrompt"
        )
    instructions = found.instructions
    if instructions and not isinstance(instructions, Prompt):
        raise UntrustedPromptError(
            "instructions of no SystemPrompt", "write instructions=SystemPrompt(...), and add nothing to it"
        )
    items: Iterable[object] = () if isinstance(found.input, str) else found.input
    prompts = [instructions] if isinstance(instructions, Prompt) else []
    for item in items:
        if not is_permitted(item):
            raise UntrustedPromptError(
                "system item of no SystemPrompt", "give what users and tools say the role of a user"
            )
        prompts += prompts_of(item) or []
    return prompts


def _said(spoken: str | Iterable[object]) -> Iterator[str]:
    """Yield what users and tools have said; an assistant may well repeat its instructions."""
    items = (spoken,) if isinstance(spoken, str) else spoken
    for item in items:
        if not is_of_assistant(item):
            yield from texts_in(item)


def _require_own(settings: Iterable[TrustedSetting], arrived: Sequence[str]) -> None:
    """Check that no setting repeats what came from outside.

    Raises:
        UntrustedPromptError: One does.
    """
    if any(repeats(setting.text, arrived) for setting in settings):
        raise UntrustedPromptError(
            "setting that repeats the input", "make a TrustedSetting at start-up, of the app's configuration"
        )


guard_model_input: Final = PromptGuard()
"""Guards runs whose app has no filter of its own."""
