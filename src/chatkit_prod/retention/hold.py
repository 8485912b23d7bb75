"""Legal hold: a thread that must not be deleted, whatever its age and whoever asks.

A hold is a reserved key of the thread's metadata. A thread that was to be deleted meanwhile, by its user or
by a request for erasure, has another: nobody is served it any more, and it goes when the hold does.
"""

from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from chatkit.store import AttachmentStore, NotFoundError, Store
from chatkit.types import ThreadMetadata

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import is_text

from .audit import record
from .beneath import beneath
from .removal import Removal

TContext = TypeVar("TContext")

HOLD_KEY: Final = "chatkit_prod.hold"
"""The key of a thread's metadata that stands for a hold, whatever its value."""

DELETED_KEY: Final = "chatkit_prod.deleted"
"""The key of a thread that was to be deleted while it was held."""

_KEYS: Final = frozenset({HOLD_KEY, DELETED_KEY})


async def hold(store: Store[TContext], thread_id: str, *, reason: str, context: TContext) -> None:
    """Keep a thread from being deleted until it is released; recorded.

    It goes on being served, also when it is older than the policy allows. Its messages may still be changed by
    those who take part: lock the thread if they must not. A second hold takes the place of the first.

    A store has no transactions. Held while a sweep is just deleting it, an expired thread may be lost: pause the
    sweep for those.

    Args:
        store: The server's store, or what stands in front of it; what is expired or foreign is held as well.
        thread_id: Which thread.
        reason: Why, such as the number of a case, for the audit record; nothing personal. It is stored.
        context: For the store; of a job that reaches everything.

    Raises:
        NotFoundError: There is no such thread.
        ConfigurationError: There is no reason.
    """
    if not is_text(reason):
        raise ConfigurationError("a hold needs a reason, such as the number of a case")
    store = beneath(store)
    thread = await store.load_thread(thread_id, context)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    await store.save_thread(_with(thread, {HOLD_KEY: {"reason": reason, "since": since}}), context)
    record("held", thread, reason=reason)


async def release(
    store: Store[TContext],
    thread_id: str,
    *,
    reason: str,
    context: TContext,
    attachment_store: AttachmentStore[TContext] | None = None,
) -> None:
    """Take the hold from a thread; recorded. One that was to be deleted meanwhile is deleted now.

    Args:
        store: As for `hold`.
        thread_id: Which thread.
        reason: Why, for the audit record.
        context: As for `hold`.
        attachment_store: Where the bytes of its attachments are; see `sweep`.

    Raises:
        NotFoundError: There is no such thread, or no hold on it.
        ConfigurationError: There is no reason; or the thread is to be deleted, has attachments, and there is no
            attachment store.
    """
    if not is_text(reason):
        raise ConfigurationError("the end of a hold needs a reason")
    store = beneath(store)
    thread = await store.load_thread(thread_id, context)
    if not is_held(thread):
        raise NotFoundError
    if is_deleted(thread):
        await Removal(store, attachment_store, context).remove(thread, "released")
    else:
        await store.save_thread(unmarked(thread), context)
    record("released", thread, reason=reason)


def is_held(thread: ThreadMetadata) -> bool:
    """Tell whether there is a hold on a thread, as it is stored."""
    return HOLD_KEY in thread.metadata


def is_deleted(thread: ThreadMetadata) -> bool:
    """Tell whether a thread was to be deleted while it was held."""
    return DELETED_KEY in thread.metadata


def marked_deleted(thread: ThreadMetadata, now: datetime) -> ThreadMetadata:
    """Return a copy of a held thread that nobody is served any more."""
    return _with(thread, {DELETED_KEY: now.isoformat(timespec="seconds")})


def unmarked(thread: ThreadMetadata) -> ThreadMetadata:
    """Return a copy without the keys of this module: what an app's own code gets to see."""
    if not _KEYS & thread.metadata.keys():
        return thread
    metadata = {key: value for key, value in thread.metadata.items() if key not in _KEYS}
    return thread.model_copy(update={"metadata": metadata})


def marked_like(thread: ThreadMetadata, stored: ThreadMetadata | None) -> ThreadMetadata:
    """Return a copy with the keys of this module as the stored version has them: an app's own code has no say."""
    held = stored.metadata if stored else {}
    marks: dict[str, Any] = {key: held[key] for key in _KEYS & held.keys()}
    thread = unmarked(thread)
    return _with(thread, marks) if marks else thread


def _with(thread: ThreadMetadata, marks: dict[str, Any]) -> ThreadMetadata:
    return thread.model_copy(update={"metadata": {**thread.metadata, **marks}})
