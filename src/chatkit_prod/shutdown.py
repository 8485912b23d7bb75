"""What becomes of open streams when the process ends."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

_open: "set[DrivingTask]" = set()
_requests: set[asyncio.Task[Any]] = set()
"""The tasks that answer; each outlives its stream, of which it tells how it ended."""

_TELLING_SECONDS = 1.0


class DrivingTask(asyncio.Task[None]):
    """A task that is cancelled where that does some good.

    * While it sends, a cancel by the app's own code, such as a timeout around what it yields, is put
      off: it belongs inside the generator, and the event that is being sent to the client.
    * `asyncio.run` ends by cancelling every task, also one that is just saving what a first cancel
      left. It does so when the loop does not run, by which it is known, and it counts as a stop.

    Args:
        coroutine: What the task does.
        stop: Called, any number of times, when the process ends.
        patience: Seconds that the task may take to end after that.

    Attributes:
        sending: Whether the task is sending; set by what it runs.
        unsettled: Whether the task was cancelled and has not yet gone on as usual; reset by what it runs.
    """

    def __init__(
        self, coroutine: Coroutine[Any, Any, None], *, stop: Callable[[], None], patience: float
    ) -> None:
        super().__init__(coroutine)
        self.stop = stop
        self.patience = patience
        self.sending = False
        self.unsettled = False
        self._overdue = False
        self._put_off: list[Any] = []
        _open.add(self)
        self.add_done_callback(_open.discard)
        request = asyncio.current_task()
        if request is not None:
            _requests.add(request)
            request.add_done_callback(_requests.discard)

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel the task, now or after the send; at the end of the loop, stop it instead."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.stop()
            return True
        if self.sending:
            self._put_off = [msg]
            return True
        self.unsettled = True
        return super().cancel(msg)

    def interrupt(self) -> None:
        """Raise `CancelledError` at the task's next wait, also in a send."""
        self.unsettled = True
        super().cancel()

    async def begin_send(self) -> None:
        """Note a send; a cancel that the generator has not met since the last one is put off again."""
        self.sending = True
        if self._overdue:
            self._overdue = False
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError as error:
                self.uncancel()
                self._put_off = [*error.args[:1]] or [None]

    def sent(self) -> None:
        """Note the end of a send, and catch up on a cancel that was put off."""
        self.sending = False
        if self._put_off:
            self.unsettled = self._overdue = super().cancel(self._put_off.pop())


async def close_streams() -> None:
    """Stop every stream of this event loop, and wait until each has saved what there is.

    To be awaited when the app shuts down, before its store is closed: a server that is told to stop
    does not always wait for the streams that it cancels, and may end the process while they save, or before
    telemetry knows how they ended. Waits no longer than `cancel_grace` and two seconds for each.
    """
    loop = asyncio.get_running_loop()
    waited_for: set[DrivingTask] = set()
    while tasks := {task for task in _open - waited_for if task.get_loop() is loop}:
        for task in tasks:
            task.stop()
        await asyncio.wait(tasks, timeout=max(task.patience for task in tasks))
        waited_for |= tasks
    requests = {task for task in _requests if task.get_loop() is loop} - {asyncio.current_task()}
    if requests:
        await asyncio.wait(requests, timeout=_TELLING_SECONDS)
