"""The examples that the RFCs publish."""

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import JWKRegistry
from joserfc.jws import JWSRegistry, deserialize_compact

from chatkit_prod import ConfigurationError
from chatkit_prod.auth.algorithms import ALGORITHMS
from chatkit_prod.auth.jws import verify
from chatkit_prod.auth.keys import Keys
from chatkit_prod.errors import InvalidTokenError

RFCS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parent / "vectors").glob("*.json"))
}
PUBLIC = [name for name, algorithm in ALGORITHMS.items() if not algorithm.min_secret_bytes]
SECRET = [name for name, algorithm in ALGORITHMS.items() if algorithm.min_secret_bytes]


def examples(kind: str) -> pytest.MarkDecorator:
    """Return every example of a kind, each with the keys of its RFC."""
    return pytest.mark.parametrize(
        ("example", "keys"),
        [
            pytest.param(example, rfc.get("keys", {}), id=f"{name} {example['section']} {example['title']}")
            for name, rfc in RFCS.items()
            for example in rfc.get(kind, ())
        ],
    )


def keys_for(example: dict[str, Any], keys: dict[str, Any]) -> Keys:
    return Keys({"keys": [keys[example["key"]]]}, symmetric=example["algorithm"] in SECRET)


def test_every_rfc_is_there() -> None:
    assert list(RFCS) == ["rfc7515", "rfc7517", "rfc7519", "rfc7520", "rfc8037"]


@examples("valid")
def test_a_published_token_is_verified(example: dict[str, Any], keys: dict[str, Any]) -> None:
    jwks = {"keys": [keys[example["key"]]]}
    payload = verify(example["token"], jwks, algorithms=[example["algorithm"]])
    assert payload.decode() == example["payload"]


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # it warns of what RFC 9864 replaces
@examples("valid")
def test_joserfc_reads_a_published_token_as_we_do(example: dict[str, Any], keys: dict[str, Any]) -> None:
    key = JWKRegistry.import_key(keys[example["key"]])
    registry = JWSRegistry(algorithms=[example["algorithm"]])
    assert (
        deserialize_compact(example["token"], key, registry=registry).payload.decode() == example["payload"]
    )


@examples("valid")
def test_a_published_token_is_refused_when_any_byte_is_changed(
    example: dict[str, Any], keys: dict[str, Any]
) -> None:
    token, jwks = example["token"].encode(), keys_for(example, keys)
    for index, byte in enumerate(token):
        for other in (b"A" if byte != ord("A") else b"B", b"=", bytes([byte ^ 0x80])):
            changed = token[:index] + other + token[index + 1 :]
            with pytest.raises(InvalidTokenError):
                verify(changed, jwks, algorithms=[example["algorithm"]])


@examples("valid")
def test_a_published_token_is_refused_when_its_algorithm_is_not_on_the_list(
    example: dict[str, Any], keys: dict[str, Any]
) -> None:
    kind = SECRET if example["algorithm"] in SECRET else PUBLIC
    others = [name for name in kind if name != example["algorithm"]]
    with pytest.raises(InvalidTokenError):
        verify(example["token"], keys_for(example, keys), algorithms=others)


@examples("refused")
@pytest.mark.parametrize("algorithms", [PUBLIC, SECRET], ids=["public keys", "secrets"])
def test_what_is_published_but_is_no_signed_compact_token_is_refused(
    example: dict[str, Any], keys: dict[str, Any], algorithms: list[str]
) -> None:
    token = example["token"]
    text = token if isinstance(token, str) else json.dumps(token)
    with pytest.raises(InvalidTokenError):
        verify(text, {"keys": list(keys.values())}, algorithms=algorithms)


def test_an_unsecured_token_cannot_be_asked_for() -> None:
    (unsecured,) = (example for example in RFCS["rfc7515"]["refused"] if example["section"] == "A.5")
    with pytest.raises(ConfigurationError):
        verify(unsecured["token"], {"keys": []}, algorithms=["none"])


@examples("jwk")
def test_of_published_keys_those_are_taken_that_verify_signatures(
    example: dict[str, Any], keys: dict[str, Any]
) -> None:
    found = Keys({"keys": example["keys"]}, symmetric=example.get("symmetric", False))
    assert [list(entry) for entry in found.rejected] == example["rejected"]
    assert all(kid in found for kid in example.get("kids", ()))
    assert bool(found) == ("kids" in example)
