"""The tokens of well-known providers and access proxies, each by the keywords that fit it."""

import base64
import json
import time
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from tests.auth.tokens import ABSENT, BY_THE_ISSUER, ISSUER, authenticate, bearer, connection, refusal, token
from tests.layers import get

pytestmark = pytest.mark.anyio

COGNITO: dict[str, Any] = {
    "audience": "client-1",
    "audience_claim": "client_id",
    "typ": (None,),
    "required_claims": {"token_use": "access"},
}
KEYCLOAK: dict[str, Any] = {
    "typ": ("JWT",),
    "required_claims": {"typ": "Bearer"},
    "scope_claim": ("realm_access", "roles"),
}
OKTA: dict[str, Any] = {"typ": (None,), "scope_claim": "scp", "subject_claim": "uid"}
ENTRA: dict[str, Any] = {
    "typ": ("JWT",),
    "required_claims": {"ver": "2.0"},
    "scope_claim": "scp",
    "subject_claim": "oid",
    "tenant_claim": "tid",
}
NO_TYP, JWT = {"typ": ABSENT}, {"typ": "JWT"}
PROVIDERS: dict[str, tuple[dict[str, Any], bytes, tuple[str, str | None, set[str]] | str]] = {
    "Cognito": (
        COGNITO,
        token(NO_TYP, aud=ABSENT, client_id="client-1", token_use="access", scope="chat"),
        ("alice", None, {"chat"}),
    ),
    "Cognito, an ID token": (
        COGNITO,
        token(NO_TYP, aud="client-1", client_id="client-1", token_use="id"),
        "claim value",
    ),
    "Cognito, for another app": (
        COGNITO,
        token(NO_TYP, aud=ABSENT, client_id="client-2", token_use="access"),
        "aud",
    ),
    "Cognito, aud instead": (
        COGNITO,
        token(NO_TYP, aud="client-1", client_id=ABSENT, token_use="access"),
        "aud",
    ),
    "Keycloak": (
        KEYCLOAK,
        token(JWT, typ="Bearer", realm_access={"roles": ["chat"]}),
        ("alice", None, {"chat"}),
    ),
    "Keycloak, an ID token": (KEYCLOAK, token(JWT, typ="ID"), "claim value"),
    "Keycloak, a refresh token": (KEYCLOAK, token(JWT, typ="Refresh"), "claim value"),
    "Okta": (OKTA, token(NO_TYP, scp=["chat", "read"], uid="00u1"), ("00u1", None, {"chat", "read"})),
    "Okta, for a service": (OKTA, token(NO_TYP, scp=["chat"]), "sub"),
    "Entra ID": (
        ENTRA,
        token(JWT, ver="2.0", scp="chat read", oid="o-1", tid="t-1"),
        ("o-1", "t-1", {"chat", "read"}),
    ),
    "Entra ID, without a tenant": (ENTRA, token(JWT, ver="2.0", scp="chat", oid="o-1"), "tenant"),
    "Entra ID, of the old kind": (
        ENTRA,
        token(JWT, ver="1.0", scp="chat", oid="o-1", tid="t-1"),
        "claim value",
    ),
}


@pytest.mark.parametrize(("options", "value", "expected"), PROVIDERS.values(), ids=PROVIDERS.keys())
async def test_other_providers_are_a_matter_of_keywords(
    options: dict[str, Any], value: bytes, expected: tuple[str, str | None, set[str]] | str
) -> None:
    if isinstance(expected, str):
        assert await refusal(value, **options) == expected
    else:
        principal = await authenticate(value, **options)
        assert (principal.subject, principal.tenant, set(principal.scopes)) == expected


async def test_an_access_proxy_has_a_header_of_its_own() -> None:
    door = bearer(header="Cf-Access-Jwt-Assertion")
    assert await door.authenticate(HTTPConnection(get((b"cf-access-jwt-assertion", token()))))
    assert await door.authenticate(connection(token())) is None


SIGNER = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/chat/1"
BALANCER: dict[str, Any] = {"audience": None, "signer": SIGNER, "typ": ("JWT",), "header": "X-Amzn-Oidc-Data"}


def of_balancer(**changes: Any) -> bytes:
    """Return what AWS's load balancers send: padded, with `iss` and `exp` in the header."""
    head = {
        "alg": "RS256",
        "typ": "JWT",
        "kid": "k1",
        "signer": SIGNER,
        "iss": ISSUER,
        "exp": time.time() + 60,
    }
    present = {name: value for name, value in (head | changes).items() if value is not ABSENT}
    parts = (json.dumps(part).encode() for part in (present, {"sub": "alice", "email": "a@example.com"}))
    data = b".".join(base64.urlsafe_b64encode(part) for part in parts)
    return data + b"." + base64.urlsafe_b64encode(BY_THE_ISSUER(data))


async def test_a_load_balancer_vouches_by_its_signature_and_its_name() -> None:
    door = bearer(**BALANCER)
    principal = await door.authenticate(HTTPConnection(get((b"x-amzn-oidc-data", of_balancer()))))
    assert principal
    assert (principal.issuer, principal.subject) == (ISSUER, "alice")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"signer": SIGNER + "2"}, "signer"),
        ({"signer": ABSENT}, "signer"),
        ({"signer": [SIGNER]}, "signer"),
        ({"iss": "https://other.example.com"}, "iss"),
        ({"iss": ABSENT}, "iss"),
        ({"exp": ABSENT}, "claim missing"),
        ({"exp": 1}, "expired"),
        ({"kid": "k2"}, "unknown key"),
        ({"typ": ABSENT}, "typ"),
    ],
    ids=str,
)
async def test_a_load_balancer_of_somebody_else_vouches_for_nobody(
    changes: dict[str, Any], reason: str
) -> None:
    assert await refusal(of_balancer(**changes), **BALANCER) == reason


async def test_padding_is_for_load_balancers_alone() -> None:
    assert await refusal(of_balancer(), typ=("JWT",)) == "not a JWS"
