"""System prompts that only take trusted configuration.

template, settings → SystemPrompt ─┬→ Agent(instructions=…)
                     choices, run ─┘→ Prompt, which the guard knows
"""

from collections.abc import Iterator
from string import Formatter
from typing import Any, Final, LiteralString, Self

from agents import Agent, RunContextWrapper
from agents.items import TResponseInputItem

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import is_text, named

from .trusted import TrustedChoice, TrustedSetting, as_setting, require_start_up

_MAKER: Final = object()


class Prompt(str):
    """What a `SystemPrompt` has rendered: text for a model, of which every part is trusted.

    Whatever is made of it, by `+`, an f-string, `replace` or pickle, is plain text again, which the guard refuses.

    Attributes:
        settings: The parts of it that are no literals of its template.
    """

    __slots__ = ("settings",)
    settings: tuple[TrustedSetting, ...]

    def __new__(cls, text: str, settings: tuple[TrustedSetting, ...] = (), *, maker: object = None) -> Self:
        """Make one; only `SystemPrompt` can.

        Raises:
            ConfigurationError: Somebody else tries.
        """
        if maker is not _MAKER:
            raise ConfigurationError("a Prompt is what SystemPrompt renders: write SystemPrompt(template)")
        prompt = super().__new__(cls, text)
        prompt.settings = settings
        return prompt

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """Become plain text: where it is read again, nobody knows who has written it meanwhile."""
        return str, (str.__str__(self),)

    def __reduce_ex__(self, protocol: Any) -> tuple[type[str], tuple[str]]:
        return self.__reduce__()


class SystemPrompt:
    """Instructions for a model, in which no user can have a word (OWASP LLM01:2025, segregate untrusted content).

    It is made once, at start-up, and given to an agent as it is:

        PROMPT = SystemPrompt("You are the help desk of {company}.", company=TrustedSetting(settings.company))
        agent = Agent(name="desk", instructions=PROMPT)

    Type checkers that know `LiteralString` (PEP 675) refuse a template that is not a literal; at run time, one
    that is made while a request is answered is refused.

    Args:
        template: The text, with names in braces where values stand; braces themselves are doubled.
        values: What stands there, by name: literals, settings, or choices, which are made for each run.

    Raises:
        ConfigurationError: The template is empty, is made within a request, or has more in its braces than a name;
            a name lacks a value, or a value is of no name.
    """

    def __init__(
        self, template: LiteralString, /, **values: LiteralString | TrustedSetting | TrustedChoice
    ) -> None:
        require_start_up("a SystemPrompt")
        if not is_text(template):
            raise ConfigurationError(f"the template must be a text, and not empty: not {named(template)}")
        self._parts = tuple(_parts(template))
        names = {name for _, name in self._parts if name is not None}
        if names != values.keys():
            raise ConfigurationError(
                "the names in braces and the values must be the same, "
                f"not also {', '.join(sorted(names ^ values.keys()))}"
            )
        self._values = {
            name: value if isinstance(value, TrustedChoice) else as_setting(value)
            for name, value in values.items()
        }

    def __call__(self, context: RunContextWrapper[Any], agent: Agent[Any]) -> Prompt:  # noqa: ARG002 - as the SDK calls it
        """Render the instructions of an agent for a run."""
        return self.render(context.context)

    def render(self, context: Any = None) -> Prompt:
        """Return the text for a run.

        Args:
            context: What the run has as its context; only choices look at it.

        Raises:
            ConfigurationError: A choice has no text for this run.
        """
        chosen = {
            name: value.of(context) if isinstance(value, TrustedChoice) else value
            for name, value in self._values.items()
        }
        text = "".join(
            literal + (chosen[name].text if name is not None else "") for literal, name in self._parts
        )
        return Prompt(text, tuple(chosen.values()), maker=_MAKER)

    def item(self, context: Any = None) -> TResponseInputItem:
        """Return the text as a system message, for the input of a run.

        A session that stores it gives back plain text, which the guard refuses: prefer `instructions=`.
        """
        return {"type": "message", "role": "system", "content": self.render(context)}


def _parts(template: str) -> Iterator[tuple[str, str | None]]:
    """Yield the literals of a template, each with the name that follows it.

    Raises:
        ConfigurationError: A brace is alone, or holds more than a name.
    """
    try:
        parsed = list(Formatter().parse(template))
    except ValueError:
        raise ConfigurationError(
            "a brace of the template is not closed: double those that are text"
        ) from None
    for literal, name, specification, conversion in parsed:
        if name is not None and (not name.isidentifier() or specification or conversion):
            raise ConfigurationError(
                "braces of a template hold a name and nothing else: double those that are text"
            )
        yield literal, name
