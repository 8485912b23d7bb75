"""Threads, or attachments, of which everybody reaches what the policy gives them.

    id → known in this request? → the inner store → owner → guard ┬→ the row, without its stamp
                                                                  └→ NotFoundError

Absent and foreign are the same error, after the same call of the inner store.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, Literal, TypeVar
from weakref import WeakValueDictionary

from chatkit.store import NotFoundError
from chatkit.types import Attachment, ThreadMetadata

from chatkit_prod.errors import ForbiddenError, stack_of
from chatkit_prod.options import awaited
from chatkit_prod.principal import Principal
from chatkit_prod.state import RequestState

from .guard import Guard, PolicyFailedError
from .known import KnownRow, KnownRows
from .owner import Owner, has_stamp, owner_of, stamped, stamped_like, unstamped
from .resources import Action, Resource
from .system import SystemPrincipal

TContext = TypeVar("TContext")
TRow = TypeVar("TRow", ThreadMetadata, Attachment)

Owns = Callable[[ThreadMetadata | Attachment, Principal, TContext], Awaitable[bool]]
"""An app's own answer to whether an unstamped row belongs to a principal; async."""

logger = logging.getLogger("chatkit_prod")


class OwnedRows(Generic[TRow, TContext]):
    """The threads, or the attachments, of one inner store.

    Args:
        kind: Which of them.
        guard: Asks the policy.
        create: What making one is called.
        write: What changing one is called.
        load: Loads a row from the inner store.
        save: Saves a row there.
        owns: Tells whether a row without a stamp belongs to a principal; without it, it is nobody's.
    """

    def __init__(
        self,
        kind: Literal["thread", "attachment"],
        guard: Guard[TContext],
        *,
        create: Action,
        write: Action,
        load: Callable[[str, TContext], Awaitable[TRow]],
        save: Callable[[TRow, TContext], Awaitable[None]],
        owns: Owns[TContext] | None,
    ) -> None:
        self._kind: Literal["thread", "attachment"] = kind
        self._guard = guard
        self._create_action: Action = create
        self._write_action: Action = write
        self._load: Callable[[str, TContext], Awaitable[TRow]] = load
        self._save: Callable[[TRow, TContext], Awaitable[None]] = save
        self._owns = owns
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._known: KnownRows[TRow] = KnownRows()

    async def require(
        self, row_id: str, action: Action, context: TContext, *, keep: bool = False
    ) -> KnownRow[TRow]:
        """Return what is known of a row that the caller may do something to.

        Args:
            row_id: The row; untrusted.
            action: What is to be done.
            context: Of the caller.
            keep: Whether the next `load` may get what is loaded now.

        Raises:
            NotFoundError: It is absent, or the caller may not; recorded.
        """
        known = self._known.get(row_id)
        if known is None:
            known = await self._fetch(row_id, context, keep=keep)
        principal = self._guard.principal(context)
        if known is None or not known.is_allowed(action, principal):
            known = await self._permitted(row_id, known, action, principal)
        return known

    async def load(self, row_id: str, action: Action, context: TContext) -> TRow:
        """Load a row that the caller may do something to, without its stamp.

        Raises:
            NotFoundError: It is absent, or the caller may not; recorded.
        """
        known = self._known.get(row_id)
        if known is None or not known.is_kept:
            known = await self._fetch(row_id, context)
        else:
            known.is_kept = False
        principal = self._guard.principal(context)
        if known is None or not known.is_allowed(action, principal):
            known = await self._permitted(row_id, known, action, principal)
        return unstamped(known.row)

    async def save(
        self, row: TRow, context: TContext, *, objection: Callable[[TRow], str | None] | None = None
    ) -> None:
        """Save a row under its owner's stamp: its owner stays, and a new row is the caller's.

        Args:
            row: The row; a stamp of its own counts for nothing.
            context: Of the caller.
            objection: Tells why the one that is there may not become the new one, whoever asks.

        Raises:
            NotFoundError: There is one with this id that the caller may not change; recorded.
            ForbiddenError: There is none, and the caller may not make one; recorded.
        """
        known = self._known.get(row.id)
        if known is None:
            async with self._lock(row.id):
                known = await self._fetch(row.id, context)
                if known is None or self._may_claim(row, known):
                    await self._create(row, context)
                    return
        principal = self._guard.principal(context)
        known = await self._permitted(row.id, known, self._write_action, principal)
        reason = objection(known.row) if objection is not None else None
        if reason is not None:
            raise self.refusal(row.id, self._write_action, reason, context)
        row = stamped_like(row, known.row)
        await self._save(row, context)
        self._known.keep(row.id, KnownRow(row, self._resource(row), known.deletions))

    def let_claim(self, row: TRow) -> None:
        """Let this request save a row as new that the app has just made for it, and may have stored unstamped."""
        self._claims()[row.id] = row

    async def delete(
        self,
        row_id: str,
        action: Action,
        delete: Callable[[str, TContext], Awaitable[None]],
        context: TContext,
    ) -> None:
        """Delete a row; what the current request has made it may undo.

        Raises:
            NotFoundError: It is absent, or the caller may not; recorded.
        """
        known = self._known.get(row_id)
        made = known.resource if known is not None and known.is_made_here else None
        if made is None or not made.owner.is_same(self._guard.principal(context)):
            await self.require(row_id, action, context)
        self._known.end(row_id)
        await delete(row_id, context)
        self._known.end(row_id)

    async def reaches(self, row: TRow, action: Action, context: TContext) -> bool:
        """Tell whether the caller may do something to a row out of a list; a no is not recorded.

        Raises:
            PolicyFailedError: The policy or the hook `owns` has failed: they are not asked about each of the
                other rows; recorded.
        """
        principal = self._guard.principal(context)
        try:
            if self._owns is not None:
                row = await self._adopted(row, self._owns, context)
            resource = self._resource(row)
            denial = _unowned(resource, principal) or await self._guard.denial(principal, action, resource)
            if isinstance(denial, PolicyFailedError):
                raise denial
        except PolicyFailedError as failure:
            self._guard.record(principal, action, failure.reason, self._kind)
            raise
        return denial is None

    def refusal(self, row_id: str, action: Action, reason: str, context: TContext) -> NotFoundError:
        """Record a refusal, and return what is raised for it: the same for every reason."""
        return self._refused(self._guard.principal(context), action, reason, row_id)

    async def _permitted(
        self, row_id: str, known: KnownRow[TRow] | None, action: Action, principal: Principal
    ) -> KnownRow[TRow]:
        if known is None:
            raise self._refused(principal, action, "absent", row_id)
        if not known.is_allowed(action, principal):
            resource = known.resource
            denial = _unowned(resource, principal) or await self._guard.denial(principal, action, resource)
            if denial is not None:
                raise self._refused(principal, action, denial.reason, row_id)
            known.allowed[action] = principal
        return known

    def _refused(self, principal: Principal, action: Action, reason: str, row_id: str) -> NotFoundError:
        self._guard.record(principal, action, reason, self._kind, row_id)
        return NotFoundError()

    def _resource(self, row: TRow) -> Resource | None:
        """Return what the policy is asked about; None if nobody knows whose the row is."""
        owner = owner_of(row)
        if owner is None:
            return None
        thread_id = None if isinstance(row, ThreadMetadata) else row.thread_id
        return Resource(kind=self._kind, id=row.id, owner=owner, thread_id=thread_id)

    async def _fetch(self, row_id: str, context: TContext, *, keep: bool = False) -> KnownRow[TRow] | None:
        deletions = self._known.deletions
        try:
            row = await self._load(row_id, context)
        except NotFoundError:
            return None
        if self._owns is not None:
            with suppress(PolicyFailedError):  # then it stays nobody's
                row = await self._adopted(row, self._owns, context)
        return self._known.keep(row_id, KnownRow(row, self._resource(row), deletions, is_kept=keep))

    def _may_claim(self, row: TRow, known: KnownRow[TRow]) -> bool:
        """Tell whether a row that is there is what the app has just made for this request, and nothing else."""
        made = self._claims().pop(row.id, None)
        return made is not None and not has_stamp(known.row) and known.row == made

    async def _create(self, row: TRow, context: TContext) -> None:
        principal = self._guard.principal(context)
        row = stamped(row, Owner.of(principal))
        resource = self._resource(row)
        denial = await self._guard.denial(principal, self._create_action, resource)
        if denial is not None:
            self._guard.record(principal, self._create_action, denial.reason, self._kind, row.id)
            raise denial
        deletions = self._known.deletions
        await self._save(row, context)
        self._known.keep(row.id, KnownRow(row, resource, deletions, is_made_here=True))

    async def _adopted(self, row: TRow, owns: Owns[TContext], context: TContext) -> TRow:
        """Return a row with its stamp; one without is the caller's from now on, if the app says so.

        Raises:
            PolicyFailedError: The hook has failed; the cause is in the log.
        """
        principal = self._guard.principal(context)
        if has_stamp(row) or isinstance(principal, SystemPrincipal):
            return row
        try:
            if await awaited(owns(unstamped(row), principal, context), "owns") is not True:
                return row
        except Exception as error:  # noqa: BLE001 - the app's code may raise anything, and has said no
            logger.error("the hook owns= failed, which is a no\n%s", stack_of(error))
            raise PolicyFailedError from None
        try:
            async with self._lock(f"owner of {row.id}"):
                latest = await self._load(row.id, context)
                if not has_stamp(latest):
                    latest = stamped(latest, Owner.of(principal))
                    await self._save(latest, context)
                return latest
        except NotFoundError:
            return row  # it is gone, or another process was first

    def _lock(self, name: str) -> asyncio.Lock:
        """Return the lock of this process under which a row is made, or gets its first owner."""
        return self._locks.setdefault(name, asyncio.Lock())

    def _claims(self) -> dict[str, TRow]:
        """Return what this request may save as new, by id."""
        claims: dict[str, TRow] = RequestState.memory((self, "claims"))
        return claims


def _unowned(resource: Resource | None, principal: Principal) -> ForbiddenError | None:
    """Return why nobody but the system reaches a row of which nobody knows whose it is."""
    if resource is None and not isinstance(principal, SystemPrincipal):
        return ForbiddenError("unowned")
    return None
