"""A JWKS (RFC 7517 §5) as the keys that may verify; a bad key is left out and never spoils the others."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from joserfc.jwk import ECKey, JWKRegistry, Key, OctKey, OKPKey, RSAKey

from .algorithms import ALGORITHMS, Algorithm

_MAX_KEYS = 100
_RSA_BITS = range(2048, 8193)
_MAX_RSA_EXPONENT = 2**32
_SIGNING_CURVES = ("Ed25519", "Ed448")
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
_PRIVATE, _SYMMETRIC = "private", "symmetric"
_PEM_MARKS = (b"-----BEGIN ", b"ssh-", b"ecdsa-sha2-")

# A modulus of the Infineon library is a power of 65537 modulo each of these (CVE-2017-15361).
_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
_ROCA_RESIDUES = {prime: {pow(65537, power, prime) for power in range(prime)} for prime in _ROCA_PRIMES}


class UnusableKeyError(ValueError):
    """A key cannot verify a signature for us; the text says why, in a word or two."""


class Keys:
    """The keys of one issuer. Immutable.

    Args:
        jwks: The document, untrusted.
        symmetric: Whether `oct` keys are wanted, or public keys.

    Attributes:
        rejected: Of every key that was left out, its place and why.

    Raises:
        ValueError: It is not a JWKS, or holds more than 100 keys.
    """

    __slots__ = ("_document", "_fitting", "_kids", "rejected")

    def __init__(self, jwks: object, *, symmetric: bool = False) -> None:
        self._document = _documents(jwks)
        self._fitting: dict[tuple[str | None, str], list[Key]] = {}
        self._kids: set[str] = set()
        self.rejected: list[tuple[int, str]] = []
        for index, document in enumerate(self._document):
            try:
                self._add(_imported(document, symmetric=symmetric))
            except UnusableKeyError as error:
                self.rejected.append((index, str(error)))

    def _add(self, key: Key) -> None:
        fitting = [algorithm.name for algorithm in ALGORITHMS.values() if algorithm.fits(key)]
        if not fitting:
            raise UnusableKeyError("alg")
        kid = cast("str", key.kid)
        self._kids.add(kid)
        for name in fitting:
            self._fitting.setdefault((kid, name), []).append(key)
            self._fitting.setdefault((None, name), []).append(key)

    @property
    def holds_secrets(self) -> bool:
        """Whether private or symmetric keys stand in a document of public keys; they are left out."""
        return any(reason in {_PRIVATE, _SYMMETRIC} for _, reason in self.rejected)

    def __bool__(self) -> bool:
        return bool(self._kids)

    def __contains__(self, kid: object) -> bool:
        return kid in self._kids

    def is_same_as(self, other: "Keys | None") -> bool:
        """Tell whether both were made of the same keys."""
        return other is not None and self._document == other._document  # noqa: SLF001 - of the same class

    def fitting(self, kid: str | None, algorithm: Algorithm) -> Sequence[Key]:
        """Return the keys that may have made a signature.

        Args:
            kid: The `kid` of a token's header, which is only a hint (RFC 7515 §4.1.4); without one,
                every key that fits the algorithm is meant.
            algorithm: The algorithm of the token.
        """
        return self._fitting.get((kid, algorithm.name), ())


def _documents(jwks: object) -> list[object]:
    keys: object = cast("Mapping[str, object]", jwks).get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(keys, list | tuple):
        raise ValueError("not a JWKS: there is no list of keys")  # noqa: TRY004 - it is the value of a document
    found = list(cast("Sequence[object]", keys))
    if len(found) > _MAX_KEYS:
        raise ValueError(f"a JWKS with more than {_MAX_KEYS} keys")
    return found


def _imported(document: object, *, symmetric: bool) -> Key:
    """Return the key that a JWK describes, if it is good for signatures.

    Raises:
        UnusableKeyError: It is of another kind, meant for something else, private, weak or malformed.
    """
    if not isinstance(document, dict):
        raise UnusableKeyError("malformed")
    members = cast("dict[str, Any]", document)
    if (members.get("kty") == OctKey.key_type) is not symmetric:
        raise UnusableKeyError("public" if symmetric else _SYMMETRIC)
    if not symmetric and not _PRIVATE_MEMBERS.isdisjoint(members):
        raise UnusableKeyError(_PRIVATE)
    if members.get("use", "sig") != "sig":
        raise UnusableKeyError("use")
    operations = members.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise UnusableKeyError("key_ops")
    if not isinstance(members.get("kid", ""), str):
        raise UnusableKeyError("kid")
    try:
        key = JWKRegistry.import_key(members)
        key.ensure_kid()
    except Exception as error:
        raise UnusableKeyError("malformed") from error
    if reason := _weakness(key):
        raise UnusableKeyError(reason)
    return key


def _weakness(key: Key) -> str | None:
    """Return what speaks against the strength of a key (RFC 7518 §3.3, RFC 8725 §3.5)."""
    if isinstance(key, RSAKey):
        numbers = key.public_key.public_numbers()
        if key.public_key.key_size not in _RSA_BITS:
            return "size"
        if numbers.e > _MAX_RSA_EXPONENT:
            return "exponent"
        if all(numbers.n % prime in residues for prime, residues in _ROCA_RESIDUES.items()):
            return "ROCA"
    if isinstance(key, OKPKey) and key.curve_name not in _SIGNING_CURVES:
        return "crv"
    if isinstance(key, OctKey) and _is_public_key(key.raw_value):
        return "public key as a secret"
    return None


def _is_public_key(secret: bytes) -> bool:
    """Tell whether a secret is what everybody knows, in PEM or DER (CVE-2022-29217)."""
    if secret.lstrip().startswith(_PEM_MARKS):
        return True
    for key_type in (RSAKey, ECKey, OKPKey):
        with suppress(Exception):
            key_type.import_key(secret)
            return True
    return False
