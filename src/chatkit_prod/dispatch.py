"""Which entrance of a `ChatKitServer` a validated request takes.

ChatKit's `process` builds its request validator anew for every request, which costs more than all
the rest. A server that has not changed it is entered one step further in, with the request that is
already validated. That step is not public: it is taken only where the methods are the ones that we
know, which a contract test checks against every supported release.
"""

import inspect
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from chatkit.server import ChatKitServer, NonStreamingResult, StreamingResult

from .operation import Operation
from .sse import WireEncoder, encode

if TYPE_CHECKING:
    from chatkit.types import NonStreamingReq, StreamingReq

Events = tuple[AsyncIterator[Any], Callable[[Any], bytes]]

_PASSED_BY = ("process", "_process_streaming", "_serialize")
"""The methods that the inner entrances do not go through: an app that changed one wants it called."""

_ENTRANCES = ("_process_streaming_impl", "_process_non_streaming")


@lru_cache
def _is_known(server_class: type[ChatKitServer[Any]]) -> bool:
    unchanged = all(getattr(server_class, name, None) is _BASE.get(name) for name in _PASSED_BY)
    return unchanged and all(
        list(inspect.signature(getattr(server_class, name, _nothing)).parameters)
        == ["self", "request", "context"]
        for name in _ENTRANCES
    )


def _nothing() -> None: ...


_BASE: dict[str, Any] = {name: getattr(ChatKitServer, name, _nothing) for name in _PASSED_BY}


class Dispatch:
    """Calls one server.

    Args:
        server: The app's server.
    """

    def __init__(self, server: ChatKitServer[Any]) -> None:
        self._server = server
        self._known = _is_known(type(server))

    @property
    def direct(self) -> bool:
        """Whether the inner entrances are taken; an attribute set on the instance counts as a change."""
        return self._known and not any(name in self._server.__dict__ for name in _PASSED_BY)

    async def answer(self, operation: Operation, context: Any) -> bytes:
        """Return the JSON answer of an operation that does not stream.

        Raises:
            TypeError: A server's own `process` returned a stream.
            Exception: Whatever the app raises.
        """
        if self.direct:
            request = cast("NonStreamingReq", operation.request)
            return await self._server._process_non_streaming(request, context)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        result = await self._server.process(operation.body, context)
        if not isinstance(result, NonStreamingResult):
            raise TypeError(operation.name)
        return result.json

    async def events(self, operation: Operation, context: Any) -> Events:
        """Return the events of an operation that streams, and what turns one of them into bytes.

        Raises:
            TypeError: A server's own `process` did not return a stream.
            Exception: Whatever a server's own `process` raises.
        """
        if self.direct:
            request = cast("StreamingReq", operation.request)
            return self._server._process_streaming_impl(request, context), encode  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        result = await self._server.process(operation.body, context)
        if not isinstance(result, StreamingResult):
            raise TypeError(operation.name)
        return result.json_events, WireEncoder()
