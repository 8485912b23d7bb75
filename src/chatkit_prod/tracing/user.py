"""Which user a request belongs to, as telemetry may have it."""

import hashlib
from typing import Literal, NamedTuple, get_args

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import named
from chatkit_prod.principal import Principal

from .names import USER_HASH, USER_ID

UserAs = Literal["id", "hash", "none"]

_MIN_KEY_BYTES = 16
_MAX_KEY_BYTES = hashlib.blake2b.MAX_KEY_SIZE


class User(NamedTuple):
    """A user as telemetry may have them; one of the two, or neither.

    Args:
        id: The subject of the principal.
        hash: The keyed hash of its issuer, tenant and subject.
    """

    id: str | None = None
    hash: str | None = None

    @property
    def attributes(self) -> dict[str, str]:
        """What spans and log records have of it."""
        if self.id is not None:
            return {USER_ID: self.id}
        return {} if self.hash is None else {USER_HASH: self.hash}


NOBODY = User()


class UserTag:
    """Names the user of a request.

    Args:
        shown_as: `id`, the subject of the principal; `hash`, a keyed hash of its issuer, tenant and subject,
            by which only who has the key finds a user; or `none`.
        key: That of the hash: 16 to 64 random bytes, the same on every machine.

    Raises:
        ConfigurationError: There is no such way, or a hash without its key, or a key without a hash.
    """

    def __init__(self, shown_as: UserAs, key: bytes | None) -> None:
        if shown_as not in get_args(UserAs):
            raise ConfigurationError(f"user_as must be one of {', '.join(get_args(UserAs))}")
        if (shown_as == "hash") != (key is not None):
            raise ConfigurationError('user_as="hash" and user_key go together')
        if key is not None and not (isinstance(key, bytes) and _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES):
            size = f"{len(key)} bytes" if isinstance(key, bytes) else named(key)
            raise ConfigurationError(
                f"user_key must be {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} random bytes, not {size}"
            )
        self._key = key
        self._shown_as = shown_as

    def __call__(self, principal: Principal | None) -> User:
        """Return the user; `NOBODY` if nobody is signed in, or nobody is to be named."""
        if principal is None or self._shown_as == "none":
            return NOBODY
        if self._key is None:
            return User(id=principal.subject)
        parts = (principal.issuer, principal.tenant or "", principal.subject)
        digest = hashlib.blake2b(
            "".join(f"{len(part)}:{part}" for part in parts).encode(errors="surrogatepass"),
            digest_size=16,
            key=self._key,
        )
        return User(hash=digest.hexdigest())
