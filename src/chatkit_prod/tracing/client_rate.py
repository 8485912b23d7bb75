"""How many events a user may send, and when more of them are welcome."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

_MINUTE = 60.0
_ROUNDING = 1e-6


class EventRate:
    """Lets each user send so many events at once, and as many again every minute.

    The generic cell rate algorithm (ITU-T I.371 §A): one number per user, the time at which all that was
    sent would have been sent at an even pace. It lives in one process; each has its own.

    Args:
        per_minute: How many, at least 1.
        max_users: How many users are remembered; the one that was seen longest ago is forgotten first.
        clock: Seconds that only grow.
    """

    def __init__(
        self, per_minute: int, *, max_users: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds_each = _MINUTE / per_minute
        self._max_users = max_users
        self._clock = clock
        self._paid_until: OrderedDict[Hashable, float] = OrderedDict()

    def take(self, user: Hashable, count: int) -> int:
        """Take events in, all of them or none.

        Args:
            user: Whose they are.
            count: How many; never more than `per_minute`, or they could never be taken in.

        Returns:
            0, or the whole seconds after which this many would be taken in.
        """
        now = self._clock()
        until = max(now, self._paid_until.get(user, now)) + count * self._seconds_each
        if (wait := until - now - _MINUTE) > _ROUNDING:
            return math.ceil(wait)
        self._paid_until[user] = until
        self._paid_until.move_to_end(user)
        if len(self._paid_until) > self._max_users:
            self._paid_until.popitem(last=False)
        return 0

    def __len__(self) -> int:
        return len(self._paid_until)
