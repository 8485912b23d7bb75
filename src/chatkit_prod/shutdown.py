"""What becomes of open streams when the process ends."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

_open: "set[DrivingTask]" = set()


class DrivingTask(asyncio.Task[None]):
    """A task that takes the end of the event loop for a stop.

    `asyncio.run` ends by cancelling every task, also one that is just saving what a first cancel
    left. It does so when the loop does not run, by which it is told from a timeout inside the app.

    Args:
        coroutine: What the task does.
        stop: Called, any number of times, when the process ends.
        patience: Seconds that the task may take to end after that.
    """

    def __init__(
        self, coroutine: Coroutine[Any, Any, None], *, stop: Callable[[], None], patience: float
    ) -> None:
        super().__init__(coroutine)
        self.stop = stop
        self.patience = patience
        _open.add(self)
        self.add_done_callback(_open.discard)

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel the task; at the end of the loop, stop it instead."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.stop()
            return True
        return super().cancel(msg)

    def interrupt(self) -> None:
        """Raise `CancelledError` at the task's next wait."""
        super().cancel()


async def close_streams() -> None:
    """Stop every stream of this event loop, and wait until each has saved what there is.

    To be awaited when the app shuts down, before its store is closed: a server that is told to stop
    does not always wait for the streams that it cancels, and may end the process while they save.
    Waits no longer than `cancel_grace` allows.
    """
    loop = asyncio.get_running_loop()
    tasks = [task for task in _open if task.get_loop() is loop]
    for task in tasks:
        task.stop()
    if tasks:
        await asyncio.wait(tasks, timeout=max(task.patience for task in tasks))
