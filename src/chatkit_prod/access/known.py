"""What a request knows of the rows of one store, for as long as they are there.

A row is looked up once in a request. What is known of it is worth nothing any more when it is deleted,
by whichever request of this process: its id may be used again.
"""

from collections import deque
from typing import Generic, TypeVar

from chatkit.types import Attachment, ThreadItem, ThreadMetadata

from chatkit_prod.principal import Principal
from chatkit_prod.state import RequestState

from .resources import Action, Resource

TRow = TypeVar("TRow", ThreadMetadata, Attachment)

REMEMBERED_DELETIONS = 1000


class KnownRow(Generic[TRow]):
    """What a request knows of a row.

    Args:
        row: The row, with its stamp, as it was loaded or saved.
        resource: What the policy is asked about; None if nobody knows whose the row is.
        deletions: How many rows had been deleted before it was loaded or saved.
        is_made_here: Whether the request has made it.
        is_kept: Whether it was loaded a moment ago, and kept for whoever loads it next.

    Attributes:
        allowed: What the policy has allowed, and to whom.
        items: The items that are known to be in this thread, each with what the next load may get.
    """

    __slots__ = ("allowed", "deletions", "is_kept", "is_made_here", "items", "resource", "row")

    def __init__(
        self,
        row: TRow,
        resource: Resource | None,
        deletions: int,
        *,
        is_made_here: bool = False,
        is_kept: bool = False,
    ) -> None:
        self.row: TRow = row
        self.resource = resource
        self.deletions = deletions
        self.is_made_here = is_made_here
        self.is_kept = is_kept
        self.allowed: dict[Action, Principal] = {}
        self.items: dict[str, ThreadItem | None] = {}

    def is_allowed(self, action: Action, principal: Principal) -> bool:
        """Tell whether the policy has allowed this before, to who has the same scopes and claims."""
        before = self.allowed.get(action)
        return before is principal or (
            before is not None and before == principal and before.claims == principal.claims
        )


class KnownRows(Generic[TRow]):
    """What the current request knows; outside of a request, nothing is kept.

    Attributes:
        deletions: How many rows have been deleted so far; to be read before a row is loaded or saved.
    """

    def __init__(self) -> None:
        self.deletions = 0
        self._deleted: deque[str] = deque(maxlen=REMEMBERED_DELETIONS)

    def get(self, row_id: str) -> KnownRow[TRow] | None:
        """Return what is known of a row, unless it has been deleted meanwhile."""
        known: KnownRow[TRow] | None = RequestState.memory(self).get(row_id)
        if known is not None and known.deletions != self.deletions and self._is_void(row_id, known):
            return None
        return known

    def keep(self, row_id: str, known: KnownRow[TRow]) -> KnownRow[TRow]:
        """Keep what is known of a row from now on; its items, and that the request has made it, stay known."""
        memory: dict[str, KnownRow[TRow]] = RequestState.memory(self)
        before = memory.get(row_id)
        if before is not None and not self._is_void(row_id, before):
            known.items = before.items
            known.is_made_here = known.is_made_here or before.is_made_here
        memory[row_id] = known
        return known

    def end(self, row_id: str) -> None:
        """Forget a row that is deleted, in every request of this process."""
        self._deleted.append(row_id)
        self.deletions += 1

    def _is_void(self, row_id: str, known: KnownRow[TRow]) -> bool:
        """Tell whether a row is among those deleted since, or may be: only the latest are remembered."""
        later = self.deletions - known.deletions
        return later > len(self._deleted) or row_id in list(self._deleted)[len(self._deleted) - later :]
