"""What stands in a text where something personal stood."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from typing import Literal, TypeAlias

from chatkit_prod.errors import ConfigurationError

Replace: TypeAlias = Callable[[str, str], str]
"""Makes a marker, of the type of what was found, and of that itself."""

Action: TypeAlias = Literal["mask", "label", "pseudonym", "hash"]

MASK = "█████"

_SEPARATORS = re.compile(r"[\s().,/-]+")
_KEY_BYTES = range(16, 65)
_PSEUDONYM_BYTES = 5
_HASH_BYTES = 16


def markers(action: Action, key: bytes | None) -> Callable[[str], Replace]:
    """Return what makes the markers of a scope, such as a thread.

    Args:
        action: `mask` hides even what it was; `label` tells its type; `pseudonym` gives each value a name of its
            own, which is the same in its scope; `hash` gives it one that is the same everywhere.
        key: Of the pseudonyms and hashes (HMAC, RFC 2104): 16 to 64 random bytes. Without it, they are of this
            process only; and without a secret one, whoever has them could try out all phone numbers there are.

    Raises:
        ConfigurationError: There is no such action, or the key is too short or too long.
    """
    if key is not None and (not isinstance(key, bytes) or len(key) not in _KEY_BYTES):
        raise ConfigurationError("key must be 16 to 64 random bytes")
    secret = secrets.token_bytes(32) if key is None else key

    def pseudonyms(scope: str) -> Replace:
        def pseudonym(kind: str, value: str) -> str:
            digest = _digest(secret, scope, kind, value)
            return f"[{kind}_{base64.b32encode(digest[:_PSEUDONYM_BYTES]).decode()}]"

        return pseudonym

    def hashed(kind: str, value: str) -> str:
        return f"[{kind}_{_digest(secret, '', kind, value)[:_HASH_BYTES].hex()}]"

    made: dict[str, Callable[[str], Replace]] = {
        "mask": lambda _scope: lambda _kind, _value: MASK,
        "label": lambda _scope: lambda kind, _value: f"[{kind}]",
        "pseudonym": pseudonyms,
        "hash": lambda _scope: hashed,
    }
    if action not in made:
        raise ConfigurationError(f'action must be "mask", "label", "pseudonym" or "hash", not {action!r}')
    return made[action]


def _digest(key: bytes, scope: str, kind: str, value: str) -> bytes:
    """Return the digest of a value, however it is written."""
    plain = _SEPARATORS.sub("", value.casefold())
    return hmac.digest(key, f"{scope}\0{kind}\0{plain}".encode(errors="surrogatepass"), hashlib.sha256)
