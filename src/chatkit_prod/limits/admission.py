"""Whether a request may begin: every rule in turn, what is cheap to refuse first.

requests → the tenant's → tokens, if any are left → a slot → messages
"""

from collections.abc import Iterable
from contextlib import suppress

from chatkit_prod.errors import RateLimitedError

from .backend import Backend, Slot, StorageDownError
from .caller import Caller
from .kind import Kind
from .rules import Rules, Window, compiled
from .standing import Standing


class Visit:
    """One request, and what it has taken: the `UsageSink` of the request.

    Args:
        caller: Whose share it is taken from.
        token: A name for the request that no other has.

    Attributes:
        standings: How the caller's own windows stand.
        slot: Its place among the open streams of its user, if it has one.
        used: Tokens of a model.
    """

    __slots__ = ("caller", "slot", "standings", "token", "used")

    def __init__(self, caller: Caller, token: str) -> None:
        self.caller = caller
        self.token = token
        self.standings: list[Standing] = []
        self.slot: Slot | None = None
        self.used = 0

    def add(self, tokens: int, /) -> None:
        """Count what a model has used."""
        self.used += tokens


class Admission:
    """Lets requests begin, and takes note of what they have used at their end.

    Args:
        rules: What a caller may use.
        backend: Where that is counted.
    """

    def __init__(self, rules: Rules, backend: Backend) -> None:
        self._windows = compiled(rules)
        self._streams = rules.streams
        self._backend = backend

    async def admit(self, visit: Visit, kind: Kind) -> None:
        """Let a request begin.

        Whoever calls this ends the visit, also if it raises: a slot may have been taken.

        Raises:
            RateLimitedError: A rule does not let it.
            StorageDownError: Nobody can say.
        """
        caller = visit.caller
        await self._count(self._windows.requests, caller.user, visit.standings)
        if caller.tenant is not None:
            # Not shown: what a tenant has left says what its other users do.
            await self._count(self._windows.tenant_requests, caller.tenant, [])
        if kind.streaming:
            await self._require_tokens(visit)
            await self._take_slot(visit)
        if kind.message:
            await self._count(self._windows.messages, caller.user, visit.standings)

    async def _count(self, windows: Iterable[Window], key: str, standings: list[Standing]) -> None:
        for window in windows:
            standing = await self._backend.count(window, key)
            standings.append(standing)
            if standing.used > window.amount:
                raise RateLimitedError(window.rule, standing.ends)

    async def _require_tokens(self, visit: Visit) -> None:
        for window in self._windows.tokens:
            standing = await self._backend.look(window, visit.caller.user)
            visit.standings.append(standing)
            if not standing.remaining:
                raise RateLimitedError(window.rule, standing.ends)

    async def _take_slot(self, visit: Visit) -> None:
        if self._streams is not None:
            visit.slot = await self._backend.hold(visit.caller.user, self._streams, visit.token)
            if visit.slot is None:
                raise RateLimitedError("streams")

    async def end(self, visit: Visit) -> None:
        """Give back what a visit holds, and count what it has used; whatever happens to whoever waits for this."""
        if visit.slot is not None or visit.used:
            await self._backend.settle(self._settle(visit))

    async def _settle(self, visit: Visit) -> None:
        if visit.used:
            with suppress(StorageDownError):
                for window in self._windows.tokens:
                    await self._backend.count(window, visit.caller.user, visit.used)
        if visit.slot is not None:
            await visit.slot.release()
