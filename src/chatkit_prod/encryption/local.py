"""A keyring whose keys are in the memory of the process.

    CHATKIT_PROD_KEYS="2027=<base64 of 32 bytes>,2026=<base64 of 32 bytes>"

The first key wraps; all of them unwrap. `openssl rand -base64 32` makes one.
"""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import is_text, named

from .envelope import KEY_BYTES, decoded, open_bytes, seal_bytes
from .errors import UnsealError
from .keyring import WrappedKey

_BETWEEN = re.compile(r"[\s,]+")


class LocalKeyring:
    """Wraps data keys with AES-256-GCM.

    A key may wrap 2³² data keys (NIST SP 800-38D §8.3): one for every thread, and one for every time that an
    attachment is saved.

    Args:
        keys: Keys of 32 bytes by their ids, the current one first. Ids are stored and logged.

    Attributes:
        key_id: The id of the current key.

    Raises:
        ConfigurationError: There is none, or one is no key, or two ids have the same key.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not isinstance(keys, Mapping) or not keys:
            raise ConfigurationError('keys must map ids to keys of 32 bytes, such as {"2027": key}')
        for key_id, key in keys.items():
            if not is_text(key_id):
                raise ConfigurationError(f"the id of a key must be a text, not {named(key_id)}")
            if not isinstance(key, bytes) or len(key) != KEY_BYTES:
                raise ConfigurationError(f"the key {key_id!r} must be {KEY_BYTES} bytes")
            if len(set(key)) == 1:
                raise ConfigurationError(f"the key {key_id!r} is one byte over and over, not a random key")
        if len(set(keys.values())) < len(keys):
            raise ConfigurationError("two ids have the same key: that would be no rotation")
        self.key_id: str = next(iter(keys))
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}

    @classmethod
    def from_env(cls, name: str = "CHATKIT_PROD_KEYS") -> Self:
        """Read the keys from an environment variable: `id=base64`, separated by commas or white space.

        Raises:
            ConfigurationError: It is not set, or holds something else.
        """
        return cls(_parsed(os.environ.get(name, ""), f"the environment variable {name}"))

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read the keys from a file, such as a mounted secret: one `id=base64` a line.

        Raises:
            ConfigurationError: It cannot be read, or holds something else.
        """
        try:
            text = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"the keys in {path} cannot be read: {type(error).__name__}") from None
        return cls(_parsed(text, f"the file {path}"))

    @classmethod
    def generate(cls) -> Self:
        """Return a keyring with one random key that nobody else has. For tests: it ends with the process."""
        return cls({secrets.token_hex(4): secrets.token_bytes(KEY_BYTES)})

    async def wrap(self, data_key: bytes, *, associated_data: bytes) -> WrappedKey:
        """Wrap a data key under the current key."""
        return WrappedKey(self.key_id, seal_bytes(self._ciphers[self.key_id], data_key, associated_data))

    async def unwrap(self, wrapped: WrappedKey, *, associated_data: bytes) -> bytes:
        """Unwrap a data key.

        Raises:
            UnsealError: Its key is not among these, or did not wrap it for this.
        """
        cipher = self._ciphers.get(wrapped.key_id)
        if cipher is None:
            raise UnsealError("sealed under a key that is not in the keyring", key_id=wrapped.key_id)
        return open_bytes(cipher, wrapped.blob, associated_data)

    def __repr__(self) -> str:
        return f"LocalKeyring({', '.join(self._ciphers)})"


def _parsed(text: str, where: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for entry in filter(None, _BETWEEN.split(text)):
        key_id, _, key = entry.partition("=")
        try:
            parsed = decoded(key)
        except UnsealError:
            parsed = b""
        if not key_id or len(parsed) != KEY_BYTES or key_id in keys:
            raise ConfigurationError(
                f"{where} must hold id=key pairs, each id once, each key {KEY_BYTES} bytes in base64: "
                f"see entry {len(keys) + 1}"
            )
        keys[key_id] = parsed
    if not keys:
        raise ConfigurationError(f"{where} holds no key: write id=$(openssl rand -base64 {KEY_BYTES})")
    return keys
