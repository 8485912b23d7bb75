"""Keys for programs: long random secrets, of which only the hash is kept."""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from chatkit_prod.asgi import header_values, is_token
from chatkit_prod.errors import ConfigurationError, InvalidTokenError, MalformedCredentialsError
from chatkit_prod.options import is_text, looked_up
from chatkit_prod.principal import Principal

_CHALLENGE = 'ApiKey realm="chatkit"'
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEY = re.compile(rb"([A-Za-z0-9_-]{1,64})\.[A-Za-z0-9_-]{43}")
_HASH = re.compile(r"[0-9a-f]{64}")
_SECRET_BYTES = 32
_MAX_HASHES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """What the app keeps of a key: whose it is, and what it is good for.

    Args:
        subject: Whom the key speaks for; never reassigned.
        hashes: SHA-256 of the whole key in lower-case hex, as `APIKey.generate` returns it: one, or
            two while a new key takes the place of an old one.
        tenant: The organisation that the key acts for, if the app has tenants.
        scopes: What the key allows.
        expires_at: Seconds since the epoch after which the key is void; None if it has no end.

    Raises:
        ConfigurationError: The subject or the tenant is empty, a hash is not one, there are none or
            more than two, the scopes are not a set of names, or the end is not a time.
    """

    subject: str
    hashes: tuple[str, ...] = field(repr=False)
    tenant: str | None = None
    scopes: frozenset[str] = frozenset()
    expires_at: float | None = None

    def __post_init__(self) -> None:
        if (
            not isinstance(self.hashes, tuple)
            or not 1 <= len(self.hashes) <= _MAX_HASHES
            or not all(isinstance(value, str) and _HASH.fullmatch(value) for value in self.hashes)
        ):
            # What was given instead may be the key itself: it is not quoted.
            raise ConfigurationError(
                "hashes must be a tuple of one or two SHA-256 hashes in lower-case hex, never keys"
            )
        self.principal(issuer="any", key_id="any")

    def principal(self, *, issuer: str, key_id: str) -> Principal:
        """Return whom the key speaks for.

        Args:
            issuer: Who vouches for it.
            key_id: The id of the key, which the claims tell.

        Raises:
            ConfigurationError: The key holds what no principal can have.
        """
        return Principal(
            issuer=issuer,
            subject=self.subject,
            tenant=self.tenant,
            scopes=self.scopes,
            claims={"key_id": key_id},
            expires_at=self.expires_at,
            method="api_key",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedKey:
    """A new key.

    Args:
        key: For the program that will use it; shown once, kept nowhere.
        hash: For `StoredKey.hashes`.
    """

    key: str = field(repr=False)
    hash: str = field(repr=False)


KeyLookup = Callable[[str], Awaitable[StoredKey | None]]
"""Finds a key by its id, or None. The id is untrusted: 1 to 64 letters, digits, `_` and `-`."""

_NOBODY = StoredKey(subject="nobody", hashes=(secrets.token_hex(_SECRET_BYTES),))
"""Stands in for a key that does not exist; nobody knows what would have this hash."""


class APIKey:
    """Accepts keys of the form `<id>.<secret>`.

    The secret is 256 random bits, so there is nothing that a slow hash would protect: whoever has
    the hashes cannot guess a single key, and a slow hash in front of every request would be a way to
    keep the server busy. For the same reason a secret that a human chose must never be used here:
    make keys with `APIKey.generate`.

    Every comparison takes the same time, and an id that does not exist is compared as well. What a
    look-up of the app takes is beyond that, so an id is not a secret.

    Args:
        keys: Every key by its id, or an async function that finds one. A mapping is read at each
            request: a key that is removed from it is refused at once.
        header: Where the key stands.
        issuer: The `issuer` of the principals, which keeps them apart from users of other schemes.

    Raises:
        ConfigurationError: `keys` is neither, or holds what is not an id or not a `StoredKey`;
            `header` is not the name of a header, or `Authorization`; `issuer` is no text, or empty.
    """

    def __init__(
        self, keys: Mapping[str, StoredKey] | KeyLookup, *, header: str = "x-api-key", issuer: str = "api-key"
    ) -> None:
        if not is_token(header):
            raise ConfigurationError(f"header must be the name of a header, not {header!r}")
        if header.lower() == "authorization":
            raise ConfigurationError(
                "header: an Authorization header begins with a scheme, name another header for keys"
            )
        if not is_text(issuer):
            raise ConfigurationError("issuer must be text, and not empty")
        self._lookup = _lookup_of(keys)
        self._header = header.lower().encode()
        self._issuer = issuer

    @staticmethod
    def generate(key_id: str) -> GeneratedKey:
        """Make a new key: 256 bits from the operating system.

        Args:
            key_id: 1 to 64 letters, digits, `_` and `-`. Not a secret; the same one again when a key
                is to be replaced.

        Raises:
            ConfigurationError: `key_id` is not of this form.
        """
        _require_key_id(key_id)
        key = f"{key_id}.{secrets.token_urlsafe(_SECRET_BYTES)}"
        return GeneratedKey(key=key, hash=_hash(key.encode()))

    @property
    def challenge(self) -> str:
        """`ApiKey`: not a registered scheme, but RFC 9110 §11.6.1 wants one."""
        return _CHALLENGE

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        """Return whom the key speaks for, or None if the request carries none.

        The principal's `claims` have the `key_id`, so that one can tell which key was used.

        Raises:
            MalformedCredentialsError: There are two of the header.
            InvalidTokenError: The key is malformed, unknown, wrong or expired; the client cannot tell which.
        """
        values = list(header_values(connection.scope, self._header))
        if not values:
            return None
        if len(values) > 1:
            raise MalformedCredentialsError(_CHALLENGE, "two headers")
        found = _KEY.fullmatch(values[0])
        if not found:
            raise InvalidTokenError(_CHALLENGE, "malformed")
        key_id = found[1].decode()
        stored = await looked_up(self._lookup(key_id), "the look-up of APIKey", StoredKey)
        is_right = _matches(values[0], stored or _NOBODY)
        if stored is None:
            raise InvalidTokenError(_CHALLENGE, "unknown key id")
        if not is_right:
            raise InvalidTokenError(_CHALLENGE, "wrong secret")
        if stored.expires_at is not None and stored.expires_at <= time.time():
            raise InvalidTokenError(_CHALLENGE, "expired")
        return stored.principal(issuer=self._issuer, key_id=key_id)


def _lookup_of(keys: Mapping[str, StoredKey] | KeyLookup) -> KeyLookup:
    if callable(keys) and not isinstance(keys, type):
        return keys
    if not isinstance(keys, Mapping):
        raise ConfigurationError(
            "keys must be a mapping of ids to StoredKeys, or an async function that finds one"
        )
    for key_id, stored in keys.items():
        _require_key_id(key_id)
        if not isinstance(stored, StoredKey):
            raise ConfigurationError(f"keys[{key_id!r}] must be a StoredKey")

    async def lookup(key_id: str) -> StoredKey | None:
        return keys.get(key_id)

    return lookup


def _require_key_id(key_id: object) -> None:
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        # Not quoted: it may be a whole key.
        raise ConfigurationError("the id of a key is 1 to 64 letters, digits, _ and -")


def _hash(key: bytes) -> str:
    # The id is part of what is hashed: a hash that is moved to another id is worth nothing there.
    return hashlib.sha256(key).hexdigest()


def _matches(key: bytes, stored: StoredKey) -> bool:
    """Compare with both hashes, which are one and the same where no key is being replaced."""
    presented = _hash(key)
    # Two statements: the second comparison takes place whatever the first one says.
    is_first = hmac.compare_digest(presented, stored.hashes[0])
    is_last = hmac.compare_digest(presented, stored.hashes[-1])
    return is_first or is_last
