"""One task drives the server's generator and sends what it yields.

Theory of operation. ChatKit saves a half-finished answer only when `CancelledError` is raised inside
its generator, while `respond` is being iterated, and only if nothing cancels the saving itself. So

* the generator is iterated by a task of its own, which no cancel scope of the request reaches;
* a stop cancels that task once, and again when the grace is over. Where it is then decides:

    prelude    the user's message is being stored, and then the head sent: the stop waits for both
    pulling    in the model, a tool or the store: `CancelledError` is raised right there
    sending    the send is given up, and the next wait inside the generator is cancelled instead

* a stop that meets a cancel by the app's own code waits until the generator has yielded again, or
  half the grace is over: what is going on may be the saving already;
* what cancels the task otherwise, the end of the event loop or a timeout of the app, is told apart
  in `shutdown.py`.

    run ─┬─ the driving task      prelude → head → (pull → encode → send)*
         ├─ a listener            waits for `http.disconnect`
         ├─ the clock             keep-alive, deadline, grace
         └─ the conclusion        outcome, last event, end of the response
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Generic, Literal, TypeVar

from anyio import CancelScope

from .asgi import Message, Receive, Send
from .errors import stack_of
from .shutdown import DrivingTask
from .sse import KEEP_ALIVE, created_thread, error_event, is_error, is_prelude
from .state import Outcome, RequestState

TEvent = TypeVar("TEvent")

Stop = Literal["disconnect", "deadline", "shutdown"]

logger = logging.getLogger("chatkit_prod")

_ABORT_SECONDS = 1.0


class EmptyStreamError(Exception):
    """The server ended a stream without any event, which its client would take for silent success."""


class StreamDriver(Generic[TEvent]):
    """Sends one stream of events to one client, and stops it so that nothing is lost.

    Args:
        events: The server's generator.
        encode: Turns an event into bytes, or into none if it must not leave.
        head: The `http.response.start` message; sent together with the first events, when the
            prelude is over. A generator that raises before has sent nothing.
        state: Gets the outcome.
        keep_alive: Seconds of silence after which a comment is sent.
        cancel_grace: Seconds that a stopped generator gets to finish.
        deadline: Time of the event loop's clock at which the stream is ended; None for never.
        deadline_message: What the client shows then, in the user's language.

    Attributes:
        unsent: The encoded events of a prelude that has not been sent.
    """

    def __init__(
        self,
        events: AsyncIterator[TEvent],
        encode: Callable[[TEvent], bytes],
        *,
        head: Message,
        state: RequestState,
        keep_alive: float,
        cancel_grace: float,
        deadline: float | None,
        deadline_message: str,
    ) -> None:
        self.unsent = b""
        self._events = events
        self._encode = encode
        self._head = head
        self._state = state
        self._keep_alive = keep_alive
        self._cancel_grace = cancel_grace
        self._deadline = deadline
        self._deadline_message = deadline_message
        self._loop = asyncio.get_running_loop()
        self._in_prelude = True
        self._aborted = False
        self._head_sent = False
        self._complete = False
        self._stopped: Stop | None = None
        self._postponed = False
        self._stopped_at = 0.0
        self._sent_at = 0.0
        self._ping: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    async def run(self, receive: Receive, send: Send) -> None:
        """Drive the stream to its end, or until the client goes, the deadline passes, or we are cancelled.

        Raises:
            EmptyStreamError: There was no event; nothing has been sent.
            Exception: What the server raised in the prelude; nothing has been sent.
            asyncio.CancelledError: The request was cancelled; the generator has finished all the same,
                or was given up after the grace.
        """
        self._send = send
        self._sent_at = self._loop.time()
        self._task = DrivingTask(
            self._drive(),
            stop=partial(self.stop, "shutdown"),
            patience=self._cancel_grace + _ABORT_SECONDS,
        )
        self._listener = self._loop.create_task(_disconnected(receive))
        try:
            await self._watch()
            await self._conclude()
        except asyncio.CancelledError:
            self.stop("shutdown")
            with CancelScope(shield=True):
                await self._outlast_cancels()
            raise
        finally:
            self._listener.cancel()
            if self._ping is not None:
                self._ping.cancel()

    def stop(self, reason: Stop) -> None:
        """Cancel the generator once: now, behind the prelude, or when it has got over another cancel."""
        if self._stopped is None:
            self._stopped = reason
            self._stopped_at = self._loop.time()
            self._listener.cancel()  # which also wakes the clock
            interruptible = not self._in_prelude or (reason == "disconnect" and self._task.sending)
            if interruptible and not self._task.unsettled:
                self._task.interrupt()
            else:
                self._postponed = interruptible

    async def _outlast_cancels(self) -> None:
        """Go on to the end, however often the request is cancelled; bounded by the grace and a second."""
        while True:
            with suppress(asyncio.CancelledError):
                await self._watch()
                await self._conclude()
                return

    async def _watch(self) -> None:
        """Wait for the driving task, and stop it when it is time."""
        while not self._task.done() and not self._aborted:
            now = self._loop.time()
            if self._listener.done():
                self.stop("disconnect")
            if self._deadline is not None and now >= self._deadline:
                self.stop("deadline")
            if self._stopped is None:
                self._ping_if_silent(now)
            elif now >= self._stopped_at + self._cancel_grace:
                await self._abort()
            elif now >= self._stopped_at + self._cancel_grace / 2:
                self._catch_up()
            waiting_for = {self._task} if self._listener.done() else {self._task, self._listener}
            await asyncio.wait(waiting_for, timeout=self._pause(), return_when=asyncio.FIRST_COMPLETED)

    def _pause(self) -> float:
        """Return the seconds until something has to be done."""
        now = self._loop.time()
        if self._stopped is not None:
            patience = self._cancel_grace / 2 if self._postponed else self._cancel_grace
            return max(self._stopped_at + patience - now, 0)
        next_ping = max(self._sent_at + self._keep_alive - now, 0.001)
        return next_ping if self._deadline is None else min(next_ping, max(self._deadline - now, 0))

    def _catch_up(self) -> None:
        """Cancel the generator now, if the stop was postponed."""
        if self._postponed:
            self._postponed = False
            self._task.interrupt()

    async def _abort(self) -> None:
        """Give up on a generator that does not end; what it wanted to save may be lost."""
        logger.error(
            "the stream of request %s did not end within cancel_grace=%s seconds",
            self._state.request_id,
            self._cancel_grace,
        )
        self._aborted = True
        self._task.interrupt()
        await asyncio.wait({self._task}, timeout=_ABORT_SECONDS)

    def _ping_if_silent(self, now: float) -> None:
        if now < self._sent_at + self._keep_alive:
            return
        self._sent_at = now
        idle = not self._in_prelude and not self._task.sending
        if idle and (self._ping is None or self._ping.done()):
            self._ping = self._loop.create_task(_ping(self._send))

    async def _conclude(self) -> None:
        """Note the outcome, and end a response that did not end itself, where somebody may still read it."""
        state = self._state
        if self._complete:
            state.outcome = state.outcome or "completed"
            return
        if self._stopped is None and not self._head_sent:
            if self._task.cancelled():
                raise RuntimeError("the server's generator was cancelled from within, before its first event")
            self._task.result()
        if self._task.done() and not self._task.cancelled() and (error := self._task.exception()):
            logger.error("the stream of request %s failed\n%s", state.request_id, stack_of(error))
        has_failed = state.outcome == "error"
        state.outcome = _OUTCOMES[self._stopped]
        if self._stopped == "shutdown":
            state.error_type = "shutdown"
        if self._stopped == "deadline":
            await self._end_with(error_event(message=self._deadline_message, allow_retry=False))
        elif self._stopped != "disconnect":
            await self._end_with(b"" if has_failed else error_event())

    async def _end_with(self, last: bytes) -> None:
        """End a response that was stopped, unless a send is still under way, and within a second."""
        if self._ending is None and not self._task.sending:
            head = [] if self._head_sent else [self._head]
            self._ending = self._loop.create_task(self._send_all([*head, _body(last), _END]))
            self._loop.call_later(_ABORT_SECONDS, self._ending.cancel)
        if self._ending is not None and not self._ending.done():
            await asyncio.wait({self._ending})

    async def _send_all(self, messages: list[Message]) -> None:
        with suppress(Exception):  # servers differ in what they raise when nobody listens any more
            if self._ping is not None and not self._ping.done():
                await asyncio.wait({self._ping})
            for message in messages:
                await self._send(message)

    async def _drive(self) -> None:
        """Pull, encode and send: the driving task."""
        try:
            await self._prelude()
            first, self.unsent = self.unsent, b""
            if self._stopped != "disconnect":
                await self._transmit(self._head, _body(first))
                self._head_sent = True
            self._in_prelude = False
            if self._stopped is not None:
                self._task.interrupt()
            await self._pull()
        finally:
            await self._close()
        if self._stopped is None:
            self._complete = True
            await self._transmit(_END)

    async def _prelude(self) -> None:
        """Collect what comes before `respond`, and the event behind it, which says that it is over."""
        async for event in self._events:
            chunk = self._encode(event)
            self.unsent += chunk
            if chunk and not is_prelude(chunk):
                self._note(chunk)
                break
        if not self.unsent:
            raise EmptyStreamError
        self._state.thread_id = created_thread(self.unsent) or self._state.thread_id

    async def _pull(self) -> None:
        """Send the events until there are no more, or until the cancel that a stop has left arrives."""
        try:
            async for event in self._events:
                self._task.unsettled = False
                self._catch_up()
                chunk = self._encode(event)
                if chunk and self._stopped is None:
                    await self._transmit(_body(chunk))
                    self._note(chunk)
        except asyncio.CancelledError as error:
            if self._stopped is None:
                await self._fail(error)
        except Exception as error:  # noqa: BLE001 - the app's code may raise anything
            await self._fail(error)

    async def _fail(self, error: BaseException) -> None:
        """Log what the app raised, and end its stream with an event."""
        self._state.fail(error)
        logger.error("the stream of request %s failed\n%s", self._state.request_id, stack_of(error))
        if self._stopped is None:
            await self._transmit(_body(error_event(error)))

    async def _transmit(self, *messages: Message) -> None:
        """Send; a stop that arrives meanwhile is passed on to the generator, and so is a closed connection."""
        await self._task.begin_send()
        try:
            if self._ping is not None and not self._ping.done():
                await asyncio.wait({self._ping})
            for message in messages:
                if not self._aborted:
                    await self._send(message)
        except asyncio.CancelledError:
            if self._stopped is not None:
                self._task.uncancel()
                self._task.interrupt()
            self.stop("disconnect")
            if self._aborted:
                return  # `sending` stays: nobody knows what of it has been sent
        except Exception:  # noqa: BLE001 - servers differ in what they raise when nobody listens any more
            self.stop("disconnect")
        self._sent_at = self._loop.time()
        self._task.sent()

    async def _close(self) -> None:
        """Close the generator, which is at its end already unless it has failed."""
        close = getattr(self._events, "aclose", None)
        try:
            if close is not None:
                await close()
        except Exception as error:  # noqa: BLE001 - the app's code may raise anything
            logger.warning(
                "the generator of request %s did not close\n%s", self._state.request_id, stack_of(error)
            )

    def _note(self, chunk: bytes) -> None:
        """Remember that the server reported an error by an event."""
        if is_error(chunk):
            self._state.outcome = "error"


_OUTCOMES: dict[Stop | None, Outcome] = {
    None: "error",
    "deadline": "expired",
    "shutdown": "cancelled",
    "disconnect": "cancelled",
}

_END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


def _body(chunk: bytes) -> Message:
    return {"type": "http.response.body", "body": chunk, "more_body": True}


async def _disconnected(receive: Receive) -> None:
    with suppress(Exception):  # a channel that cannot be read any more is a disconnect as well
        while (await receive())["type"] != "http.disconnect":  # noqa: ASYNC110
            await asyncio.sleep(0)  # for a channel that never waits


async def _ping(send: Send) -> None:
    with suppress(Exception):  # the next event will find out
        await send(_body(KEEP_ALIVE))
