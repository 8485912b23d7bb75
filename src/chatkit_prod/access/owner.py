"""What a guard does with stamps; the stamp itself is of the core."""

from typing import TypeVar

from chatkit.types import Attachment, ThreadMetadata

from chatkit_prod.owner import OWNER_KEY, Owner, owner_of, stamped

__all__ = ["OWNER_KEY", "Owner", "has_stamp", "owner_of", "stamped", "stamped_like", "unstamped"]

TRow = TypeVar("TRow", ThreadMetadata, Attachment)


def unstamped(row: TRow) -> TRow:
    """Return a copy without the stamp: what an app's own code gets to see."""
    metadata = {key: value for key, value in (row.metadata or {}).items() if key != OWNER_KEY}
    is_kept = bool(metadata) or isinstance(row, ThreadMetadata)  # ChatKit makes attachments without
    return row.model_copy(update={"metadata": metadata if is_kept else None})


def stamped_like(row: TRow, old: TRow) -> TRow:
    """Return a copy with the stamp that another version of the row has, be it readable or not, or with none."""
    if not has_stamp(old):
        return unstamped(row)
    stamp = (old.metadata or {})[OWNER_KEY]
    return row.model_copy(update={"metadata": {**(row.metadata or {}), OWNER_KEY: stamp}})


def has_stamp(row: ThreadMetadata | Attachment) -> bool:
    """Tell whether there is a stamp, be it readable or not."""
    return OWNER_KEY in (row.metadata or {})
