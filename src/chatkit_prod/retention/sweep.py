"""Deletes what expired, a batch at a time.

    threads, oldest first → verdict → the thread again, now → attachments → audit record → the thread

It keeps no state: killed at any moment, it is simply run again.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Generic, Literal, TypeVar

import anyio
from chatkit.store import AttachmentStore, Store
from chatkit.types import ThreadMetadata

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import boolean, named

from .batches import DEFAULT_BATCH, DEFAULT_PAUSE, batch_size, each, pause_seconds
from .beneath import beneath
from .clock import Clock, utc_now
from .failures import log_failure
from .policy import RetentionPolicy, instant
from .removal import Removal
from .verdict import verdict
from .walk import ThreadWalk

TContext = TypeVar("TContext")

_SLACK: Final = timedelta(days=2)
"""By how much the order of a store may differ from the times of its threads: local times have no zone."""

_Fate = Literal["deleted", "held", "failed", "kept", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What a sweep has done so far; for a dry run, what it would have done.

    Args:
        deleted: Threads.
        attachments: Attachments that went with them.
        held: Threads under hold, of those that were looked at.
        failed: Threads that expired and are still there, or of which nobody can tell, because something raised:
            the log says what. The next sweep tries again.
        kept: Threads that have not expired, of those that were looked at.
        dry_run: Whether nothing was deleted.
    """

    deleted: int = 0
    attachments: int = 0
    held: int = 0
    failed: int = 0
    kept: int = 0
    dry_run: bool = False


async def sweep(
    store: Store[TContext],
    *,
    policy: RetentionPolicy,
    context: TContext,
    attachment_store: AttachmentStore[TContext] | None = None,
    batch: int = DEFAULT_BATCH,
    pause: float = DEFAULT_PAUSE,
    dry_run: bool = False,
    clock: Clock = utc_now,
) -> SweepReport:
    """Delete what expired, and return how much that was. Takes what `sweep_batches` takes."""
    report = SweepReport()
    batches = sweep_batches(
        store,
        policy=policy,
        context=context,
        attachment_store=attachment_store,
        batch=batch,
        pause=pause,
        dry_run=dry_run,
        clock=clock,
    )
    async with aclosing(batches):
        async for so_far in batches:
            report = so_far
    return report


async def sweep_batches(
    store: Store[TContext],
    *,
    policy: RetentionPolicy,
    context: TContext,
    attachment_store: AttachmentStore[TContext] | None = None,
    batch: int = DEFAULT_BATCH,
    pause: float = DEFAULT_PAUSE,
    dry_run: bool = False,
    clock: Clock = utc_now,
) -> AsyncGenerator[SweepReport]:
    """Delete what expired, and yield the report so far after every batch; leave the loop to stop.

    Threads are read oldest first, up to where the policy lets nothing expire any more. Each is looked at once
    more right before it goes, with its attachments first: the thread is found again if the process is killed in
    between. In memory there is one batch. Where one thread fails, the others go on.

    One audit record is left for each thread, right before it goes; after a kill there may be a second one.

    Args:
        store: The server's store, or any of its layers: what asks whose a thread is, and what hides, is left out.
        policy: Says what has expired.
        context: For the store; of a job that reaches everybody's threads, such as one with `system_principal`.
        attachment_store: Where the bytes of attachments are. Without it a thread with attachments fails: its bytes
            would stay for ever.
        batch: Threads of a page, at most 1,000.
        pause: Seconds between two batches, for the database to serve others.
        dry_run: Read and count, delete nothing.
        clock: Returns the time, with its zone.

    Raises:
        ConfigurationError: An argument is something else.
        RuntimeError: The store does not do what `StoreContract` asks, or too much was deleted beside this sweep.
    """
    if not isinstance(policy, RetentionPolicy):
        raise ConfigurationError(f"policy must be a RetentionPolicy, not {named(policy)}")
    store = beneath(store)
    swept = _Sweep(policy, Removal(store, attachment_store, context), clock)
    walk = ThreadWalk(store, context, batch_size(batch))
    seconds, dry = pause_seconds(pause), boolean(dry_run, "dry_run")
    report = SweepReport(dry_run=dry)
    while threads := await walk.next_page():
        fates = await each(threads, swept.survey if dry else swept.delete)
        for thread, (fate, attachments) in zip(threads, fates, strict=True):
            if dry or fate not in ("deleted", "gone"):
                walk.stays(thread.id)
            if fate != "gone":
                report = _counted(report, fate, attachments)
        yield report
        if swept.are_younger_ones_live(threads[-1]):
            return
        await anyio.sleep(seconds)


class _Sweep(Generic[TContext]):
    """What becomes of one thread."""

    def __init__(self, policy: RetentionPolicy, removal: Removal[TContext], clock: Clock) -> None:
        self._policy = policy
        self._removal = removal
        self._clock = clock

    def are_younger_ones_live(self, thread: ThreadMetadata) -> bool:
        """Tell whether nothing that was created after a thread can have expired."""
        shortest = self._policy.shortest_age
        if shortest is None:
            return False
        return instant(self._clock()) - instant(thread.created_at) < shortest - _SLACK

    async def delete(self, thread: ThreadMetadata) -> tuple[_Fate, int]:
        """Delete a thread, if it has expired now as well."""
        fate = self._fate(thread)
        if fate != "deleted":
            return fate, 0
        try:
            latest = await self._removal.latest(thread)
            if latest is None:
                return "gone", 0
            fate = self._fate(latest)
            return fate, await self._removal.remove(latest, "expired") if fate == "deleted" else 0
        except Exception as error:  # noqa: BLE001 - a store may raise anything; the others go on
            return _failed(thread, error)

    async def survey(self, thread: ThreadMetadata) -> tuple[_Fate, int]:
        """Tell what `delete` would do."""
        fate = self._fate(thread)
        try:
            return fate, await self._removal.count(thread) if fate == "deleted" else 0
        except Exception as error:  # noqa: BLE001 - likewise
            return _failed(thread, error)

    def _fate(self, thread: ThreadMetadata) -> _Fate:
        fates: dict[str, _Fate] = {"live": "kept", "expired": "deleted", "held": "held", "unknown": "failed"}
        return fates[verdict(self._policy, thread, instant(self._clock()))]


def _failed(thread: ThreadMetadata, error: Exception) -> tuple[_Fate, int]:
    log_failure(thread, error)
    return "failed", 0


def _counted(report: SweepReport, fate: _Fate, attachments: int) -> SweepReport:
    changes = {fate: getattr(report, fate) + 1, "attachments": report.attachments + attachments}
    return replace(report, **changes)
