"""What a verified token must say, and whom it speaks of."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.auth.claims import ClaimPath, ClaimRules
from chatkit_prod.options import is_text
from tests.auth.tokens import ABSENT, AUDIENCE, ISSUER

NOW = 2_000_000_000.0
GOOD: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": NOW + 60, "iat": NOW}


def rules(**options: Any) -> ClaimRules:
    defaults: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "leeway": 10}
    return ClaimRules(**{**defaults, **options})


def changed(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (GOOD | changes).items() if value is not ABSENT}


def refusal(changes: Mapping[str, Any], **options: Any) -> str | None:
    return rules(**options).refusal(changed(**changes), NOW)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "iss of somebody else": ({"iss": "https://idp.example.org"}, "iss"),
    "iss that ours begins with, GHSA-75c5-xw7c-p5pm": ({"iss": "https://idp.example.co"}, "iss"),
    "iss that begins with ours": ({"iss": ISSUER + ".evil.example"}, "iss"),
    "iss with a slash behind": ({"iss": ISSUER + "/"}, "iss"),
    "iss with a space behind": ({"iss": ISSUER + " "}, "iss"),
    "iss in capitals": ({"iss": ISSUER.upper()}, "iss"),
    "iss in a list": ({"iss": [ISSUER]}, "iss"),
    "iss null": ({"iss": None}, "iss"),
    "aud of another service": ({"aud": "billing"}, "aud"),
    "aud that contains ours": ({"aud": "chatkit-admin"}, "aud"),
    "aud that ours contains": ({"aud": "chat"}, "aud"),
    "aud with ours among words": ({"aud": "billing chatkit"}, "aud"),
    "aud in capitals": ({"aud": "CHATKIT"}, "aud"),
    "aud a list of others": ({"aud": ["billing", "chatkit2"]}, "aud"),
    "aud an empty list": ({"aud": []}, "aud"),
    "aud a list in a list": ({"aud": [[AUDIENCE]]}, "aud"),
    "aud a list with a number": ({"aud": [AUDIENCE, 1]}, "aud"),
    "aud an object": ({"aud": {AUDIENCE: True}}, "aud"),
    "aud null": ({"aud": None}, "aud"),
    "aud absent": ({"aud": ABSENT}, "aud"),
    "sub absent": ({"sub": ABSENT}, "sub"),
    "sub empty": ({"sub": ""}, "sub"),
    "sub null": ({"sub": None}, "sub"),
    "sub a number": ({"sub": 1}, "sub"),
    "sub a list": ({"sub": ["alice"]}, "sub"),
    "cnf of DPoP": ({"cnf": {"jkt": "x"}}, "cnf"),
    "cnf of mutual TLS": ({"cnf": {"x5t#S256": "x"}}, "cnf"),
    "cnf empty": ({"cnf": {}}, "cnf"),
    "cnf null": ({"cnf": None}, "cnf"),
    "exp that the leeway makes no time": ({"exp": 1e12 - 1}, "exp"),
    "expired": ({"exp": NOW - 10}, "expired"),
    "expired long ago": ({"exp": 0}, "expired"),
    "expired before the epoch": ({"exp": -1}, "expired"),
    "not yet valid": ({"nbf": NOW + 10.1}, "not yet valid"),
    "issued in the future": ({"iat": NOW + 10.1}, "not yet valid"),
    **{
        f"{name} {kind}": ({name: value}, name)
        for name in ("exp", "nbf", "iat")
        for kind, value in {
            "null": None,
            "true": True,
            "false": False,
            "a string": str(int(NOW + 60)),
            "a list": [NOW + 60],
            "NaN": math.nan,
            "Infinity": math.inf,
            "-Infinity": -math.inf,
            "in milliseconds": NOW * 1000,
            "of 400 digits": 10**400,
            "of 400 negative digits": -(10**400),
        }.items()
    },
}


@pytest.mark.parametrize(("changes", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_claims_that_do_not_hold_here_and_now_are_refused(changes: dict[str, Any], reason: str) -> None:
    assert refusal(changes) == reason


HOLDING: dict[str, dict[str, Any]] = {
    "as usual": {},
    "aud a list": {"aud": [AUDIENCE]},
    "aud a list with others": {"aud": ["billing", AUDIENCE]},
    "exp a fraction": {"exp": NOW + 0.5},
    "exp within the leeway": {"exp": NOW - 9.9},
    "nbf long ago": {"nbf": 0},
    "nbf within the leeway": {"nbf": NOW + 10},
    "iat within the leeway": {"iat": NOW + 10},
    "iat absent": {"iat": ABSENT},
    "claims that we do not know": {"x": [1], "email": None},
}


@pytest.mark.parametrize("changes", HOLDING.values(), ids=HOLDING.keys())
def test_a_claim_may_have_every_form_that_its_rfc_allows(changes: dict[str, Any]) -> None:
    assert refusal(changes) is None


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"])
def test_a_required_claim_must_be_there(name: str) -> None:
    everything = GOOD | {"jti": "1", "client_id": "web"}
    strict = rules(required=frozenset(everything))
    assert strict.refusal(everything, NOW) is None
    assert strict.refusal({key: everything[key] for key in everything if key != name}, NOW) == "claim missing"


def test_what_is_not_required_may_be_absent_where_a_server_has_vouched_for_it() -> None:
    assert rules(audience=None).refusal({"sub": "alice"}, NOW) is None


def test_one_of_several_audiences_is_enough() -> None:
    either = frozenset({"billing", AUDIENCE})
    assert refusal({}, audience=either) is None
    assert refusal({"aud": "other"}, audience=either) == "aud"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("access", None),
        ("id", "claim value"),
        ("ACCESS", "claim value"),
        ("access ", "claim value"),
        (["access"], "claim value"),
        (None, "claim value"),
        (ABSENT, "claim value"),
    ],
    ids=["the same", "another", "another case", "a space behind", "a list", "null", "absent"],
)
def test_an_exact_claim_must_have_its_value(value: object, expected: str | None) -> None:
    assert refusal({"token_use": value}, required_claims={"token_use": "access"}) == expected


@pytest.mark.parametrize(("wanted", "value"), [(True, 1), (1, True), (False, 0), (0, False)])
def test_a_number_is_not_a_truth_value(wanted: object, value: object) -> None:
    assert refusal({"email_verified": value}, required_claims={"email_verified": wanted}) == "claim value"
    assert refusal({"email_verified": wanted}, required_claims={"email_verified": wanted}) is None


def test_a_null_that_is_wanted_must_be_there() -> None:
    assert refusal({"act": None}, required_claims={"act": None}) is None
    assert refusal({}, required_claims={"act": None}) == "claim value"


def test_audience_and_subject_may_stand_elsewhere() -> None:
    elsewhere = {"audience_claim": "client_id", "subject_claim": "oid"}
    changes = {"client_id": AUDIENCE, "oid": "a-1", "aud": ABSENT, "sub": ABSENT}
    assert refusal(changes, **elsewhere) is None
    assert rules(**elsewhere).principal(changed(**changes), "jwt").subject == "a-1"
    assert refusal({}, **elsewhere) == "aud"
    assert refusal({"client_id": AUDIENCE}, **elsewhere) == "sub"


# ------------------------------------------------------------------------------------------------ who it is


def test_the_claims_become_a_principal() -> None:
    claims = changed(scope="read write", tid="acme")
    assert rules(tenant_claim="tid").principal(claims, "jwt") == Principal(
        issuer=ISSUER,
        subject="alice",
        tenant="acme",
        scopes=frozenset({"read", "write"}),
        expires_at=NOW + 70,
        method="jwt",
    )
    assert rules().principal(claims, "jwt").claims == claims


def test_without_exp_a_principal_has_no_end() -> None:
    assert rules().principal({"sub": "alice"}, "introspection").expires_at is None


@pytest.mark.parametrize(
    ("path", "claims", "scopes"),
    [
        ("scope", {"scope": ""}, set[str]()),
        ("scope", {"scope": "chat"}, {"chat"}),
        ("scope", {"scope": " chat  read "}, {"chat", "read"}),
        ("scope", {"scope": "chat\tread"}, {"chat\tread"}),
        ("scope", {}, set[str]()),
        ("scope", {"scope": None}, set[str]()),
        ("scope", {"scope": 1}, set[str]()),
        ("scope", {"scope": {"chat": True}}, set[str]()),
        ("scp", {"scp": ["chat", "read"], "scope": "admin"}, {"chat", "read"}),
        ("scp", {"scp": "chat read"}, {"chat", "read"}),
        ("scp", {"scp": ["chat", 1, None, "", ["x"]]}, {"chat"}),
        ("https://example.com/scope", {"https://example.com/scope": "chat"}, {"chat"}),
        ("realm_access.roles", {"realm_access": {"roles": ["chat"]}}, set[str]()),
        (("realm_access", "roles"), {"realm_access": {"roles": ["chat"]}}, {"chat"}),
        (("realm_access", "roles"), {"realm_access": {}}, set[str]()),
        (("realm_access", "roles"), {"realm_access": ["chat"]}, set[str]()),
        (("realm_access", "roles"), {"realm_access": None}, set[str]()),
        (("realm_access", "roles"), {"realm_access.roles": ["chat"]}, set[str]()),
    ],
)
def test_scopes_are_words_or_a_list_wherever_they_stand(
    path: ClaimPath, claims: dict[str, Any], scopes: set[str]
) -> None:
    assert rules(scope_claim=path).principal(changed(**claims), "jwt").scopes == scopes


@pytest.mark.parametrize("path", ["org", ("org", "id")], ids=["a claim", "a member of a claim"])
@pytest.mark.parametrize(
    "tenant", [ABSENT, None, "", 1, ["acme"], {"id": ["acme"]}, {"name": "acme"}], ids=repr
)
def test_a_token_without_the_tenant_that_the_app_needs_is_refused(path: ClaimPath, tenant: object) -> None:
    assert refusal({"org": tenant}, tenant_claim=path) == "tenant"


def test_a_tenant_may_be_a_member_of_a_claim() -> None:
    nested = rules(tenant_claim=("org", "id"))
    claims = changed(org={"id": "acme"})
    assert nested.refusal(claims, NOW) is None
    assert nested.principal(claims, "jwt").tenant == "acme"


def test_without_a_tenant_claim_no_claim_becomes_a_tenant() -> None:
    assert rules().principal(changed(tenant="acme", tid="acme"), "jwt").tenant is None


def test_the_claims_of_a_principal_cannot_be_changed() -> None:
    original = changed(realm_access={"roles": ["user"]}, groups=["staff"])
    claims: Any = rules().principal(original, "jwt").claims
    for place, name in ((claims, "sub"), (claims["realm_access"], "roles"), (claims["groups"], 0)):
        with pytest.raises(TypeError):
            place[name] = "mallory"
    original["sub"] = "mallory"
    assert claims["sub"] == "alice"


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(AUDIENCE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "cnf", "scope", "org"])


@settings(max_examples=100)
@given(st.dictionaries(NAMES, JSON), st.floats(0, 4e9))
def test_whatever_the_claims_are_they_are_refused_or_speak_of_somebody(
    changes: dict[str, Any], now: float
) -> None:
    judge, claims = rules(tenant_claim="org"), GOOD | changes
    if judge.refusal(claims, now) is None:
        principal = judge.principal(claims, "jwt")
        assert principal.issuer == claims["iss"] == ISSUER
        assert is_text(principal.subject)
        assert is_text(principal.tenant)
        assert "cnf" not in claims
        assert claims["exp"] > now - 10


# ------------------------------------------------------------------------------------------------ the options


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"issuer": ""}, "issuer"),
        ({"issuer": None}, "issuer"),
        ({"audience": ""}, "audience must be the name of this service"),
        ({"audience": []}, "audience must be the name of this service"),
        ({"audience": [""]}, "audience"),
        ({"audience": [1]}, "audience"),
        ({"audience": 1}, "audience"),
        ({"scope_claim": ""}, "scope_claim"),
        ({"tenant_claim": ()}, "tenant_claim"),
        ({"required_claims": ["x"]}, "required_claims"),
        ({"required_claims": {"x": {1}}}, "required_claims"),
        ({"audience_claim": ""}, "audience_claim"),
        ({"subject_claim": ""}, "subject_claim"),
        ({"leeway": -1}, "leeway"),
        ({"leeway": 300.1}, "leeway"),
        ({"leeway": math.nan}, "leeway"),
        ({"leeway": math.inf}, "leeway"),
        ({"leeway": True}, "leeway"),
        ({"leeway": "30"}, "leeway"),
    ],
    ids=str,
)
def test_rules_that_cannot_work_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        rules(**options)


@pytest.mark.parametrize("leeway", [0, 300])
def test_the_leeway_may_be_anything_up_to_five_minutes(leeway: int) -> None:
    assert refusal({"exp": NOW - leeway + 1}, leeway=leeway) is None
    assert refusal({"exp": NOW - leeway}, leeway=leeway) == "expired"


def test_an_audience_is_a_name_or_a_list_of_names() -> None:
    assert refusal({"aud": "a b"}, audience="a b") is None
    assert refusal({"aud": "b"}, audience=["a", "b"]) is None
    assert refusal({"aud": "b"}, audience=iter(["a", "b"])) is None
    assert refusal({"aud": "a"}, audience="a b") == "aud"


def test_rules_do_not_change_with_the_options_that_they_are_from() -> None:
    wanted, names = {"use": "access"}, [AUDIENCE]
    strict = rules(required_claims=wanted, audience=names)
    wanted["use"] = "id"
    names[:] = ["other"]
    assert strict.refusal(changed(use="access"), NOW) is None
