"""What the model may do: look up an order of the user, open a ticket for them.

A tool trusts the request context alone. Its arguments come from a model that has read what a user
wrote, so they are checked, and whose order it is never depends on them. What it says is in the user's
language: whole sentences, each a text of the catalogs in `locales`.
"""

import re

from agents import RunContextWrapper, function_tool
from chatkit.agents import AgentContext
from chatkit.types import ProgressUpdateEvent

from chatkit_prod import RequestContext
from chatkit_prod.locale import localized_error, ntranslate, translate
from chatkit_prod.tracing import tool_errors

from . import shop

DeskContext = AgentContext[RequestContext]

MAX_SUMMARY_CHARACTERS = 500

_ORDER_NUMBER = re.compile(r"[A-Z]-[0-9]{4}")


@function_tool(failure_error_function=None)  # an error is for the user, not for the model
async def look_up_order(run: RunContextWrapper[DeskContext], number: str) -> str:
    """Tell how far one of the user's orders is.

    Args:
        number: A capital letter, a hyphen and four digits, such as A-1001.
    """
    if not _ORDER_NUMBER.fullmatch(number):
        return translate(run, "An order number looks like A-1001.")
    await run.context.stream(
        ProgressUpdateEvent(icon="search", text=translate(run, "Looking up your order…"))
    )
    try:
        status = await shop.find_order(run.context.request_context.principal, number)
    except shop.ShopDownError:
        raise localized_error(
            "The shop does not answer. Try again in a few minutes.", allow_retry=True
        ) from None
    match status:
        case "packed":
            return translate(run, "Your order {number} is being packed.", number=number)
        case "sent":
            return translate(run, "Your order {number} is on its way.", number=number)
        case None:
            return translate(run, "You have no order {number}.", number=number)


@function_tool(failure_error_function=tool_errors())  # it is for the model, and its type for the trace
async def open_ticket(run: RunContextWrapper[DeskContext], summary: str) -> str:
    """Open a ticket with the people at the help desk.

    Args:
        summary: What is wrong, in a sentence.
    """
    summary = summary.strip()
    if not 0 < len(summary) <= MAX_SUMMARY_CHARACTERS:
        return ntranslate(
            run,
            "A ticket needs a summary of at most {n} character.",
            "A ticket needs a summary of at most {n} characters.",
            MAX_SUMMARY_CHARACTERS,
        )
    await run.context.stream(ProgressUpdateEvent(icon="write", text=translate(run, "Opening a ticket…")))
    number = await shop.open_ticket(run.context.request_context.principal, summary)
    return translate(run, "I have opened ticket {number} for you.", number=number)
