"""Which key fits which signature."""

from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from chatkit_prod import ConfigurationError
from chatkit_prod.auth.algorithms import ALGORITHMS, select

HMAC = ["HS256", "HS384", "HS512"]
RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]

KEYS: dict[str, tuple[Key, list[str]]] = {
    "RSA": (RSAKey.generate_key(2048), RSA),
    "P-256": (ECKey.generate_key("P-256"), ["ES256"]),
    "P-384": (ECKey.generate_key("P-384"), ["ES384"]),
    "P-521": (ECKey.generate_key("P-521"), ["ES512"]),
    "secp256k1": (ECKey.generate_key("secp256k1"), []),
    "Ed25519": (OKPKey.generate_key("Ed25519"), ["Ed25519", "EdDSA"]),
    "Ed448": (OKPKey.generate_key("Ed448"), ["Ed448", "EdDSA"]),
    "X25519": (OKPKey.generate_key("X25519"), []),
    "X448": (OKPKey.generate_key("X448"), []),
    "a secret of 31 bytes": (OctKey.import_key(b"s" * 31), []),
    "a secret of 32 bytes": (OctKey.import_key(b"s" * 32), ["HS256"]),
    "a secret of 48 bytes": (OctKey.import_key(b"s" * 48), ["HS256", "HS384"]),
    "a secret of 64 bytes": (OctKey.import_key(b"s" * 64), HMAC),
    "a key that names its algorithm": (RSAKey.generate_key(2048, {"alg": "PS256"}), ["PS256"]),
    "a key that names another algorithm": (ECKey.generate_key("P-256", {"alg": "ES384"}), []),
    "a key to encrypt with": (RSAKey.generate_key(2048, {"alg": "RSA-OAEP"}), []),
}


@pytest.mark.parametrize(("key", "names"), KEYS.values(), ids=KEYS.keys())
def test_a_key_fits_the_algorithms_of_its_type_curve_and_length_alone(key: Key, names: list[str]) -> None:
    assert [name for name, algorithm in ALGORITHMS.items() if algorithm.fits(key)] == names


def test_an_algorithm_is_the_one_of_its_name() -> None:
    assert all(name == algorithm.name == algorithm.model.name for name, algorithm in ALGORITHMS.items())


def test_no_unsigned_token_is_ever_an_option() -> None:
    assert "none" not in {name.lower() for name in ALGORITHMS}


@pytest.mark.parametrize("names", [[name] for name in ALGORITHMS] + [HMAC, [*RSA, "ES256", "EdDSA"]])
def test_algorithms_are_selected_by_name(names: list[str]) -> None:
    assert list(select(names)) == names


@pytest.mark.parametrize(
    "names",
    [
        [],
        (),
        "RS256",
        ["none"],
        ["None"],
        ["NONE"],
        ["RS256", "none"],
        ["rs256"],
        [""],
        ["A128GCM"],
        ["RSA-OAEP"],
    ],
    ids=str,
)
def test_what_is_no_list_of_signatures_is_refused(names: Any) -> None:
    with pytest.raises(ConfigurationError, match="algorithms"):
        select(names)


@pytest.mark.parametrize("secret", HMAC)
@pytest.mark.parametrize("public", [name for name in ALGORITHMS if name not in HMAC])
def test_hmac_never_stands_beside_public_keys(secret: str, public: str) -> None:
    with pytest.raises(ConfigurationError, match="HMAC"):
        select([public, secret])
