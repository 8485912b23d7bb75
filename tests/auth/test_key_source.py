"""Where keys come from, as the options of an authenticator say it."""

from typing import Any

import pytest
from joserfc.jwk import OctKey

from chatkit_prod import ConfigurationError
from chatkit_prod.auth.jwks import RemoteJWKS
from chatkit_prod.auth.key_source import StaticKeys, key_source
from chatkit_prod.auth.keys import Keys
from chatkit_prod.auth.keys_by_kid import KeysByKid
from tests.auth.tokens import ISSUER, JWKS, KEY, PUBLIC_JWK

pytestmark = pytest.mark.anyio

SECRETS: dict[str, Any] = {"keys": [OctKey.generate_key(256, {"kid": "s"}).as_dict(private=True)]}
WITH_PASSWORD = "https://user:xyzzy@idp.example.com"


def source(
    jwks: Any = None, jwks_url: str | None = None, *, issuer: str = ISSUER, symmetric: bool = False
) -> object:
    return key_source(jwks, jwks_url, issuer=issuer, symmetric=symmetric)


async def test_static_keys_never_change() -> None:
    keys = Keys(JWKS)
    static = StaticKeys(keys)
    assert static.current() is keys
    assert await static.load() is keys
    assert await static.newer(keys, "any") is keys


def test_the_options_say_where_the_keys_come_from() -> None:
    remote = RemoteJWKS(issuer=ISSUER)
    assert source(remote) is remote
    assert isinstance(source(), RemoteJWKS)
    assert isinstance(source(None, "https://keys.example.com/jwks", issuer="any name"), RemoteJWKS)
    assert isinstance(source(None, "https://keys.example.com/{kid}", issuer="any name"), KeysByKid)
    assert isinstance(source(JWKS, issuer="any name"), StaticKeys)
    assert isinstance(source(SECRETS, symmetric=True), StaticKeys)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "said twice": ({"jwks": JWKS, "jwks_url": "https://keys.example.com/"}, "exclude each other"),
    "secrets from afar": ({"symmetric": True}, "HMAC"),
    "secrets from somebody else": ({"jwks": RemoteJWKS(issuer=ISSUER), "symmetric": True}, "HMAC"),
    "another issuer": ({"jwks": RemoteJWKS(issuer="https://idp.example.org")}, "idp.example.org"),
    "nowhere to discover": ({"issuer": "idp"}, "issuer must be an https URL"),
    "no JWKS": ({"jwks": {}}, "jwks_url"),
    "no keys": ({"jwks": {"keys": []}}, "it is empty"),
    "a private key among public ones": (
        {"jwks": {"keys": [PUBLIC_JWK, KEY.as_dict(private=True)]}},
        "key 1: private",
    ),
    "a secret among public ones": ({"jwks": {"keys": [PUBLIC_JWK, *SECRETS["keys"]]}}, "key 1: symmetric"),
}


@pytest.mark.parametrize(("options", "text"), WRONG.values(), ids=WRONG.keys())
def test_what_leads_to_no_keys_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        source(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": WITH_PASSWORD},
        {"issuer": WITH_PASSWORD, "jwks": RemoteJWKS(issuer=ISSUER)},
        {"jwks_url": WITH_PASSWORD + "/{kid}"},
        {"jwks_url": WITH_PASSWORD + "/{kid}{kid}"},
        {"jwks_url": WITH_PASSWORD + "/jwks"},
    ],
    ids=["to discover", "of another", "a URL for each key", "twice its place", "a URL"],
)
def test_a_password_in_an_address_is_not_shown(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        source(**options)
    assert "xyzzy" not in str(caught.value)
    assert "idp.example.com" in str(caught.value)
