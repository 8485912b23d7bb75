"""A store of which everybody reaches only what the policy gives them, whatever the inner store does.

    ChatKit, respond, tools → OwnershipStore → rows.py, items.py ┬→ the app's own store
                                                                 └→ guard.py → NotFoundError

It brings its gate: every endpoint of the store asks `gate.py` before its server runs.
"""

from functools import partial
from typing import Literal, TypeVar

from chatkit.store import Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata
from opentelemetry.metrics import MeterProvider

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import named
from chatkit_prod.store import DelegatingStore

from .cursor import SealedCursors
from .gate import AccessGate
from .guard import Guard, PrincipalOf, principal_of
from .items import OwnedItems
from .owner import Owner, unstamped
from .pages import MAX_ROWS, visible_page
from .policy import AccessPolicy, OwnerOnly
from .resources import Action
from .rows import OwnedRows, Owns
from .rules import bound_elsewhere

TContext = TypeVar("TContext")

_OWNER_ONLY = OwnerOnly()


class OwnershipStore(DelegatingStore[TContext]):
    """Stamps every thread and attachment with its owner, and asks a policy before each call.

    What is absent and what is somebody else's raise the same `NotFoundError`, after the same calls of
    the inner store. In a request, each thread and attachment is looked up once.

    Args:
        inner: The store that does the work. It must keep metadata; whose rows they are, it need not know.
        principal: Maps a context to who is asking. By default its `principal`, or where it has none, the
            principal of the request.
        policy: Decides who may do what.
        unowned: What becomes of rows without a stamp: nobody reaches them, or `owns` is asked.
        owns: Tells whether such a row belongs to a principal, who then owns it for good.
        cursor_key: Key of Fernet for the cursors inside of a long list in a store that filters nothing, the
            same in every process; without one, such a cursor is void in another process.
        meter_provider: Where the counter of refusals goes; the global provider if None.

    Attributes:
        guard: Asks the policy, `guard.policy`.

    Raises:
        ConfigurationError: The inner store is none, or guarded already; the policy or the key is none;
            `unowned` and `owns` do not go together.
    """

    def __init__(
        self,
        inner: Store[TContext],
        *,
        principal: PrincipalOf[TContext] = principal_of,
        policy: AccessPolicy = _OWNER_ONLY,
        unowned: Literal["deny", "adopt"] = "deny",
        owns: Owns[TContext] | None = None,
        cursor_key: bytes | str | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        super().__init__(inner)
        if not isinstance(inner, Store):
            raise ConfigurationError(f"inner must be a Store, not {named(inner)}")
        if guarded_store(inner) is not None:
            raise ConfigurationError(
                "inner is guarded already: a second guard would take the stamps of the first away"
            )
        if unowned not in ("deny", "adopt"):
            raise ConfigurationError(f'unowned must be "deny" or "adopt", not {unowned!r}')
        if (unowned == "adopt") is not callable(owns):
            raise ConfigurationError('unowned="adopt" and a function owns= go together')
        self.guard: Guard[TContext] = Guard(policy, principal, meter_provider)
        self._threads: OwnedRows[ThreadMetadata, TContext] = OwnedRows(
            "thread",
            self.guard,
            create="threads:create",
            write="threads:write",
            load=inner.load_thread,
            save=inner.save_thread,
            owns=owns,
        )
        self._attachments: OwnedRows[Attachment, TContext] = OwnedRows(
            "attachment",
            self.guard,
            create="attachments:create",
            write="attachments:write",
            load=inner.load_attachment,
            save=inner.save_attachment,
            owns=owns,
        )
        self._items = OwnedItems(inner, self._threads, self.guard)
        self._gate = AccessGate(self.guard, self._threads, self._items, self._attachments)
        self._cursors = SealedCursors(cursor_key)

    @property
    def gate(self) -> AccessGate[TContext]:
        """What every endpoint of this store asks before its server runs."""
        return self._gate

    async def require_thread(self, thread_id: str, action: Action, context: TContext) -> None:
        """Check that the caller may do something to a thread.

        Args:
            thread_id: The thread; untrusted.
            action: What is to be done.
            context: Of the caller.

        Raises:
            NotFoundError: It is absent, or they may not; recorded.
        """
        await self._threads.require(thread_id, action, context)

    async def require_item(self, thread_id: str, item_id: str, action: Action, context: TContext) -> None:
        """Check that the caller may do something to a thread, and that an item is in it.

        Args:
            thread_id: The thread; untrusted.
            item_id: The item; untrusted.
            action: What is to be done.
            context: Of the caller.

        Raises:
            NotFoundError: It is not, or they may not; recorded.
        """
        await self._items.require(thread_id, item_id, action, context)

    async def require_attachment(self, attachment_id: str, action: Action, context: TContext) -> None:
        """Check that the caller may do something to an attachment.

        Args:
            attachment_id: The attachment; untrusted.
            action: What is to be done.
            context: Of the caller.

        Raises:
            NotFoundError: It is absent, or they may not; recorded.
        """
        await self._attachments.require(attachment_id, action, context)

    async def load_thread(self, thread_id: str, context: TContext) -> ThreadMetadata:
        """Load a thread that the caller may read, without its stamp.

        Raises:
            NotFoundError: It is absent, or they may not; recorded.
        """
        return await self._threads.load(thread_id, "threads:read", context)

    async def save_thread(self, thread: ThreadMetadata, context: TContext) -> None:
        """Save a thread; its owner stays, and a new one is the caller's.

        Raises:
            NotFoundError: There is one with this id that they may not write to; recorded.
            ForbiddenError: There is none, and they may not create one; recorded.
        """
        await self._threads.save(thread, context)

    async def delete_thread(self, thread_id: str, context: TContext) -> None:
        """Delete a thread and its items.

        Raises:
            NotFoundError: It is absent, or the caller may not; recorded.
        """
        await self._threads.delete(thread_id, "threads:delete", self.inner.delete_thread, context)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: TContext
    ) -> Page[ThreadMetadata]:
        """Load a page of the threads that the caller may read; a full one, if there are so many.

        An inner store that filters nothing is read on for at most `MAX_INNER_PAGES` pages, and a page that
        is short because of that has a cursor to go on with. Its cursors must be the ids of threads.

        Raises:
            NotFoundError: The cursor is none of theirs, or void; recorded.
        """
        asker = Owner.of(self.guard.principal(context))
        start = None if after is None else self._cursors.open(after, asker)
        if after is not None and start is None:
            await self.require_thread(after, "threads:read", context)
            start = after
        page = await visible_page(
            lambda size, cursor: self.inner.load_threads(size, cursor, order, context),
            lambda thread: self._threads.reaches(thread, "threads:read", context),
            limit=limit,
            after=start,
            seal=partial(self._cursors.seal, owner=asker),
        )
        return Page(data=list(map(unstamped, page.data)), has_more=page.has_more, after=page.after)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: TContext
    ) -> Page[ThreadItem]:
        """Load a page of a thread that the caller may read. Its cursors must be the ids of items.

        Raises:
            NotFoundError: The thread or the cursor is absent, or they may not; recorded.
        """
        size = min(max(limit, 1), MAX_ROWS)
        return await self._items.page(thread_id, after, size, order, context)

    async def load_item(self, thread_id: str, item_id: str, context: TContext) -> ThreadItem:
        """Load an item of a thread that the caller may read.

        Raises:
            NotFoundError: It is not in the thread, or they may not; recorded.
        """
        return await self._items.load(thread_id, item_id, context)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Append an item to a thread that the caller may write to.

        Raises:
            NotFoundError: The item names another thread, or they may not; recorded.
            CustomStreamError: It is a user's message, and the thread is locked or closed.
        """
        await self._items.save(thread_id, item, self.inner.add_thread_item, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Insert or replace an item of a thread that the caller may write to.

        Raises:
            NotFoundError: The item names another thread, or they may not; recorded.
            CustomStreamError: It is a user's message, and the thread is locked or closed.
        """
        await self._items.save(thread_id, item, self.inner.save_item, context)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: TContext) -> None:
        """Delete an item of a thread that the caller may write to; nothing, where it is not in it.

        Raises:
            NotFoundError: The thread is absent, or they may not; recorded.
        """
        await self._items.delete(thread_id, item_id, context)

    async def load_attachment(self, attachment_id: str, context: TContext) -> Attachment:
        """Load an attachment that the caller may read, without its stamp.

        Raises:
            NotFoundError: It is absent, or they may not; recorded.
        """
        return await self._attachments.load(attachment_id, "attachments:read", context)

    async def save_attachment(self, attachment: Attachment, context: TContext) -> None:
        """Save an attachment; its owner and its thread stay, and a new one is the caller's.

        Raises:
            NotFoundError: There is one with this id that is bound to another thread, or that the caller may
                not change; or they may not write to the thread that it is to be bound to; recorded.
            ForbiddenError: There is none, and they may not create one; recorded.
        """
        if attachment.thread_id is not None:
            await self._threads.require(attachment.thread_id, "threads:write", context)

        def objection(old: Attachment) -> str | None:
            return "bound to another thread" if bound_elsewhere(old, attachment.thread_id) else None

        await self._attachments.save(attachment, context, objection=objection)

    async def delete_attachment(self, attachment_id: str, context: TContext) -> None:
        """Delete an attachment's metadata.

        Raises:
            NotFoundError: It is absent, or the caller may not; recorded.
        """
        delete = self.inner.delete_attachment
        await self._attachments.delete(attachment_id, "attachments:delete", delete, context)

    def let_claim_attachment(self, attachment: Attachment) -> None:
        """Let this request save an attachment as new that the app's attachment store has just made for it.

        That may have stored it as well, past the guard and so without a stamp, as in ChatKit's guide.
        """
        self._attachments.let_claim(attachment)


def guarded_store(store: Store[TContext]) -> OwnershipStore[TContext] | None:
    """Return the `OwnershipStore` that a store is, or that its wrappers hold."""
    while not isinstance(store, OwnershipStore):
        if not isinstance(store, DelegatingStore):
            return None
        store = store.inner
    return store
