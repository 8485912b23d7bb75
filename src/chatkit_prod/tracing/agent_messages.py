"""What was said to a model and by it, in the form of the GenAI conventions. Only where an app asks for it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias, cast

from agents.tracing import FunctionSpanData, GenerationSpanData, ResponseSpanData
from pydantic import BaseModel

from .names import INPUT_MESSAGES, OUTPUT_MESSAGES, TOOL_ARGUMENTS, TOOL_RESULT

_Item: TypeAlias = Mapping[str, Any]


def content_of(data: object) -> dict[str, str]:
    """Return the content in the data of a span of the SDK, as attributes.

    Args:
        data: Holds nothing where the SDK was told `trace_include_sensitive_data=False`.
    """
    match data:
        case FunctionSpanData():
            return _written({TOOL_ARGUMENTS: data.input, TOOL_RESULT: data.output})
        case GenerationSpanData():
            return _written({INPUT_MESSAGES: _messages(data.input), OUTPUT_MESSAGES: _messages(data.output)})
        case ResponseSpanData():
            output = None if data.response is None else data.response.output
            return _written({INPUT_MESSAGES: _messages(data.input), OUTPUT_MESSAGES: _messages(output)})
        case _:
            return {}


def _written(values: Mapping[str, object]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        for name, value in values.items()
        if value is not None
    }


def _messages(said: str | Iterable[object] | None) -> list[_Item] | None:
    if said is None:
        return None
    items = [{"role": "user", "content": said}] if isinstance(said, str) else said
    return [_message(item) for item in _flat(items)]


def _flat(items: Iterable[object]) -> Iterator[_Item]:
    """Yield the items of the Responses API, or the messages of Chat Completions."""
    for item in items:
        found = item.model_dump(exclude_none=True) if isinstance(item, BaseModel) else cast("_Item", item)
        if found.get("object") == "response":  # the SDK hands over what was streamed as a whole
            yield from _flat(found["output"])
        else:
            yield found


def _message(item: _Item) -> _Item:
    match item:
        case {"type": "function_call"}:
            return {"role": "assistant", "parts": [_call(item.get("call_id"), item)]}
        case {"type": "function_call_output"}:
            return {"role": "tool", "parts": [_result(item.get("call_id"), item.get("output"))]}
        case {"role": "tool"}:
            return {"role": "tool", "parts": [_result(item.get("tool_call_id"), item.get("content"))]}
        case {"role": role}:
            calls = [_call(call.get("id"), call.get("function", {})) for call in item.get("tool_calls") or ()]
            return {"role": role, "parts": [*_parts(item.get("content")), *calls]}
        case _:
            return {"role": "assistant", "parts": [item]}


def _parts(content: object) -> list[_Item]:
    if not isinstance(content, list):
        return [] if content is None else [{"type": "text", "content": content}]
    parts = cast("list[_Item]", content)
    return [{"type": "text", "content": part["text"]} if "text" in part else part for part in parts]


def _call(call_id: object, function: _Item) -> _Item:
    name, arguments = function.get("name"), function.get("arguments")
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": arguments}


def _result(call_id: object, result: object) -> _Item:
    return {"type": "tool_call_response", "id": call_id, "response": result}
