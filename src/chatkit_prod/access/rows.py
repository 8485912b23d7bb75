"""Threads, or attachments, of which everybody reaches what the policy gives them.

id → seen in this request? → the inner store → owner → guard → the row, without its stamp
↘ NotFoundError: absent and foreign alike
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar
from weakref import WeakValueDictionary

from chatkit.store import NotFoundError
from chatkit.types import Attachment, ThreadMetadata

from chatkit_prod.errors import ForbiddenError, stack_of
from chatkit_prod.principal import Principal
from chatkit_prod.state import RequestState

from .guard import Guard, PolicyFailedError
from .owner import Owner, has_stamp, owner_of, stamped, unstamped
from .resources import Action, Resource
from .system import SystemPrincipal

TContext = TypeVar("TContext")
TRow = TypeVar("TRow", ThreadMetadata, Attachment)

Owns = Callable[[ThreadMetadata | Attachment, Principal, TContext], Awaitable[bool]]
"""An app's own answer to whether an unstamped row belongs to a principal."""

logger = logging.getLogger("chatkit_prod")


def _no_objection(_: ThreadMetadata | Attachment) -> None:
    return None


@dataclass(slots=True)
class Seen(Generic[TRow]):
    """What a request knows of a row.

    Args:
        row: The row, with its stamp, as it was loaded or saved.
        owner: Whose it is; None if nobody knows.
        allowed: What the policy has allowed, and to whom.
        is_new: Whether the request has made it.
        is_fresh: Whether it was loaded a moment ago for whoever loads it next.
    """

    row: TRow
    owner: Owner | None
    allowed: dict[Action, Principal] = field(default_factory=dict[Action, Principal])
    is_new: bool = False
    is_fresh: bool = False


