"""What a request knows of the rows of one store, for as long as they live.

A row is looked up once in a request. What is known of it is worth nothing any more when it is deleted,
by whichever request of this process: its id may be used again.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from chatkit.types import Attachment, ThreadMetadata

from chatkit_prod.principal import Principal
from chatkit_prod.state import RequestState

from .owner import Owner
from .resources import Action

TRow = TypeVar("TRow", ThreadMetadata, Attachment)


class Life:
    """Of a row: from when somebody asks about it to when it is deleted."""

    __slots__ = ("__weakref__", "is_over")

    def __init__(self) -> None:
        self.is_over = False


@dataclass(slots=True)
class KnownRow(Generic[TRow]):
    """What a request knows of a row.

    Args:
        row: The row, with its stamp, as it was loaded or saved.
        owner: Whose it is; None if nobody knows.
        life: Of the row with this id.
        allowed: What the policy has allowed, and to whom.
        is_made_here: Whether the request has made it.
        is_kept: Whether it was loaded a moment ago, and kept for whoever loads it next.
    """

    row: TRow
    owner: Owner | None
    life: Life
    allowed: dict[Action, Principal] = field(default_factory=dict[Action, Principal])
    is_made_here: bool = False
    is_kept: bool = False

    def is_allowed(self, action: Action, principal: Principal) -> bool:
        """Tell whether the policy has allowed this before, to who has the same scopes and claims."""
        before = self.allowed.get(action)
        return before is principal or (
            before is not None and before == principal and before.claims == principal.claims
        )


class KnownRows(Generic[TRow]):
    """What the current request knows; outside of a request, nothing is kept."""

    def __init__(self) -> None:
        self._lives: WeakValueDictionary[str, Life] = WeakValueDictionary()

    def get(self, row_id: str) -> KnownRow[TRow] | None:
        """Return what is known of a row, unless it has been deleted meanwhile."""
        known = self._memory().get(row_id)
        return None if known is None or known.life.is_over else known

    def keep(self, row_id: str, known: KnownRow[TRow]) -> KnownRow[TRow]:
        """Keep what is known of a row from now on."""
        self._memory()[row_id] = known
        return known

    def life(self, row_id: str) -> Life:
        """Return the life of a row; to be asked for before it is loaded or made."""
        return self._lives.setdefault(row_id, Life())

    def end(self, row_id: str) -> None:
        """Forget a row that is deleted, in every request of this process."""
        life = self._lives.pop(row_id, None)
        if life is not None:
            life.is_over = True

    def _memory(self) -> dict[str, KnownRow[TRow]]:
        memory: dict[str, KnownRow[TRow]] = RequestState.memory(self)
        return memory
