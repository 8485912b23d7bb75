"""What has been found out about tokens, for a while."""

from collections import OrderedDict
from contextlib import suppress
from hashlib import sha256
from typing import Generic, TypeVar

from chatkit_prod.errors import ConfigurationError

T = TypeVar("T")


class TokenCache(Generic[T]):
    """Remembers one value per token. Belongs to one verifier: what another found out is another question.

    Args:
        max_entries: How many are kept; the one that was asked for longest ago goes first.

    Raises:
        ConfigurationError: `max_entries` is negative or no number.
    """

    __slots__ = ("_entries", "_max_entries")

    def __init__(self, max_entries: int) -> None:
        if not isinstance(max_entries, int) or isinstance(max_entries, bool) or max_entries < 0:
            raise ConfigurationError(f"cache_size must be a number of tokens, not {max_entries!r}")
        self._entries: OrderedDict[bytes, tuple[T, float]] = OrderedDict()
        self._max_entries = max_entries

    @staticmethod
    def key(token: bytes) -> bytes:
        """Return the SHA-256 of the whole token: the token itself is never kept."""
        return sha256(token).digest()

    def get(self, key: bytes, now: float) -> T | None:
        """Return what is known, if it is still to be believed.

        Args:
            key: Of the token.
            now: The time, by the clock that `put` went by.
        """
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        value, until = entry
        if until <= now:
            return None
        self._entries[key] = entry  # at the end now
        return value

    def put(self, key: bytes, value: T, until: float) -> None:
        """Remember a value until a time."""
        self._entries.pop(key, None)
        self._entries[key] = value, until
        if len(self._entries) > self._max_entries:
            with suppress(KeyError):  # another thread was faster
                self._entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
