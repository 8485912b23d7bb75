"""Exports what is kept of one user (GDPR Art. 15 and 20)."""

import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from chatkit.store import NotFoundError, Store
from chatkit.types import HiddenContextItem, SDKHiddenContextItem, ThreadMetadata, UserMessageItem
from pydantic import BaseModel

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import boolean, named
from chatkit_prod.owner import Owner, owner_of

from .batches import DEFAULT_BATCH, batch_size
from .beneath import beneath
from .removal import as_stored, items_of
from .walk import ThreadWalk

TContext = TypeVar("TContext")

_RESERVED = "chatkit_prod."
"""How keys of metadata begin that say nothing of the user: the owner's stamp, a hold."""


async def export_user(
    store: Store[TContext],
    owner: Owner,
    *,
    context: TContext,
    hidden: bool = False,
    batch: int = DEFAULT_BATCH,
) -> AsyncGenerator[str]:
    r"""Yield the threads of a user, their items and attachments as JSON Lines, each with its `\n`.

    Every line is an object with a `kind` and its `data`: a `thread`, then each `item` of it, the `attachment`s of
    an item before it, and at last one `end` that counts them: a file without it is incomplete. What has expired
    and is still there belongs to it. Left out are the reserved keys of metadata, and addresses to upload to.

    The bytes of attachments are yours to add, by the ids of the attachments.

    Args:
        store: The server's store, or any of its layers, as for `sweep`.
        owner: Whose threads; their stamps say so.
        context: For the store; as for `erase_user`.
        hidden: Whether hidden context is exported as well: what the app has told the model behind the user's back.
        batch: Threads of a page, at most 1,000.

    Raises:
        ConfigurationError: An argument is something else.
        RuntimeError: Too much was deleted meanwhile: start again.
    """
    store, stamp = beneath(store), require_owner(owner)
    with_hidden, walk = boolean(hidden, "hidden"), ThreadWalk(store, context, batch_size(batch))
    counts = {"thread": 0, "item": 0, "attachment": 0}
    while threads := await walk.next_page():
        for thread in threads:
            walk.stays(thread.id)
            if owner_of(thread) != stamp:
                continue
            async for kind, row in _rows(store, thread, context, hidden=with_hidden):
                counts[kind] += 1
                yield _line(kind, row)
    yield _line("end", {"at": datetime.now(UTC).isoformat(timespec="seconds"), **counts})


def require_owner(owner: Any) -> Owner:
    """Return whose threads are meant.

    Raises:
        ConfigurationError: It is no `Owner`.
    """
    if not isinstance(owner, Owner):
        raise ConfigurationError(f"owner must be an Owner, not {named(owner)}: see Owner.of(principal)")
    return owner


async def _rows(
    store: Store[TContext], thread: ThreadMetadata, context: TContext, *, hidden: bool
) -> AsyncGenerator[tuple[str, dict[str, Any]]]:
    yield "thread", _plain(thread)
    with suppress(NotFoundError):  # somebody has deleted the rest meanwhile
        async for item in items_of(store, thread.id, context):
            if isinstance(item, HiddenContextItem | SDKHiddenContextItem) and not hidden:
                continue
            data = _plain(item)
            if isinstance(item, UserMessageItem):
                data["attachments"] = [attachment.id for attachment in item.attachments]
                for held in item.attachments:
                    yield "attachment", _plain(await as_stored(store, held, context))
            yield "item", data


def _plain(row: BaseModel) -> dict[str, Any]:
    data = row.model_dump(mode="json", exclude={"upload_descriptor"})
    if data.get("metadata"):
        data["metadata"] = {
            key: value for key, value in data["metadata"].items() if not key.startswith(_RESERVED)
        }
    return data


def _line(kind: str, data: dict[str, Any]) -> str:
    return json.dumps({"kind": kind, "data": data}, ensure_ascii=False) + "\n"
