"""One command, from its arguments to its exit code."""

import logging
import signal
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Self

import anyio
import typer

from chatkit_prod.errors import ConfigurationError, stack_of
from chatkit_prod.records import audit_logger

logger = logging.getLogger("chatkit_prod")

FAILED = 1
"""The exit code of a command that has not done everything."""

INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 and the number of the signal."""


def run(command: Callable[[], Awaitable[int]]) -> None:
    """Run a command, and exit with what it returns.

    Audit records go to standard error, unless the app has said where they go. Of an error only the type is shown,
    for its message may quote what is stored; where it was raised is logged at level DEBUG.
    """
    _show_audit_records()

    async def main() -> int:
        return await command()

    try:
        code = anyio.run(main)
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from None
    except (typer.Exit, typer.BadParameter, KeyboardInterrupt):
        raise
    except Exception as error:  # noqa: BLE001 - the app's own code may raise anything
        logger.debug("%s", stack_of(error))
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        typer.echo(f"Failed with {name}; run it again when the cause is mended.", err=True)
        code = FAILED
    raise typer.Exit(code)


class Interrupt:
    """Notes the first Ctrl-C, so that a batch ends; the second one ends the process at once."""

    def __init__(self) -> None:
        self.happened = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as a handler is called
        self.happened = True
        signal.signal(signal.SIGINT, self._before)


def _show_audit_records() -> None:
    if not audit_logger.hasHandlers():
        audit_logger.addHandler(logging.StreamHandler())
    if audit_logger.level == logging.NOTSET:
        audit_logger.setLevel(logging.INFO)
