"""What a name tells of its value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError
from chatkit_prod.pii.keys import ALLOWED, DENIED, KEYS, Keys


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "db_password",
        "authorization",
        "http.request.header.authorization",
        "http.request.header.x-api-key",
        "Set-Cookie",
        "stripeApiKey",
        "APIKey",
        "APIKEY",
        "X_AUTH_TOKEN",
        "oauth2Token",
        "user.refresh_token",
        "url.query",
    ],
)
def test_credentials_are_denied_in_every_spelling(name: str) -> None:
    assert KEYS.rule(name) == "deny"


@pytest.mark.parametrize(
    "name",
    ["trace_id", "TraceId", "trace.id", "x-request-id", "gen_ai.conversation.id", "threadId", "user.id"],
)
def test_ids_are_allowed_in_every_spelling(name: str) -> None:
    assert KEYS.rule(name) == "allow"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "…",
        "tokens",
        "gen_ai.usage.input_tokens",
        "token_count",
        "email",
        "id",
        "betoken",
        "key",
        "national_id",
    ],
)
def test_every_other_name_tells_nothing(name: str) -> None:
    assert KEYS.rule(name) is None


@pytest.mark.parametrize("name", DENIED)
def test_every_denied_name_is_denied_below_any_other(name: str) -> None:
    assert KEYS.rule(name) == KEYS.rule(f"any.{name}") == KEYS.rule(f"Any-{name.title()}") == "deny"


@pytest.mark.parametrize("name", ALLOWED)
def test_every_allowed_name_is_allowed(name: str) -> None:
    assert KEYS.rule(name) == "allow"


def test_the_longer_of_two_rules_decides() -> None:
    keys = Keys(deny=["token", "user id"], allow=["page_token", "id"])
    assert [keys.rule(name) for name in ("page_token", "next_token", "userId", "item_id")] == [
        "allow",
        "deny",
        "deny",
        "allow",
    ]


def test_of_two_rules_that_are_the_same_the_denial_decides() -> None:
    assert Keys(deny=["api_key"], allow=["apiKey"]).rule("API-KEY") == "deny"


def test_without_rules_no_name_tells_anything() -> None:
    assert Keys(deny=(), allow=()).rule("password") is None


@given(st.text(max_size=40), st.sampled_from(".-_ /"))
def test_whatever_stands_in_front_changes_nothing(prefix: str, between: str) -> None:
    assert KEYS.rule(f"{prefix}{between}password") == "deny"


@pytest.mark.parametrize("names", ["password", ["password", ""], ["_"], [1], None])
@pytest.mark.parametrize("option", ["deny", "allow"])
def test_what_is_no_list_of_names_is_refused(option: str, names: Any) -> None:
    with pytest.raises(ConfigurationError, match=option):
        Keys(**{option: names})
