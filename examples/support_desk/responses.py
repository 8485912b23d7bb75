"""The events of the Responses API, in the order in which a real model sends them."""

import asyncio
import itertools
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping

from agents.items import TResponseStreamEvent
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseCreatedEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseFunctionToolCall,
    ResponseOutputItem,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseTextDeltaEvent,
    ResponseTextDoneEvent,
)


class ResponseWriter:
    """Writes one response that consists of one message or one call of a function."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._response = Response(
            id=_new_id("resp"),
            created_at=time.time(),
            model="scripted",
            object="response",
            output=[],
            parallel_tool_calls=False,
            tool_choice="auto",
            tools=[],
        )

    async def message(self, text: str, *, pause: float) -> AsyncIterator[TResponseStreamEvent]:
        """Yield the events of a message, word by word.

        Args:
            text: The whole message.
            pause: Seconds between two words.
        """
        item_id = _new_id("msg")
        empty = ResponseOutputText(type="output_text", text="", annotations=[])
        full = empty.model_copy(update={"text": text})
        item = ResponseOutputMessage(
            id=item_id, type="message", role="assistant", status="in_progress", content=[]
        )
        for event in self._begin(item):
            yield event
        yield ResponseContentPartAddedEvent(
            type="response.content_part.added",
            sequence_number=next(self._numbers),
            item_id=item_id,
            output_index=0,
            content_index=0,
            part=empty,
        )
        for word in re.findall(r"\s*\S+", text):
            await asyncio.sleep(pause)
            yield ResponseTextDeltaEvent(
                type="response.output_text.delta",
                sequence_number=next(self._numbers),
                item_id=item_id,
                output_index=0,
                content_index=0,
                delta=word,
                logprobs=[],
            )
        yield ResponseTextDoneEvent(
            type="response.output_text.done",
            sequence_number=next(self._numbers),
            item_id=item_id,
            output_index=0,
            content_index=0,
            text=text,
            logprobs=[],
        )
        yield ResponseContentPartDoneEvent(
            type="response.content_part.done",
            sequence_number=next(self._numbers),
            item_id=item_id,
            output_index=0,
            content_index=0,
            part=full,
        )
        for event in self._end(item.model_copy(update={"status": "completed", "content": [full]})):
            yield event

    def call(self, function: str, arguments: Mapping[str, str]) -> Iterator[TResponseStreamEvent]:
        """Yield the events of a call.

        Args:
            function: The name of the tool.
            arguments: Its arguments.
        """
        item_id = _new_id("fc")
        written = json.dumps(arguments)
        item = ResponseFunctionToolCall(
            id=item_id,
            type="function_call",
            call_id=_new_id("call"),
            name=function,
            arguments="",
            status="in_progress",
        )
        yield from self._begin(item)
        yield ResponseFunctionCallArgumentsDeltaEvent(
            type="response.function_call_arguments.delta",
            sequence_number=next(self._numbers),
            item_id=item_id,
            output_index=0,
            delta=written,
        )
        yield ResponseFunctionCallArgumentsDoneEvent(
            type="response.function_call_arguments.done",
            sequence_number=next(self._numbers),
            item_id=item_id,
            output_index=0,
            arguments=written,
        )
        yield from self._end(item.model_copy(update={"status": "completed", "arguments": written}))

    def _begin(self, item: ResponseOutputItem) -> Iterator[TResponseStreamEvent]:
        yield ResponseCreatedEvent(
            type="response.created",
            sequence_number=next(self._numbers),
            response=self._response.model_copy(update={"status": "in_progress"}),
        )
        yield ResponseOutputItemAddedEvent(
            type="response.output_item.added",
            sequence_number=next(self._numbers),
            output_index=0,
            item=item,
        )

    def _end(self, item: ResponseOutputItem) -> Iterator[TResponseStreamEvent]:
        yield ResponseOutputItemDoneEvent(
            type="response.output_item.done",
            sequence_number=next(self._numbers),
            output_index=0,
            item=item,
        )
        yield ResponseCompletedEvent(
            type="response.completed",
            sequence_number=next(self._numbers),
            response=self._response.model_copy(update={"status": "completed", "output": [item]}),
        )


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(16)}"
