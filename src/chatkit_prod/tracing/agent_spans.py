"""What a span of the Agents SDK is called and says in OpenTelemetry, by the GenAI conventions.

| of the SDK | here | kind |
|---|---|---|
| agent | `invoke_agent {agent}` | INTERNAL |
| response, generation | `chat {model}` | CLIENT |
| function | `execute_tool {tool}` | INTERNAL |
| guardrail | `guardrail {name}` | INTERNAL |

The others (task, turn, handoff, MCP lists, voice, an app's own) have none. No content is read here.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from agents.tracing import (
    AgentSpanData,
    FunctionSpanData,
    GenerationSpanData,
    GuardrailSpanData,
    ResponseSpanData,
)
from openai.types.responses import Response
from opentelemetry.trace import SpanKind

from .names import (
    AGENT_NAME,
    FINISH_REASONS,
    GEN_AI_OPERATION,
    GEN_AI_PROVIDER,
    GUARDRAIL_NAME,
    GUARDRAIL_TRIGGERED,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    REQUEST_MODEL,
    RESPONSE_ID,
    RESPONSE_MODEL,
    TOOL_NAME,
)

Value: TypeAlias = str | bool | int | list[str]
_Details: TypeAlias = dict[str, Value | None]

_MAX_NAME = 128
_IDENTIFIER = re.compile(rf"[A-Za-z0-9_.:/@+~-]{{1,{_MAX_NAME}}}")
_PROVIDERS = {"api.openai.com": "openai", "openai.azure.com": "azure.ai.openai"}
_REASONS: Mapping[str | None, str] = {"max_output_tokens": "length", "content_filter": "content_filter"}


class Description(NamedTuple):
    """How a span looks.

    Args:
        name: Of few values.
        kind: As the conventions have it.
        attributes: Those that are known by now.
    """

    name: str
    kind: SpanKind
    attributes: dict[str, Value]


def describe(data: object) -> Description | None:
    """Return how the data of a span of the SDK look in OpenTelemetry by now; None if they get no span.

    Args:
        data: As the SDK, and the models of the app, have filled them. A name is left out if it is longer than
            128 characters; that of a tool or a model, which a model may have made, also if it is no identifier.
    """
    match data:
        case AgentSpanData():
            agent = _name(data.name)
            return _operation("invoke_agent", agent, {AGENT_NAME: agent})
        case FunctionSpanData():
            tool = _identifier(data.name)
            return _operation("execute_tool", tool, {TOOL_NAME: tool})
        case GenerationSpanData():
            model = _identifier(data.model)
            provider = _provider(data.model_config)
            details = {REQUEST_MODEL: model, GEN_AI_PROVIDER: provider, **_usage(data.usage)}
            return _operation("chat", model, details, SpanKind.CLIENT)
        case ResponseSpanData():
            model = _identifier(getattr(data.response, "model", None))
            details = {RESPONSE_MODEL: model, GEN_AI_PROVIDER: "openai", **_usage(data.usage)}
            return _operation("chat", model, details | _response(data.response), SpanKind.CLIENT)
        case GuardrailSpanData():
            guardrail = _name(data.name)
            triggered = data.triggered is True
            return _description(
                "guardrail", guardrail, {GUARDRAIL_NAME: guardrail, GUARDRAIL_TRIGGERED: triggered}
            )
        case _:
            return None


def _operation(
    operation: str, subject: str | None, details: _Details, kind: SpanKind = SpanKind.INTERNAL
) -> Description:
    return _description(operation, subject, {GEN_AI_OPERATION: operation, **details}, kind)


def _description(
    word: str, subject: str | None, details: _Details, kind: SpanKind = SpanKind.INTERNAL
) -> Description:
    known = {name: value for name, value in details.items() if value is not None}
    return Description(word if subject is None else f"{word} {subject}", kind, known)


def _name(value: object) -> str | None:
    """Return a name that people have given."""
    if not isinstance(value, str) or not value.isprintable():
        return None
    return value if 0 < len(value) <= _MAX_NAME else None


def _identifier(value: object) -> str | None:
    """Return a name for programs."""
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else None


def _provider(config: Mapping[str, Any] | None) -> str | None:
    """Return whom the address of a model belongs to, if it is in no doubt."""
    host = urlsplit(str((config or {}).get("base_url"))).hostname or ""
    return next((name for known, name in _PROVIDERS.items() if f".{host}".endswith(f".{known}")), None)


def _usage(usage: Mapping[str, Any] | None) -> _Details:
    counts = usage or {}
    return {
        INPUT_TOKENS: _count(counts.get("input_tokens")),
        OUTPUT_TOKENS: _count(counts.get("output_tokens")),
    }


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _response(response: Response | None) -> _Details:
    if response is None:
        return {}
    reason = _finish_reason(response)
    return {RESPONSE_ID: _identifier(response.id), FINISH_REASONS: None if reason is None else [reason]}


def _finish_reason(response: Response) -> str | None:
    """Return why a model stopped, in the words of the conventions."""
    match response.status:
        case "completed":
            return "tool_call" if any(item.type == "function_call" for item in response.output) else "stop"
        case "incomplete":
            return _REASONS.get(getattr(response.incomplete_details, "reason", None))
        case "failed":
            return "error"
        case _:
            return None
