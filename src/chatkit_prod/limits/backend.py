"""Where counters and slots are kept."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from chatkit_prod.errors import ConfigurationError

from .rules import Window

if TYPE_CHECKING:
    from .standing import Standing


class StorageDownError(Exception):
    """The counters cannot be asked; the cause is in the log."""


class Slot(Protocol):
    """A place among the open streams of a user."""

    async def release(self) -> None:
        """Give the place back; it is given back even if whoever waits for this is cancelled."""
        ...


class Backend(Protocol):
    """Counts, and holds slots. Every method may raise `StorageDownError`, but for what gives something back."""

    async def count(self, window: Window, key: str, cost: int = 1) -> "Standing":
        """Count in a window, and return how it stands then."""
        ...

    async def look(self, window: Window, key: str) -> "Standing":
        """Return how a window stands."""
        ...

    async def hold(self, key: str, limit: int, token: str) -> Slot | None:
        """Take a slot.

        Args:
            key: Whose.
            limit: How many there are.
            token: Which stream it is for; never used twice.

        Returns:
            The slot; None if all are taken.
        """
        ...

    async def settle(self, work: Coroutine[Any, Any, None]) -> None:
        """Carry out what is left to do at the end of a request, even if whoever waits for it is cancelled."""
        ...

    async def aclose(self) -> None:
        """Close what is open."""
        ...


def backend_for(storage: object, *, lease: float, timeout: float) -> Backend:
    """Return what keeps the counters of an app.

    Args:
        storage: `memory://`, `redis://…` or `rediss://…`.
        lease: Seconds after which the slot of a dead process is free again.
        timeout: Seconds that one answer of Redis may take.

    Raises:
        ConfigurationError: It is something else, or its client is not installed.
    """
    url = storage.removeprefix("async+") if isinstance(storage, str) else ""
    if url == "memory://":
        from .memory import MemoryBackend  # noqa: PLC0415 - stands on the extra

        return MemoryBackend()
    if urlsplit(url).scheme not in ("redis", "rediss"):
        raise ConfigurationError('storage must be "memory://", or a URL such as "redis://localhost:6379/0"')
    try:
        from .redis import RedisBackend  # noqa: PLC0415 - stands on the extra
    except ImportError:
        raise ConfigurationError(
            'storage="redis://…" needs the extra `limits`: pip install "chatkit-prod[limits]"'
        ) from None
    return RedisBackend(url, lease=lease, timeout=timeout)
