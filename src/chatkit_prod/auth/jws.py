"""Compact JWS (RFC 7515 §7.1), checked strictly, whatever they say.

bytes → parse → header, payload, signature → verified_by → payload
              ↘                            ↘ InvalidTokenError
"""

import binascii
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from chatkit_prod.errors import ConfigurationError, ForeignTokenError, InvalidTokenError

from .algorithms import Algorithm, select
from .credentials import CHALLENGE
from .keys import Keys
from .strict_json import parse_object

MAX_TOKEN_BYTES = 16 * 1024
"""The longest token that is looked at; this is a security limit."""

_MAX_HEADER_CHARACTERS = 8 * 1024
_MAX_CANDIDATES = 10
_PARTS = 3
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TO_BASE64 = bytes.maketrans(b"-_", b"+/")
# The last character of 2 or 3 holds bits that are not used, and have to be zero (RFC 4648 §3.5).
_LAST_OF = {2: b"AQgw", 3: b"AEIMQUYcgkosw048"}


class UnknownKeyError(InvalidTokenError):
    """No key that we know can have made the signature; newer keys might."""


class CompactJWS(NamedTuple):
    """A token whose form is right; whether anything in it is true, nobody knows yet.

    Args:
        header: The protected header, untrusted.
        payload: The content, untrusted until `verified_by` has returned.
        signing_input: What was signed (RFC 7515 §5.1).
        signature: By whomever.
    """

    header: Mapping[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes

    def verified_by(self, keys: Keys, algorithms: Mapping[str, Algorithm]) -> bytes:
        """Return the payload, if one of the keys has signed it.

        Nothing in the header chooses a key but `kid` among ours: `jwk`, `jku`, `x5u` and `x5c` are
        never followed (RFC 8725 §3.10).

        Args:
            keys: The keys of the issuer.
            algorithms: The algorithms that are accepted, by `alg`.

        Raises:
            UnknownKeyError: No key has the `kid`, or without a `kid` no key has made the signature.
            InvalidTokenError: Anything else does not hold.
        """
        header = self.header
        name, kid = header.get("alg"), header.get("kid")
        algorithm = algorithms.get(name) if isinstance(name, str) else None
        if algorithm is None:
            raise InvalidTokenError(CHALLENGE, "alg")
        if "crit" in header or "b64" in header:  # we understand no extension (RFC 7515 §4.1.11, RFC 7797 §3)
            raise InvalidTokenError(CHALLENGE, "crit")
        if kid is not None and not isinstance(kid, str):
            raise InvalidTokenError(CHALLENGE, "kid")
        if kid is not None and kid not in keys:
            raise UnknownKeyError(CHALLENGE, "unknown key")
        for key in keys.fitting(kid, algorithm)[:_MAX_CANDIDATES]:
            if _holds(algorithm, self.signing_input, self.signature, key):
                return self.payload
        if kid is None:
            raise UnknownKeyError(CHALLENGE, "unknown key")
        raise InvalidTokenError(CHALLENGE, "signature")


def parse(token: bytes, *, padded: bool = False) -> CompactJWS:
    """Take a token apart.

    Args:
        token: What the client sent, untrusted.
        padded: Whether its parts may end with `=`, which RFC 7515 §2 forbids and AWS's load balancers do.

    Raises:
        ForeignTokenError: It does not look like a compact JWS at all.
        InvalidTokenError: It does, and is malformed.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise InvalidTokenError(CHALLENGE, "too long")
    parts = [_unpadded(part) for part in token.split(b".", 3)] if padded else token.split(b".", 3)
    if len(parts) != _PARTS or b"".join(parts).translate(None, _ALPHABET):
        raise ForeignTokenError(CHALLENGE, "not a JWS")
    header, payload, signature = parts
    if len(header) > _MAX_HEADER_CHARACTERS:
        raise InvalidTokenError(CHALLENGE, "too long")
    try:
        return CompactJWS(_header(header), _decoded(payload), token.rpartition(b".")[0], _decoded(signature))
    except ValueError:
        raise InvalidTokenError(CHALLENGE, "malformed") from None


def verify(token: bytes | str, jwks: Mapping[str, Any] | Keys, *, algorithms: Iterable[str]) -> bytes:
    """Return the payload of a compact JWS that one of the keys has signed.

    Args:
        token: What the client sent, untrusted; at most 16 KiB.
        jwks: The keys to trust, as a JWKS; `Keys` if they are used more than once.
        algorithms: The `alg` that are accepted, for example `["RS256"]`.

    Raises:
        InvalidTokenError: The token does not hold, in whatever way.
        ConfigurationError: `algorithms` is empty or holds what is no signature, or `jwks` is no JWKS. A
            JWKS without a good key is one, by which no token holds.
    """
    selected = select(algorithms)
    symmetric = all(algorithm.min_secret_bytes for algorithm in selected.values())
    try:
        keys = jwks if isinstance(jwks, Keys) else Keys(jwks, symmetric=symmetric)
    except ValueError as error:
        raise ConfigurationError(f"jwks: {error}") from error
    return parse(encoded(token)).verified_by(keys, selected)


def encoded(token: bytes | str) -> bytes:
    """Return a token as it stands in a header.

    Raises:
        InvalidTokenError: It is text outside ASCII.
    """
    try:
        return token.encode("ascii") if isinstance(token, str) else token
    except UnicodeEncodeError:
        raise InvalidTokenError(CHALLENGE, "malformed") from None


@lru_cache(maxsize=128)
def _header(text: bytes) -> Mapping[str, Any]:
    """Parse a header, of which there is one for all tokens of a key: that is a sixth of a verification.

    Raises:
        ValueError: It is no JSON object in base64url.
    """
    return MappingProxyType(parse_object(_decoded(text)))


def _decoded(text: bytes) -> bytes:
    """Decode base64url without padding (RFC 7515 §2), of which only one spelling exists.

    Raises:
        ValueError: Its length is impossible, or it could have been spelt otherwise.
    """
    rest = len(text) % 4
    if rest == 1 or (rest and text[-1] not in _LAST_OF[rest]):
        raise ValueError
    return binascii.a2b_base64(text.translate(_TO_BASE64) + b"=="[: -rest % 4])


def _unpadded(part: bytes) -> bytes:
    """Take the padding off, if it is whole (RFC 4648 §4); other signs are left for `parse` to refuse."""
    bare = part.rstrip(b"=")
    return bare if len(bare) + (-len(bare) % 4) == len(part) else part


def _holds(algorithm: Algorithm, signing_input: bytes, signature: bytes, key: Any) -> bool:
    try:
        return algorithm.model.verify(signing_input, signature, key)
    except Exception:  # noqa: BLE001 - a key or a signature may be odd in ways that raise
        return False
