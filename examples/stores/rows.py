"""What the stores have in common: rows to ChatKit's types and back, and whose they are."""

from collections.abc import Mapping, Sequence
from typing import LiteralString, TypeVar

from chatkit.store import NotFoundError
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata
from pydantic import TypeAdapter

from chatkit_prod import RequestContext
from chatkit_prod.access import OWNER_KEY, Owner, SystemPrincipal

THREAD = TypeAdapter(ThreadMetadata)
ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)
ATTACHMENT: TypeAdapter[Attachment] = TypeAdapter(Attachment)

ORDERS: Mapping[str, tuple[LiteralString, LiteralString]] = {"asc": (">", "ASC"), "desc": ("<", "DESC")}
"""How what comes later on a page compares with what comes earlier, and the order that SQL calls it."""

T = TypeVar("T")
TStored = TypeVar("TStored", ThreadMetadata, ThreadItem)


def stamp(row: ThreadMetadata | Attachment) -> str | None:
    """Return whose a row is; None where `OwnershipStore` has not stamped it."""
    return (row.metadata or {}).get(OWNER_KEY)


def listed_owner(context: RequestContext) -> str | None:
    """Return whose threads are listed; None for a job: it goes through everybody's."""
    principal = context.principal
    return None if isinstance(principal, SystemPrincipal) else str(Owner.of(principal))


def only(rows: Sequence[T]) -> T:
    """Return the one row that was asked for.

    Raises:
        NotFoundError: There is none.
    """
    if not rows:
        raise NotFoundError
    return rows[0]


def page(rows: list[TStored], limit: int) -> Page[TStored]:
    """Make a page of at most `limit` rows; one row more says that there is another page."""
    data, has_more = rows[:limit], len(rows) > limit
    return Page(data=data, has_more=has_more, after=data[-1].id if has_more and data else None)
