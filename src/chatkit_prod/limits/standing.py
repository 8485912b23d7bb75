"""How a window stands; needs no library."""

from typing import NamedTuple

from .rules import Window


class Standing(NamedTuple):
    """How a window stands for one caller.

    Args:
        window: Which one.
        used: How much of it is used, also beyond what there is.
        ends: In how many whole seconds everything is given back.
    """

    window: Window
    used: int
    ends: int

    @property
    def remaining(self) -> int:
        """How much is left."""
        return max(0, self.window.amount - self.used)