class OwnedRows(Generic[TRow, TContext]):
    """The threads, or the attachments, of one inner store.

    Args:
        kind: Which of them.
        guard: Asks the policy.
        load: Loads a row from the inner store.
        save: Saves a row there.
        owns: Tells whether a row without a stamp belongs to a principal; without it, it is nobody's.
    """

    def __init__(
        self,
        kind: Literal["thread", "attachment"],
        guard: Guard[TContext],
        *,
        load: Callable[[str, TContext], Awaitable[TRow]],
        save: Callable[[TRow, TContext], Awaitable[None]],
        owns: Owns[TContext] | None,
    ) -> None:
        self._kind: Literal["thread", "attachment"] = kind
        self._guard = guard
        self._load: Callable[[str, TContext], Awaitable[TRow]] = load
        self._save: Callable[[TRow, TContext], Awaitable[None]] = save
        self._owns = owns
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def require(
        self, row_id: str, action: Action, context: TContext, *, for_reload: bool = False
    ) -> Seen[TRow]:
        """Return what is known of a row that the caller may do something to.

        Args:
            row_id: The row; untrusted.
            action: What is to be done.
            context: Of the caller.
            for_reload: Whether the next `load` of a row that is loaded now may get the same.

        Raises:
            NotFoundError: It is absent, or the caller may not; recorded.
        """
        memory = self._memory()
        seen = memory.get(row_id)
        if seen is None:
            seen = await self._fetch(row_id, context, memory)
            if seen is not None:
                seen.is_fresh = for_reload
        return await self._checked(row_id, seen, action, context)

    async def load(self, row_id: str, action: Action, context: TContext) -> TRow:
        """Load a row that the caller may do something to, without its stamp.

        Raises:
            NotFoundError: It is absent, or the caller may not; recorded.
        """
        memory = self._memory()
        seen = memory.get(row_id)
        if seen is None or not seen.is_fresh:
            seen = await self._fetch(row_id, context, memory)
        else:
            seen.is_fresh = False
        return unstamped((await self._checked(row_id, seen, action, context)).row)

    async def save(
        self,
        row: TRow,
        *,
        create: Action,
        write: Action,
        context: TContext,
        objection: Callable[[TRow], str | None] = _no_objection,
    ) -> None:
        """Save a row under its owner's stamp: its owner stays, and a new row is the caller's.

        Args:
            row: The row; a stamp of its own counts for nothing.
            create: The action if there is none with its id.
            write: The action if there is one.
            context: Of the caller.
            objection: Tells why the one that is there may not become the new one, whoever asks.

        Raises:
            NotFoundError: There is one with this id that the caller may not change; recorded.
            ForbiddenError: There is none, and the caller may not make one; recorded.
        """
        memory = self._memory()
        seen = memory.get(row.id)
        if seen is None:
            async with self._lock(row.id):
                seen = await self._fetch(row.id, context, memory)
                if seen is None or (row.id in self._made() and not has_stamp(seen.row)):
                    await self._create(row, create, context)
                    return
        seen = await self._checked(row.id, seen, write, context)
        reason = objection(seen.row)
        if reason is not None:
            raise self._refusal(row.id, write, reason, self._guard.principal(context))
        await self._write(row, seen.owner, context, is_new=seen.is_new)

    def made(self, row_id: str) -> None:
        """Note that the app has made a row for the caller just now, and may have stored it without a stamp."""
        self._made().add(row_id)

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
        memory = self._memory()
        seen = memory.get(row_id)
        owner = seen.owner if seen is not None and seen.is_new else None
        if owner is None or not owner.is_same(self._guard.principal(context)):
            await self.require(row_id, action, context)
        await delete(row_id, context)
        memory.pop(row_id, None)

    async def reaches(self, row: TRow, action: Action, context: TContext) -> bool:
        """Tell whether the caller may do something to a row out of a list; a no is not recorded.

        Raises:
            PolicyFailedError: The policy has failed: it is not asked about each of the other rows; recorded.
        """
        owner = owner_of(row) if self._owns is None else await self._adopted(row, self._owns, context)
        principal = self._guard.principal(context)
        denial = await self._denial(Seen(row, owner), action, principal)
        if isinstance(denial, PolicyFailedError):
            self._guard.record(principal, action, denial.reason, self._kind)
            raise denial
        return denial is None

    async def _checked(
        self, row_id: str, seen: Seen[TRow] | None, action: Action, context: TContext
    ) -> Seen[TRow]:
        principal = self._guard.principal(context)
        if seen is None:
            raise self._refusal(row_id, action, "absent", principal)
        known = seen.allowed.get(action)
        if known is not principal and known != principal:
            denial = await self._denial(seen, action, principal)
            if denial is not None:
                raise self._refusal(row_id, action, denial.reason, principal)
            seen.allowed[action] = principal
        return seen

    def _refusal(self, row_id: str, action: Action, reason: str, principal: Principal) -> NotFoundError:
        """Record a refusal, and return what is raised for it: the same for every reason."""
        self._guard.record(principal, action, reason, self._kind, row_id)
        return NotFoundError()

    async def _denial(self, seen: Seen[TRow], action: Action, principal: Principal) -> ForbiddenError | None:
        """Return why a principal may not do something to a row; None if they may."""
        if seen.owner is None and not isinstance(principal, SystemPrincipal):
            return ForbiddenError("unowned")
        resource = None if seen.owner is None else self._resource(seen.row, seen.owner)
        return await self._guard.denial(principal, action, resource)

    def _resource(self, row: TRow, owner: Owner) -> Resource:
        thread_id = None if isinstance(row, ThreadMetadata) else row.thread_id
        return Resource(kind=self._kind, id=row.id, owner=owner, thread_id=thread_id)

    async def _fetch(
        self, row_id: str, context: TContext, memory: dict[str, Seen[TRow]]
    ) -> Seen[TRow] | None:
        try:
            row = await self._load(row_id, context)
        except NotFoundError:
            return None
        owner = owner_of(row) if self._owns is None else await self._adopted(row, self._owns, context)
        known = memory.get(row_id)
        seen = memory[row_id] = Seen(row, owner, is_new=known is not None and known.is_new)
        return seen

    async def _create(self, row: TRow, action: Action, context: TContext) -> None:
        principal = self._guard.principal(context)
        owner = Owner.of(principal)
        denial = await self._guard.denial(principal, action, self._resource(row, owner))
        if denial is not None:
            self._guard.record(principal, action, denial.reason, self._kind, row.id)
            raise denial
        await self._write(row, owner, context, is_new=True)

    async def _write(self, row: TRow, owner: Owner | None, context: TContext, *, is_new: bool) -> None:
        row = unstamped(row) if owner is None else stamped(row, owner)
        await self._save(row, context)
        self._memory()[row.id] = Seen(row, owner, is_new=is_new)

    async def _adopted(self, row: TRow, owns: Owns[TContext], context: TContext) -> Owner | None:
        """Return whose a row is; one without a stamp is the caller's from now on, if the app says so."""
        principal = self._guard.principal(context)
        if has_stamp(row) or isinstance(principal, SystemPrincipal):
            return owner_of(row)
        try:
            if await owns(unstamped(row), principal, context) is not True:
                return None
        except Exception as error:  # noqa: BLE001 - the app's code may raise anything, and has said no
            logger.error("the hook owns= failed, which is a no\n%s", stack_of(error))
            return None
        async with self._lock(f"owner of {row.id}"):
            latest = await self._load(row.id, context)
            if not has_stamp(latest):
                latest = stamped(latest, Owner.of(principal))
                await self._save(latest, context)
            return owner_of(latest)

    def _memory(self) -> dict[str, Seen[TRow]]:
        """Return what the current request has seen; outside of a request, nothing is remembered."""
        state = RequestState.current()
        if state is None:
            return {}
        memory: dict[str, Seen[TRow]] = state.remembered.setdefault(self, {})
        return memory

    def _made(self) -> set[str]:
        """Return the ids that `made` was told in the current request."""
        state = RequestState.current()
        if state is None:
            return set()
        made: set[str] = state.remembered.setdefault((self, "made"), set())
        return made

    def _lock(self, name: str) -> asyncio.Lock:
        """Return the lock of this process under which a row is made, or gets its first owner."""
        return self._locks.setdefault(name, asyncio.Lock())
