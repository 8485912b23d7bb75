"""The signature algorithms that we know, and the keys that fit them: RFC 7518 §3, RFC 8037 §3, RFC 9864."""

from collections.abc import Iterable
from dataclasses import dataclass

from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import listed


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One signature algorithm.

    Args:
        name: Its `alg`.
        model: What computes it.
        key_type: The only `kty` that fits, so that no public key is ever taken for an HMAC secret.
        curves: The `crv` that fit.
        min_secret_bytes: The shortest HMAC secret (RFC 7518 §3.2).
    """

    name: str
    model: JWSAlgModel
    key_type: str
    curves: tuple[str, ...] = ()
    min_secret_bytes: int = 0

    def fits(self, key: Key) -> bool:
        """Tell whether a key is of the type, on the curve, and of the length of this algorithm."""
        if key.key_type != self.key_type or key.alg not in (None, self.name):
            return False
        if isinstance(key, ECKey | OKPKey):
            return key.curve_name in self.curves
        return not isinstance(key, OctKey) or len(key.raw_value) >= self.min_secret_bytes


def _algorithm(
    name: str, key_type: str, curves: tuple[str, ...] = (), min_secret_bytes: int = 0
) -> Algorithm:
    return Algorithm(name, JWSRegistry.algorithms[name], key_type, curves, min_secret_bytes)


_ALL = (
    *(_algorithm(f"HS{bits}", OctKey.key_type, min_secret_bytes=bits // 8) for bits in (256, 384, 512)),
    *(_algorithm(f"{kind}{bits}", RSAKey.key_type) for kind in ("RS", "PS") for bits in (256, 384, 512)),
    _algorithm("ES256", ECKey.key_type, ("P-256",)),
    _algorithm("ES384", ECKey.key_type, ("P-384",)),
    _algorithm("ES512", ECKey.key_type, ("P-521",)),
    _algorithm("Ed25519", OKPKey.key_type, ("Ed25519",)),
    _algorithm("Ed448", OKPKey.key_type, ("Ed448",)),
    _algorithm("EdDSA", OKPKey.key_type, ("Ed25519", "Ed448")),
)

ALGORITHMS = {algorithm.name: algorithm for algorithm in _ALL}
"""By `alg`; `none` is not among them."""


def select(names: Iterable[str]) -> dict[str, Algorithm]:
    """Return some algorithms by name.

    Args:
        names: Their `alg`, as the app has chosen them; never taken from a token (RFC 8725 §3.1).

    Raises:
        ConfigurationError: There is none, or one that is unknown or no signature (`none`), or HMAC
            stands beside signatures with public keys.
    """
    chosen = listed(names, "algorithms")
    if not chosen or any(name not in ALGORITHMS for name in chosen):
        raise ConfigurationError(f"algorithms must be a list of some of {', '.join(ALGORITHMS)}")
    found = {name: ALGORITHMS[name] for name in chosen}
    if len({algorithm.key_type == OctKey.key_type for algorithm in found.values()}) > 1:
        raise ConfigurationError(
            "algorithms must not mix HMAC with signatures: a public key could be taken for a secret"
        )
    return found
