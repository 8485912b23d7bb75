"""What the model may do: look up an order of the user, open a ticket for them.

A tool trusts the request context alone. Its arguments come from a model that has read what a user
wrote, so they are checked, and whose order it is never depends on them.
"""

import re

from agents import RunContextWrapper, function_tool
from chatkit.agents import AgentContext
from chatkit.types import ProgressUpdateEvent

from chatkit_prod import RequestContext

from . import shop
from .texts import TEXTS

DeskContext = AgentContext[RequestContext]

MAX_SUMMARY_CHARACTERS = 500

_ORDER_NUMBER = re.compile(r"[A-Z]-[0-9]{4}")


@function_tool
async def look_up_order(run: RunContextWrapper[DeskContext], number: str) -> str:
    """Tell how far one of the user's orders is.

    Args:
        number: A capital letter, a hyphen and four digits, such as A-1001.
    """
    context = run.context.request_context
    texts = TEXTS[context.locale]
    if not _ORDER_NUMBER.fullmatch(number):
        return texts.no_order_number
    await run.context.stream(ProgressUpdateEvent(icon="search", text=texts.looking_up))
    status = await shop.find_order(context.principal, number)
    if status is None:
        return texts.unknown_order.format(number=number)
    return texts.order.format(number=number, status=texts.statuses[status])


@function_tool
async def open_ticket(run: RunContextWrapper[DeskContext], summary: str) -> str:
    """Open a ticket with the people at the help desk.

    Args:
        summary: What is wrong, in a sentence.
    """
    context = run.context.request_context
    texts = TEXTS[context.locale]
    summary = summary.strip()
    if not 0 < len(summary) <= MAX_SUMMARY_CHARACTERS:
        return texts.no_summary.format(limit=MAX_SUMMARY_CHARACTERS)
    await run.context.stream(ProgressUpdateEvent(icon="write", text=texts.opening_ticket))
    return texts.ticket.format(number=await shop.open_ticket(context.principal, summary))
