"""All threads of a store, oldest first, while they are being deleted.

A page starts behind the last thread that stays: the cursor never is a row that this walk has deleted. If
somebody else deletes it, the walk goes on behind the one before.
"""

from collections import deque
from typing import Final, Generic, TypeVar

from chatkit.store import NotFoundError, Store
from chatkit.types import Page, ThreadMetadata

TContext = TypeVar("TContext")

_REMEMBERED: Final = 1000


class ThreadWalk(Generic[TContext]):
    """One walk; holds one page at a time.

    Args:
        store: Gives pages of threads by their time of creation, with their ids as cursors.
        context: For the store.
        batch: Threads of a page.
    """

    def __init__(self, store: Store[TContext], context: TContext, batch: int) -> None:
        self._store = store
        self._context = context
        self._batch = batch
        self._stayed: deque[str] = deque(maxlen=_REMEMBERED)
        self._is_all_remembered = True
        self._before: frozenset[str] = frozenset()
        self._is_over = False

    async def next_page(self) -> list[ThreadMetadata]:
        """Return the threads that come next; none at the end.

        Raises:
            RuntimeError: The store gives a thread again that it was told to delete, or too many of those
                threads were deleted meanwhile that stood before: walk again.
        """
        if self._is_over:
            return []
        page = await self._load()
        ids = frozenset(thread.id for thread in page.data)
        if ids & self._before:
            raise RuntimeError(
                "the store gives a thread again that was deleted, or that stands before its cursor: "
                "load_threads or delete_thread does not do what StoreContract asks"
            )
        self._before = ids
        self._is_over = not page.has_more
        return page.data

    def stays(self, thread_id: str) -> None:
        """Note that a thread of the last page is not deleted; to be told in the order of the page."""
        self._is_all_remembered &= len(self._stayed) < _REMEMBERED
        self._stayed.append(thread_id)

    async def _load(self) -> Page[ThreadMetadata]:
        while True:
            after = self._stayed[-1] if self._stayed else None
            try:
                return await self._store.load_threads(self._batch, after, "asc", self._context)
            except NotFoundError:
                if after is None:
                    raise
            self._stayed.pop()
            if not self._stayed and not self._is_all_remembered:
                raise RuntimeError("too many threads were deleted by somebody else: start again")
