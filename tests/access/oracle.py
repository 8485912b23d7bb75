"""The oracle: holds whatever one user after another does, and sees, against who owns what.

    request, tool calls → answer, what tools saw, what is stored → the oracle

The model is one table: who made which row. Every id, and every text that a user writes, holds the mark
of its user. So whatever of another's leaves the guard, somewhere, says so itself.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from chatkit_prod.access import OWNER_KEY, AccessPolicy, OwnerOnly
from chatkit_prod.encryption.carrier import SEALED
from chatkit_prod.testing import Answer, one_of_each

from .raw import Key, OpenRaw, Rows, in_memory
from .world import IDENTITY, USERS, AppStore, Exchange, ToolCall, User, World, Wrap, absent

Reach = Literal["read", "write"]

TRANSCRIBE = one_of_each()["input.transcribe"]  # names nothing, and stores nothing of its own


@dataclass(frozen=True)
class Reaching:
    """A tool call, and how far it reaches.

    Args:
        call: The call.
        beyond: The ids in it that are out of reach; without any, it must succeed.
        has_twin: Whether the same call with absent ids is refused too: what saves a row would make one.
    """

    call: ToolCall
    beyond: Sequence[str] = ()
    has_twin: bool = True


def unwrapped(store: AppStore, policy: AccessPolicy) -> AppStore:
    """Leave it to `harden` to guard the store."""
    return store


class BreachError(AssertionError):
    """Somebody got what is not theirs, or not what is."""


def hold(kept: bool, breach: str) -> None:
    """Raise what has been breached, unless it was kept."""
    if not kept:
        raise BreachError(breach)


class Trial:
    """One server, from its first request to its last.

    Args:
        opening: Opens an empty store.
        policy: Who reaches what.
        shares: Whether that lets users of one tenant read each other's rows.
        wrap: Puts wrappers between the store and the server.

    Attributes:
        rows: All that is stored.
        owners: The model: who made each of them.
        known: Every row that there is or has been, by kind.
    """

    def __init__(
        self,
        opening: OpenRaw = in_memory,
        *,
        policy: AccessPolicy | None = None,
        shares: bool = False,
        wrap: Wrap = unwrapped,
    ) -> None:
        super().__init__()
        self.rows: Rows = {}
        self.owners: dict[Key, User] = {}
        self.known: dict[str, list[Key]] = {"thread": [], "item": [], "attachment": [], "file": []}
        self._shares = shares
        self._runner = asyncio.Runner()
        self._run = self._runner.get_loop().run_until_complete  # no signal handler per step
        self._opened = opening()
        raw = self._run(self._opened.__aenter__())
        self._world = World(raw, policy=policy or OwnerOnly(), wrap=wrap)

    def close(self) -> None:
        """Close the store, and the event loop in which it was opened."""
        self._run(self._opened.__aexit__(None, None, None))
        self._runner.close()

    # -------------------------------------------------------------------------------------------- the oracle

    def judge(self, user: User | None, before: Rows, exchange: Exchange) -> None:
        """Hold what one request of a user did, and showed, against who owns what."""
        after = self.rows
        for key in [key for key in before if after.get(key) != before[key]]:
            hold(self.owners[key] is user, f"changed what is another's: {key}")
            if key not in after:
                del self.owners[key]
        for key in [key for key in after if before.get(key) != after[key]]:
            if key not in before:
                hold(user is not None, f"made by nobody: {key}")
                self.owners[key] = cast("User", user)
                if key not in self.known[key[0]]:
                    self.known[key[0]].append(key)
            self._judge_row(key, before, exchange)
        text = exchange.text
        for other in USERS:
            if not self._may_see(user, other):
                hold(other.mark not in text, f"showed what is another's: {text}")
        for part in (OWNER_KEY, IDENTITY.issuer):
            hold(part not in text, f"showed a stamp: {text}")

    def _judge_row(self, key: Key, before: Rows, exchange: Exchange) -> None:
        """Hold one row that is new or has changed against who owns it, and against what it was."""
        owner = self.owners[key]
        if key[0] in ("thread", "attachment"):
            metadata: dict[str, Any] = self.row(key)["metadata"] or {}
            hold(metadata.get(OWNER_KEY) == owner.stamp, f"stamped as another's: {key}")
        if key[0] == "item":
            hold(self.owners["thread", key[1]] is owner, f"in another's thread: {key}")
            hold(self.row(key)["thread_id"] == key[1], f"in another thread than it says: {key}")
        if key[0] == "attachment" and key in before and key[1] not in exchange.deleted:
            hold(json.loads(before[key])["thread_id"] in (None, self.row(key)["thread_id"]), "bound anew")

    def _may_see(self, user: User | None, other: User) -> bool:
        return user is not None and (user is other or (self._shares and user.tenant == other.tenant))

    def reaches(self, user: User, key: Key, reach: Reach) -> bool:
        """Tell whether a user must be able to reach a row."""
        owner = self.owners.get(key)
        return owner is user or (owner is not None and reach == "read" and self._may_see(user, owner))

    # --------------------------------------------------------------------------------------------- asking

    def ask(self, user: User | None, body: bytes, script: Sequence[ToolCall] = ()) -> Exchange:
        """Send a request, and judge what comes of it."""

        async def exchanged() -> tuple[Exchange, Rows]:
            return await self._world.ask(user, body, script), await self._world.rows()

        before = self.rows
        exchange, self.rows = self._run(exchanged())
        self.judge(user, before, exchange)
        return exchange

    def ask_about(
        self, user: User, body: bytes, beyond: Sequence[str], script: Sequence[ToolCall] = ()
    ) -> Answer | None:
        """Send a request that names rows; what is out of reach must be like what does not exist.

        Args:
            user: Who asks.
            body: The request.
            beyond: The ids in it that are out of reach; without any, the user must be able to do this.
            script: What the tools do meanwhile.

        Returns:
            The answer; None where it was a refusal.
        """
        before = self.rows
        exchange = self.ask(user, body, script)
        if not beyond:
            hold(_is_served(body, exchange.answer, script), f"refused to its owner: {body!r}")
            return exchange.answer
        hold(exchange.answer.status == 404, f"not refused: {body!r}")
        twin = self.ask(user, _with_absent(body, beyond), script)
        hold(twin.comparable == exchange.comparable, f"tells foreign from absent: {body!r}")
        hold(self.rows == before, f"changed something all the same: {body!r}")
        return None

    def take_turn(
        self, user: User, body: bytes, beyond: Sequence[str], script: Sequence[ToolCall], *, thread: Key
    ) -> None:
        """Send what a user says in a thread, unless it is locked: then nothing must come of it."""
        status = self.row(thread)["status"] if self.reaches(user, thread, "write") else {"type": "active"}
        if status["type"] == "active":
            self.ask_about(user, body, beyond, script)
            return
        before = self.rows
        answer = self.ask(user, body, script).answer
        if not (beyond and answer.status == 404):
            text = status["reason"] or "This conversation is closed."
            if SEALED in self.row(thread)["metadata"]:  # then so is the reason
                text = answer.events[0].get("message")
            error = {"type": "error", "code": "custom", "message": text, "allow_retry": False}
            hold(answer.events == [error], f"heard in a locked thread: {body!r}")
        hold(self.rows == before, f"changed a locked thread: {body!r}")

    def call(self, user: User, reaching: Reaching) -> None:
        """Let a tool make one call; what is out of reach must be like what does not exist."""
        before = self.rows
        exchange = self.ask(user, TRANSCRIBE, [reaching.call])
        (outcome,) = exchange.outcomes
        if not reaching.beyond:
            hold(outcome != "NotFoundError", f"refused to its owner: {reaching}")
            return
        hold(outcome == "NotFoundError", f"not refused: {reaching}")
        if reaching.has_twin:
            twin = self.ask(user, TRANSCRIBE, [reaching.call.renamed(reaching.beyond)])
            hold(twin.comparable == exchange.comparable, f"tells foreign from absent: {reaching}")
        hold(self.rows == before, f"changed something all the same: {reaching}")

    # --------------------------------------------------------------------------------------------- picking

    def beyond(self, user: User, key: Key, reach: Reach) -> list[str]:
        """Return those of a row's ids that are out of a user's reach: for an item, its thread's may be."""
        if self.reaches(user, key, reach):
            return []
        if key[0] == "item" and self.reaches(user, ("thread", key[1]), reach):
            return [key[2]]
        return list(key[1:])

    def may_bind(self, user: User, attachment: Key, thread_id: str | None) -> bool:
        reached = self.reaches(user, attachment, "write")
        return reached and self.row(attachment)["thread_id"] in (None, thread_id)

    def row(self, key: Key) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.rows[key])
        return found

    def pick(self, kind: str, user: User, pick: int, prefix: str = "") -> Key:
        """Return a row that there is or has been; every other time one of the user's own."""
        known = [key for key in self.known[kind] if key[-1].startswith(prefix)]
        own = [key for key in known if self.owners.get(key) is user]
        choice = own if pick % 2 and own else known
        return choice[pick // 2 % len(choice)]

    def pick_item(self, user: User, pick: int, elsewhere: int, prefix: str = "") -> Key:
        """Return an item, in most cases of one kind, and in some under a thread that is not its own."""
        kind, thread_id, item_id = self.pick("item", user, pick, prefix if elsewhere % 3 else "")
        if elsewhere % 4 == 0:
            thread_id = self.pick("thread", user, elsewhere // 4)[1]
        return kind, thread_id, item_id

    def new_id(self, prefix: str, user: User) -> str:
        return self._world.recorder.new_id(prefix, user)

    def listed(self, user: User, order: str) -> list[str]:
        """Return the threads that a user must find in a list."""
        keys = [key for key in self.rows if key[0] == "thread" and self.reaches(user, key, "read")]
        keys.sort(key=lambda key: datetime.fromisoformat(self.row(key)["created_at"]))
        ids = [key[1] for key in keys]
        return ids if order == "asc" else ids[::-1]


def _with_absent(body: bytes, names: Sequence[str]) -> bytes:
    for name in names:
        body = body.replace(name.encode(), absent(name).encode())
    return body


def _is_served(body: bytes, answer: Answer, script: Sequence[ToolCall]) -> bool:
    """Tell whether the user got what they asked for; some of what these tests ask for, ChatKit itself refuses."""
    operation = json.loads(body)["type"]
    if operation == "threads.sync_custom_action":
        return answer.status in (200, 500)  # an item that is no widget
    if operation in ("threads.create", "threads.add_user_message") and not script:
        return answer.status == 200 and all(event["type"] != "error" for event in answer.events)
    return answer.status == 200
