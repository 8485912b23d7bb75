"""Telemetry that fails must not fail the request: what an exporter, a processor or a log handler raises ends here."""

import logging
from contextlib import suppress
from types import TracebackType

from chatkit_prod.errors import stack_of

logger = logging.getLogger("chatkit_prod")


class Quietly:
    """A block of telemetry. An exception in it is logged, if that is possible, and goes no further."""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        with suppress(Exception):
            logger.error("telemetry failed\n%s", stack_of(error))
        return True


quietly = Quietly()
"""The only one that is needed: it has no state."""
