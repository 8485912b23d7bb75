"""What stands between a validated request and the app's server."""

from typing import Any, Protocol

from .operation import Operation


class Gate(Protocol):
    """Decides whether a request goes on. It belongs to a store, and every endpoint of the store asks it."""

    async def admit(self, operation: Operation, context: Any, /) -> None:
        """Let a request go on, before the server runs; whatever is raised is a no, and becomes the answer."""
        ...
