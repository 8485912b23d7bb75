"""Time, as a test wants it."""

import time


class Clock:
    """Stands in for `time.monotonic`, and for the module `time`; goes on when a test says so.

    Attributes:
        now: Seconds since the epoch.
    """

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds
