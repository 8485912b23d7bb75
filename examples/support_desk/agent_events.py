"""The events of an agent's run, with an orderly end when nobody waits for them any more."""

import asyncio
from collections.abc import AsyncIterator

from agents import RunResultStreaming, UserError
from chatkit.agents import stream_agent_response  # pyright: ignore[reportUnknownVariableType] - a bare generic
from chatkit.errors import CustomStreamError
from chatkit.types import ThreadStreamEvent

from .tools import DeskContext

_ENDING_SECONDS = 1.0


async def agent_events(context: DeskContext, result: RunResultStreaming) -> AsyncIterator[ThreadStreamEvent]:
    """Yield the events of a run; when the stream is stopped, stop the model and the tools too.

    ChatKit's `stream_agent_response` leaves tasks behind when it is cancelled. So it gets a task of
    its own that is not: it ends by itself, because the run that it reads from ends.

    Args:
        context: The context of the run.
        result: The run.

    Raises:
        CustomStreamError: A tool raised it, and the SDK wrapped it up.
        Exception: What else the run raised.
    """
    queue: asyncio.Queue[ThreadStreamEvent | None] = asyncio.Queue()

    async def read() -> None:
        try:
            async for event in stream_agent_response(context, result):
                queue.put_nowait(event)
        except UserError as error:
            if isinstance(error.__cause__, CustomStreamError):
                raise error.__cause__ from None
            raise
        finally:
            queue.put_nowait(None)

    reader = asyncio.create_task(read())
    try:
        while (event := await queue.get()) is not None:
            yield event
        await reader
    finally:
        result.cancel()
        await asyncio.wait({reader}, timeout=_ENDING_SECONDS)
