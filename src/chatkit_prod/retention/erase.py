"""Erases what is kept of one user (GDPR Art. 17)."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

import anyio
from chatkit.store import AttachmentStore, Store
from chatkit.types import ThreadMetadata

from chatkit_prod.options import boolean
from chatkit_prod.owner import Owner, owner_of

from .audit import record
from .batches import DEFAULT_BATCH, DEFAULT_PAUSE, batch_size, each, pause_seconds
from .beneath import beneath
from .export import require_owner
from .failures import log_failure
from .hold import is_deleted, is_held, marked_deleted
from .removal import Removal
from .walk import ThreadWalk

TContext = TypeVar("TContext")

_MAX_IDS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseReport:
    """What has become of a user's threads; of a dry run, what would have.

    Args:
        deleted: Threads.
        attachments: Attachments that went with them.
        held: The ids of those under hold, the first 1,000: nobody is served them any more, and they go with
            the hold.
        failed: The ids of those that are still there because something raised, the first 1,000: the log says
            what. Erase once more.
        dry_run: Whether nothing was deleted.
    """

    deleted: int = 0
    attachments: int = 0
    held: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    dry_run: bool = False


async def erase_user(
    store: Store[TContext],
    owner: Owner,
    *,
    context: TContext,
    attachment_store: AttachmentStore[TContext] | None = None,
    batch: int = DEFAULT_BATCH,
    pause: float = DEFAULT_PAUSE,
    dry_run: bool = False,
) -> EraseReport:
    """Delete every thread of a user with its attachments, expired or not; one audit record for each.

    Whose a thread is, its stamp says. Killed at any moment, it is simply run again. What it cannot find: files
    that were never sent with a message, messages in other people's threads, and what the app keeps elsewhere.

    Args:
        store: The server's store, or any of its layers, as for `sweep`.
        owner: Whose threads.
        context: For the store. With one of a job, every thread of the store is read; with one of the user, those
            that a store lists for them.
        attachment_store: Where the bytes of attachments are. Without it a thread with attachments fails.
        batch: Threads of a page, at most 1,000.
        pause: Seconds between two batches.
        dry_run: Read and count, delete nothing.

    Raises:
        ConfigurationError: An argument is something else.
        RuntimeError: As for `sweep_batches`.
    """
    store, seconds = beneath(store), pause_seconds(pause)
    walk = ThreadWalk(store, context, batch_size(batch))
    erasure = _Erasure(
        store,
        require_owner(owner),
        Removal(store, attachment_store, context),
        context,
        dry_run=boolean(dry_run, "dry_run"),
    )
    while threads := await walk.next_page():
        for thread, is_gone in zip(threads, await each(threads, erasure.erase), strict=True):
            if not is_gone:
                walk.stays(thread.id)
        await anyio.sleep(seconds)
    return erasure.report


class _Erasure(Generic[TContext]):
    """What becomes of each thread.

    Attributes:
        report: What has become of those so far.
    """

    def __init__(
        self,
        store: Store[TContext],
        owner: Owner,
        removal: Removal[TContext],
        context: TContext,
        *,
        dry_run: bool,
    ) -> None:
        self.report = EraseReport(dry_run=dry_run)
        self._store = store
        self._owner = owner
        self._removal = removal
        self._context = context
        self._dry_run = dry_run

    async def erase(self, thread: ThreadMetadata) -> bool:
        """Delete a thread, if it is the user's; tell whether it is gone now."""
        if owner_of(thread) != self._owner:
            return False
        try:
            latest = await self._removal.latest(thread)
            if latest is None:
                return True
            if is_held(latest):
                await self._keep(latest)
                return False
            return await self._delete(latest)
        except Exception as error:  # noqa: BLE001 - a store may raise anything; the others go on
            log_failure(thread, error)
            failed = _with_id(self.report.failed, thread)
            self.report = replace(self.report, failed=failed)
            return False

    async def _keep(self, thread: ThreadMetadata) -> None:
        if not self._dry_run and not is_deleted(thread):
            await self._store.save_thread(marked_deleted(thread, datetime.now(UTC)), self._context)
            record("marked as deleted", thread, reason="erased under hold")
        self.report = replace(self.report, held=_with_id(self.report.held, thread))

    async def _delete(self, thread: ThreadMetadata) -> bool:
        attachments = await (
            self._removal.count(thread) if self._dry_run else self._removal.remove(thread, "erased")
        )
        self.report = replace(
            self.report,
            deleted=self.report.deleted + 1,
            attachments=self.report.attachments + attachments,
        )
        return not self._dry_run


def _with_id(ids: tuple[str, ...], thread: ThreadMetadata) -> tuple[str, ...]:
    return (*ids, thread.id)[:_MAX_IDS]
