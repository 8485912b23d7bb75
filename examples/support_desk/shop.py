"""Stands in for the systems of your company: orders and tickets, each of one user."""

import asyncio
import secrets
from typing import Literal

from chatkit_prod import Principal

OrderStatus = Literal["packed", "sent"]

_ORDERS: dict[str, dict[str, OrderStatus]] = {
    "alice": {"A-1001": "sent", "A-1002": "packed"},
    "bob": {"B-2001": "packed"},
}
_DOWN = "A-5000"
_SECONDS = 0.2


class ShopDownError(Exception):
    """The system with the orders does not answer."""


async def find_order(user: Principal, number: str) -> OrderStatus | None:
    """Return the status of an order; None if this user has no such order.

    Raises:
        ShopDownError: The system is down; for the order A-5000 it always is.
    """
    await asyncio.sleep(_SECONDS)
    if number == _DOWN:
        raise ShopDownError
    return _ORDERS.get(user.subject, {}).get(number)


async def open_ticket(user: Principal, summary: str) -> str:  # noqa: ARG001 - nobody reads the tickets here
    """Return the number of a new ticket of this user."""
    await asyncio.sleep(_SECONDS)
    return f"T-{secrets.randbelow(9000) + 1000}"
