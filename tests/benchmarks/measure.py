"""CPU time of requests, in pairs."""

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from chatkit_prod.asgi import ASGIApp, Message, Scope

Batch = Callable[[], Awaitable[float]]
"""Runs some requests and returns the seconds of CPU time that one of them took."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Args:
        case: What was measured.
        value: The figure.
        limit: What it may be at most.
        unit: Of both.
        strict: It has to be below.
        at_least: It may be that at least.
    """

    case: str
    value: float
    limit: float
    unit: str = ""
    strict: bool = False
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the figure is within its limit."""
        if self.at_least:
            return self.value >= self.limit
        return self.value < self.limit if self.strict else self.value <= self.limit

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "<" if self.strict else "≤"
        return f"| {self.case} | {self.value:.3g}{self.unit} | {sign} {self.limit:g}{self.unit} |"


class Request:
    """One request, sent again and again to an app in the same process, to a client that takes everything.

    Args:
        body: The body.
        headers: By lower-case name.
    """

    def __init__(self, body: bytes, headers: Mapping[str, str]) -> None:
        self._body = body
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def send(self, app: ASGIApp, *, until_first_event: bool = False) -> float:
        """Return the seconds of CPU time until the end of the answer, or until its first bytes.

        Raises:
            RuntimeError: The answer is not a 200.
        """
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/chatkit",
            "raw_path": b"/chatkit",
            "query_string": b"",
            "root_path": "",
            "headers": self._headers,
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        messages: list[Message] = [{"type": "http.request", "body": self._body, "more_body": False}]
        complete = asyncio.Event()
        first = 0.0

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await complete.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal first
            if message["type"] == "http.response.start":
                if message["status"] != 200:
                    raise RuntimeError(message)
                return
            first = first or time.process_time()
            if not message.get("more_body", False):
                complete.set()

        started = time.process_time()
        await app(scope, receive, send)
        return (first if until_first_event else time.process_time()) - started


def batch(
    request: Request,
    app: ASGIApp,
    reset: Callable[[], Awaitable[None]],
    *,
    size: int,
    first: bool = False,
) -> Batch:
    """Return a batch of `size` requests, whose figure is their median.

    Args:
        request: Sent again and again.
        app: Answers it.
        reset: Awaited before each batch.
        size: How many requests.
        first: Whether only the time until the first event counts.
    """

    async def run() -> float:
        await reset()
        return statistics.median([await request.send(app, until_first_event=first) for _ in range(size)])

    return run


async def paired(batches: Mapping[str, Batch], *, rounds: int) -> dict[str, list[float]]:
    """Run the batches in turn, round by round, so that a drift of the machine meets them all.

    Args:
        batches: By name.
        rounds: How many times each is run and counted; one more is run first.

    Returns:
        The seconds of CPU time of one request, by name, a figure a round.
    """
    figures: dict[str, list[float]] = {name: [] for name in batches}
    for counted in [False] + [True] * rounds:
        for name, batch in batches.items():
            gc.collect()
            seconds = await batch()
            if counted:
                figures[name].append(seconds)
    return figures


def ratio(figures: Mapping[str, list[float]], name: str, base: str) -> float:
    """Return the median of the ratios, round by round."""
    return statistics.median(a / b for a, b in zip(figures[name], figures[base], strict=True))
