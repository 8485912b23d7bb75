"""The data keys of rows: made, wrapped, and remembered for a while once unwrapped.

    row → WrappedKey → remembered? → keyring → RowKey

A call of a key service takes milliseconds, so that unwrapped keys are kept, as few and as briefly as configured.
"""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chatkit_prod.options import awaited

from .envelope import KEY_BYTES, associated_data
from .errors import UnsealError
from .keyring import Keyring, WrappedKey

_AT_ONCE = 8


class Row(NamedTuple):
    """Whose a data key is."""

    kind: Literal["thread", "attachment"]
    id: str


@dataclass(frozen=True, slots=True)
class RowKey:
    """The data key of a thread, with which its items are sealed as well, or of an attachment.

    Args:
        data_key: The key itself; secret.
        wrapped: The same, as it is stored.
        is_carried: Whether the items that it seals have to carry it, as their thread does not have it.
    """

    data_key: bytes = field(repr=False)
    wrapped: WrappedKey
    is_carried: bool = False
    cipher: AESGCM = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cipher", AESGCM(self.data_key))


class RowKeys:
    """The data keys that a keyring wraps.

    Args:
        keyring: Wraps and unwraps.
        size: For how many rows unwrapped keys are kept; those of the row asked for longest ago go first.
        seconds: How long they are kept: so long a key is used on that the service has been told to refuse.
    """

    def __init__(self, keyring: Keyring, *, size: int, seconds: float) -> None:
        self._keyring = keyring
        self._size = size
        self._seconds = seconds
        self._kept: OrderedDict[Row, dict[WrappedKey, tuple[RowKey, float]]] = OrderedDict()
        self._carried: OrderedDict[Row, tuple[RowKey, float]] = OrderedDict()

    def is_current(self, key: RowKey) -> bool:
        """Tell whether the current key-encryption key has wrapped it."""
        return key.wrapped.key_id == self._keyring.key_id

    async def make(self, row: Row) -> RowKey:
        """Return a new random key."""
        return self._keep(row, await self._wrapped(row, secrets.token_bytes(KEY_BYTES)))

    async def carried(self, row: Row) -> RowKey:
        """Return a key for the items of a thread that has none; the same one for a while."""
        found, until = self._carried.get(row, (None, 0.0))
        if found is None or until <= time.monotonic() or not self.is_current(found):
            found = replace(await self.make(row), is_carried=True)
            self._carried[row] = found, time.monotonic() + self._seconds
            if len(self._carried) > self._size:
                self._carried.popitem(last=False)
        return found

    async def current(self, row: Row, key: RowKey) -> RowKey:
        """Return the same key, wrapped by the current key-encryption key."""
        return key if self.is_current(key) else self._keep(row, await self._wrapped(row, key.data_key))

    async def unwrap(self, row: Row, wrapped: WrappedKey) -> RowKey:
        """Return the key of a row.

        Raises:
            UnsealError: The keyring cannot unwrap it, or not for this row.
        """
        found = self._find(row, wrapped)
        if found is not None:
            return found
        try:
            unwrapping = self._keyring.unwrap(wrapped, associated_data=_belongs_to(row))
            data_key = await awaited(unwrapping, "keyring.unwrap")
        except UnsealError as error:
            raise UnsealError(error.reason, key_id=wrapped.key_id) from None
        if not isinstance(data_key, bytes) or len(data_key) != KEY_BYTES:
            raise UnsealError("sealed under a key of another length", key_id=wrapped.key_id)
        return self._keep(row, RowKey(data_key, wrapped))

    async def warm(self, wanted: Iterable[tuple[Row, WrappedKey]]) -> None:
        """Unwrap several at once; one that fails will fail again for whoever needs it."""
        missing = [each for each in dict.fromkeys(wanted) if self._find(*each) is None]
        slots = asyncio.Semaphore(_AT_ONCE)

        async def unwrap(row: Row, wrapped: WrappedKey) -> None:
            async with slots:
                await self.unwrap(row, wrapped)

        if len(missing) > 1:
            await asyncio.gather(*(unwrap(*each) for each in missing), return_exceptions=True)

    def forget(self, row: Row) -> None:
        """Forget the keys of a row that is deleted."""
        self._kept.pop(row, None)
        self._carried.pop(row, None)

    async def _wrapped(self, row: Row, data_key: bytes) -> RowKey:
        wrapping = self._keyring.wrap(data_key, associated_data=_belongs_to(row))
        return RowKey(data_key, await awaited(wrapping, "keyring.wrap"))

    def _find(self, row: Row, wrapped: WrappedKey) -> RowKey | None:
        found, until = self._kept.get(row, {}).get(wrapped, (None, 0.0))
        if found is None or until <= time.monotonic():
            return None
        self._kept.move_to_end(row)
        return found

    def _keep(self, row: Row, key: RowKey) -> RowKey:
        now = time.monotonic()
        kept = {wrapped: entry for wrapped, entry in self._kept.pop(row, {}).items() if entry[1] > now}
        self._kept[row] = {**kept, key.wrapped: (key, now + self._seconds)}
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return key


def _belongs_to(row: Row) -> bytes:
    return associated_data("key", *row)
