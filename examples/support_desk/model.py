"""A model without a network: the same question always gets the same answer.

history → the next step: a call of a tool, or words → the events of the Responses API
"""

import os
import re
from collections.abc import AsyncIterator
from typing import Any, cast

from agents import Model, ModelResponse, ModelSettings, ModelTracing, TResponseInputItem, Usage
from agents.agent_output import AgentOutputSchemaBase
from agents.handoffs import Handoff
from agents.items import TResponseStreamEvent
from agents.tool import Tool
from agents.tracing import generation_span
from openai.types.responses import ResponseCompletedEvent
from openai.types.responses.response_prompt_param import ResponsePromptParam

from chatkit_prod.locale import language_instruction

from .lines import LINES, Lines
from .responses import ResponseWriter

_ORDER = re.compile(r"\b[A-Za-z]-[0-9]{4}\b")
_TICKET = re.compile(r"ticket|broken|cassé|kaputt", re.IGNORECASE)
_EVERYTHING = re.compile(r"everything|tout|alles", re.IGNORECASE)
_STEPS = 12


def choose_model() -> Model | None:
    """Return None, for the default of the Agents SDK, when there is a key for it."""
    return None if os.environ.get("OPENAI_API_KEY") else ScriptedModel()


class ScriptedModel(Model):
    """Understands three questions: for an order, for a ticket, and for everything.

    Args:
        pause: Seconds between two words, so that a long answer can be stopped half-way.
    """

    def __init__(self, *, pause: float = 0.03) -> None:
        self._pause = pause

    async def stream_response(  # noqa: PLR0917 - as the SDK declares it
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],  # noqa: A002
        model_settings: ModelSettings,  # noqa: ARG002
        tools: list[Tool],  # noqa: ARG002
        output_schema: AgentOutputSchemaBase | None,  # noqa: ARG002
        handoffs: list[Handoff],  # noqa: ARG002
        tracing: ModelTracing,  # noqa: ARG002
        *,
        previous_response_id: str | None,  # noqa: ARG002
        conversation_id: str | None,  # noqa: ARG002
        prompt: ResponsePromptParam | None,  # noqa: ARG002
    ) -> AsyncIterator[TResponseStreamEvent]:
        """Yield the events of the next step, inside of the span that a model of the SDK would have."""
        with generation_span(model="scripted"):
            async for event in self._step(system_instructions or "", _as_dicts(input)):
                yield event

    async def _step(
        self, instructions: str, history: list[dict[str, Any]]
    ) -> AsyncIterator[TResponseStreamEvent]:
        lines = _lines(instructions)
        question = _text(history[-1])
        writer = ResponseWriter()
        if history[-1].get("type") == "function_call_output":
            words = f"{history[-1]['output']} {lines.more}"
        elif order := _ORDER.search(question):
            for event in writer.call("look_up_order", {"number": order[0].upper()}):
                yield event
            return
        elif _TICKET.search(question):
            for event in writer.call("open_ticket", {"summary": question}):
                yield event
            return
        elif _EVERYTHING.search(question):
            words = "".join(lines.everything.format(step=step) for step in range(1, _STEPS + 1))
        else:
            known = any(item.get("role") == "assistant" for item in history)
            words = f"{lines.again if known else lines.greeting} {lines.offer}"
        async for event in writer.message(words, pause=self._pause):
            yield event

    async def get_response(self, *args: Any, **options: Any) -> ModelResponse:
        """Return the next step when it is complete."""
        async for event in self.stream_response(*args, **options):
            if isinstance(event, ResponseCompletedEvent):
                return ModelResponse(
                    output=event.response.output, usage=Usage(), response_id=event.response.id
                )
        raise RuntimeError


def _as_dicts(items: str | list[TResponseInputItem]) -> list[dict[str, Any]]:
    if isinstance(items, str):
        return [{"role": "user", "content": items}]
    return cast("list[dict[str, Any]]", items)


def _text(item: dict[str, Any]) -> str:
    content = item.get("content", "")
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def _lines(instructions: str) -> Lines:
    """Return the lines in the language that the instructions ask for."""
    return next(lines for locale, lines in LINES.items() if language_instruction(locale) in instructions)
