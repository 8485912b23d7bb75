"""The gate: nothing of the app runs before everything that a request names is checked.

operation → Need → may they do this at all? → may they do it to the thread, the items, the attachments?
                                         ↘ 403                                                      ↘ 404
"""

from typing import Generic, TypeVar

from chatkit.types import Attachment, ThreadMetadata

from chatkit_prod.errors import ForbiddenError
from chatkit_prod.operation import Operation

from .guard import Guard
from .items import OwnedItems
from .resources import NEEDS, Need
from .rows import OwnedRows
from .rules import bound_elsewhere

TContext = TypeVar("TContext")


class AccessGate(Generic[TContext]):
    """The gate of a guarded store.

    Args:
        guard: Asks the policy.
        threads: The threads of the store.
        items: Its items.
        attachments: Its attachments.
    """

    def __init__(
        self,
        guard: Guard[TContext],
        threads: OwnedRows[ThreadMetadata, TContext],
        items: OwnedItems[TContext],
        attachments: OwnedRows[Attachment, TContext],
    ) -> None:
        self._guard = guard
        self._threads = threads
        self._items = items
        self._attachments = attachments

    async def admit(self, operation: Operation, context: TContext, /) -> None:
        """Refuse an operation that the caller may not do, or that names what they may not reach.

        Raises:
            ForbiddenError: They may not do it to anything, or nobody knows what it does; recorded.
            NotFoundError: They may not do it to what it names, which may be absent, or an attachment of
                another thread; recorded.
            CustomStreamError: It is their turn in a thread that is locked or closed.
        """
        need = NEEDS.get(type(operation.request))
        if need is None:
            self._guard.record(self._guard.principal(context), operation.name, "unknown operation")
            raise ForbiddenError("unknown operation")
        await self._guard.admit(need.action, context)
        if operation.attachment_ids and need.attachments != need.action:
            await self._guard.admit(need.attachments, context)
        thread_id = operation.thread_id
        if thread_id is not None:
            known = await self._threads.require(thread_id, need.action, context, keep=need.reloads)
            for item_id in operation.item_ids:
                await self._items.require(thread_id, item_id, need.action, context, keep=need.reloads)
            if need.is_turn:
                self._guard.require_open(known.row, need.action, context)
        for attachment_id in operation.attachment_ids:
            await self._check_attachment(attachment_id, operation, need, context)

    async def _check_attachment(
        self, attachment_id: str, operation: Operation, need: Need, context: TContext
    ) -> None:
        action = need.attachments
        known = await self._attachments.require(attachment_id, action, context, keep=need.reloads)
        if action == "attachments:write" and bound_elsewhere(known.row, operation.thread_id):
            raise self._attachments.refusal(attachment_id, action, "bound to another thread", context)
