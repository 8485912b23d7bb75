"""What a command line may name."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Self

from chatkit.server import ChatKitServer
from chatkit.types import ThreadMetadata

from chatkit_prod.access import OwnershipStore
from chatkit_prod.owner import Owner, stamped
from chatkit_prod.retention import RetentionPolicy, RetentionStore
from chatkit_prod.testing import MemoryStore

from .world import Files, a_message, an_attachment

ALICE = Owner(issuer="desk", subject="alice")
store: Any = None
files: Any = None
opened: list[str] = []
contexts: list[Any] = []
number = 5


class Opening(MemoryStore):
    """A store that has to be opened."""

    async def __aenter__(self) -> Self:
        opened.append("in")
        return self

    async def __aexit__(self, *error: object) -> None:
        opened.append("out")

    async def load_threads(self, limit: int, after: Any, order: str, context: Any) -> Any:
        contexts.append(context)
        return await super().load_threads(limit, after, order, context)


class Server(ChatKitServer[Any]):
    """A server that answers nothing."""

    def respond(self, thread: Any, input_user_message: Any, context: Any) -> Any:
        raise NotImplementedError


async def fill() -> None:
    """Make a store with five threads of one user, of 0, 20, 40, 60 and 80 days; the oldest has an attachment."""
    global store, files
    store, files = Opening(), Files()
    opened.clear()
    contexts.clear()
    for age in range(0, 100, 20):
        made = datetime.now().astimezone() - timedelta(days=age)
        thread = ThreadMetadata(id=f"thr_{age}", created_at=made)
        await store.save_thread(stamped(thread, ALICE), None)
    await store.save_attachment(an_attachment("atc", "thr_80"), None)
    await store.add_thread_item("thr_80", a_message("thr_80", "atc"), None)
    files.bytes["atc"] = b""


def server() -> Server:
    policy = RetentionPolicy(max_age=timedelta(days=30))
    return Server(OwnershipStore(RetentionStore(store, policy=policy)), files)


async def later() -> Any:
    return server()


@asynccontextmanager
async def block() -> AsyncGenerator[Any]:
    yield server()


def needs(argument: int) -> Any:
    return argument


def broken() -> Any:
    raise OSError("secret words")


def builtin() -> Any:
    return 5


def endless() -> Any:
    return endless


dictionary = dict  # its signature is not told


def context() -> str:
    return "own"


async def context_later() -> str:
    return "later"
