"""One text after another is scrubbed, and other streams get their turn in between.

The work is a generator, without I/O: it stops where somebody else may go on.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterable
from typing import Any, Protocol, TypeVar, runtime_checkable

from anyio import Lock, to_thread
from anyio.lowlevel import RunVar

from .scrubber import Scrubbed

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Work that is done in steps, and returns something at its end."""

SLICE = 4 * 1024
"""So many characters are scrubbed in one step: hostile ones take a few milliseconds."""
_COST = 32
"""What a text costs beside its characters, in characters."""


class Window(Protocol):
    """What scrubs a text that comes in parts."""

    counts: Counter[str]

    def feed(self, delta: str) -> str:
        """Take a part, and return what can no longer change."""
        ...

    def finish(self) -> str:
        """Return the rest."""
        ...


@runtime_checkable
class AnyScrubber(Protocol):
    """What takes personal data out of texts: a `Scrubber`, or an app's own.

    For every text, and every way to cut it, what a window releases is what `scrub` returns.
    """

    @property
    def is_slow(self) -> bool:
        """Whether it has to be called in a thread."""
        ...

    def scrub(self, text: str, /, *, scope: str = "") -> Scrubbed:
        """Return a text without its personal data, and what was found."""
        ...

    def stream(self, *, scope: str = "") -> Window:
        """Return a window for a text that comes in parts."""
        ...


def pour(feed: Callable[[str], str], text: str) -> Steps[str]:
    """Feed a text to a window, and return what it releases; in steps where the text is long."""
    if len(text) <= SLICE:
        return feed(text)
    released: list[str] = []
    for start in range(0, len(text), SLICE):
        yield
        released.append(feed(text[start : start + SLICE]))
    return "".join(released)


class Cleaner:
    """Scrubs texts where they stand.

    Args:
        scrubber: What is taken out of them.

    Attributes:
        found: What was found, by type.
    """

    def __init__(self, scrubber: AnyScrubber) -> None:
        self.found = Counter[str]()
        self._scrubber = scrubber

    def clean(self, places: Iterable[tuple[Any, Any, str]]) -> Steps[bool]:
        """Scrub texts, and return whether one of them has changed.

        Args:
            places: What holds a text, under which key, and what its pseudonyms are stable in.
        """
        spent, changed = 0, False
        for holder, key, scope in places:
            text: str = holder[key]
            if len(text) > SLICE:
                clean = yield from self._clean_long(text, scope)
            else:
                scrubbed = self._scrubber.scrub(text, scope=scope)
                clean = scrubbed.text
                for finding in scrubbed.findings:
                    self.found[finding.type] += 1
            if clean != text:
                holder[key], changed = clean, True
            spent += len(text) + _COST
            if spent > SLICE:
                spent = 0
                yield
        return changed

    def _clean_long(self, text: str, scope: str) -> Steps[str]:
        window = self._scrubber.stream(scope=scope)
        released = yield from pour(window.feed, text)
        released += window.finish()
        self.found.update(window.counts)
        return released


async def run(steps: Steps[T], *, is_slow: bool) -> T:
    """Do work to its end: in a thread if it is slow, and else here, step by step.

    Of all the work that takes many steps, one step is done in a turn of the event loop: however much of it there is,
    another stream waits for one step.
    """
    if is_slow:
        return await to_thread.run_sync(_exhaust, steps)
    try:
        next(steps)
        while True:
            async with _turns():
                next(steps)
    except StopIteration as end:
        result: T = end.value
        return result


_lock: RunVar[Lock] = RunVar("chatkit_prod.pii.cleaning")


def _turns() -> Lock:
    """Return the lock of this event loop."""
    found = _lock.get(None)
    if found is None:
        found = Lock()
        _lock.set(found)
    return found


def _exhaust(steps: Steps[T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
