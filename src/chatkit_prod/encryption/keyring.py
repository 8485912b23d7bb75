"""Who wraps data keys: a key of the process, or a service that never gives its own away."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self, cast, runtime_checkable

from chatkit_prod.options import is_text

from .envelope import decoded, encoded
from .errors import UnsealError


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key that only a keyring can open.

    Args:
        key_id: The key-encryption key that wrapped it; not secret, stored beside it, and logged.
        blob: What the keyring made of the data key.
    """

    key_id: str
    blob: bytes

    def stored(self) -> dict[str, str]:
        """Return it as JSON, as rows have it."""
        return {"id": self.key_id, "wrapped": encoded(self.blob)}

    @classmethod
    def read(cls, stored: object) -> Self:
        """Read it from a row.

        Raises:
            UnsealError: It is none.
        """
        fields: Mapping[str, Any] = cast("Any", stored) if isinstance(stored, Mapping) else {}
        key_id, wrapped = fields.get("id"), fields.get("wrapped")
        if not is_text(key_id) or not is_text(wrapped):
            raise UnsealError("without its key")
        return cls(key_id, decoded(wrapped))


@runtime_checkable
class Keyring(Protocol):
    """Wraps data keys of 32 bytes under a key-encryption key, and unwraps them."""

    @property
    def key_id(self) -> str:
        """The key that `wrap` uses from now on; `reseal` rewraps what another has wrapped."""
        ...

    async def wrap(self, data_key: bytes, *, associated_data: bytes) -> WrappedKey:
        """Wrap a data key.

        Args:
            data_key: 32 random bytes; secret.
            associated_data: What it belongs to; it need not be kept, and must be the same for `unwrap`.
        """
        ...

    async def unwrap(self, wrapped: WrappedKey, *, associated_data: bytes) -> bytes:
        """Unwrap a data key, whichever of the keys wrapped it.

        Raises:
            UnsealError: The key is unknown, or did not wrap this, or not for this. Whatever else is raised, such
                as for a service that does not answer, is passed on to the caller of the store.
        """
        ...
