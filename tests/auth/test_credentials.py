"""Where a token stands in a request."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from chatkit_prod import ConfigurationError
from chatkit_prod.auth.credentials import CHALLENGE, TokenHeader
from chatkit_prod.errors import MalformedCredentialsError
from tests.layers import get


def request(*values: bytes, name: bytes = b"authorization", query: bytes = b"") -> HTTPConnection:
    return HTTPConnection({**get(*((name, value) for value in values)), "query_string": query})


ODD = [b"Bearer\tabc", b"bearer:abc", b"Bearer=abc", b"Bearer,abc", b"BEARER\xa0abc", b"Bearer/abc def"]


def token(*values: bytes, query: bytes = b"") -> bytes | None:
    return TokenHeader("Authorization").token(request(*values, query=query))


@pytest.mark.parametrize(
    "value",
    [b"Bearer abc", b"bearer abc", b"BEARER abc", b"Bearer   abc", b"Bearer abc  "],
    ids=["usual", "small", "capital", "spaces before", "spaces behind"],
)
def test_the_scheme_is_compared_without_regard_to_case_and_spaces(value: bytes) -> None:
    assert token(value) == b"abc"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"abc",
        b"Basic YWxpY2U6",
        b"DPoP abc",
        b" Bearer abc",
        b"Bearerabc",
        b"Bearer-X abc",
    ],
)
def test_another_scheme_is_somebody_elses(value: bytes) -> None:
    assert token(value) is None


def test_no_header_is_no_token() -> None:
    assert token() is None
    assert token(query=b"access_token=abc") is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((b"Bearer abc", b"Bearer abc"), "two headers"),
        ((b"Bearer abc", b"Basic abc"), "two headers"),
        ((b"Basic abc", b"Basic abc"), "two headers"),
        ((b"", b"Bearer abc"), "two headers"),
        ((b"Bearer",), "no token"),
        ((b"Bearer ",), "no token"),
        ((b"bearer    ",), "no token"),
        *(((value,), "malformed") for value in ODD),
    ],
    ids=[
        "twice",
        "of two kinds",
        "of another kind",
        "one empty",
        "scheme alone",
        "a space",
        "spaces",
        *map(repr, ODD),
    ],
)
def test_credentials_that_are_doubled_or_empty_are_malformed(values: tuple[bytes, ...], reason: str) -> None:
    with pytest.raises(MalformedCredentialsError) as caught:
        token(*values)
    assert caught.value.reason == reason
    assert caught.value.headers["WWW-Authenticate"] == f'{CHALLENGE}, error="invalid_request"'


@pytest.mark.parametrize("query", [b"access_token=abc", b"a=1&access_token=abc", b"access_token="])
def test_a_second_token_in_the_query_is_malformed(query: bytes) -> None:
    with pytest.raises(MalformedCredentialsError) as caught:
        token(b"Bearer abc", query=query)
    assert caught.value.reason == "second token in the query"
    assert token(b"Bearer abc", query=b"a=access_token") == b"abc"


def test_what_an_access_proxy_sets_is_the_token_alone() -> None:
    header = TokenHeader("Cf-Access-Jwt-Assertion")
    name = b"cf-access-jwt-assertion"
    assert header.token(request(b" abc\t", name=name)) == b"abc"
    assert header.token(request(b"Bearer abc", name=name)) == b"Bearer abc"
    assert header.token(request(b"", name=name)) == b""
    assert header.token(request(b"Bearer abc")) is None
    with pytest.raises(MalformedCredentialsError):
        header.token(request(b"abc", b"abc", name=name))


def test_the_name_of_a_header_has_no_case() -> None:
    assert TokenHeader("AUTHORIZATION").token(request(b"Bearer abc")) == b"abc"


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\n", "é", "a/b"])
def test_what_is_no_name_of_a_header_is_refused(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="header"):
        TokenHeader(name)


@given(st.lists(st.binary(max_size=20) | st.binary(max_size=20).map(b"Bearer ".__add__), max_size=2))
def test_whatever_stands_in_the_header_there_is_one_token_none_or_a_refusal(values: list[bytes]) -> None:
    try:
        found = token(*values)
    except MalformedCredentialsError:
        assert len(values) == 2 or values[0].strip().lower() == b"bearer"
    else:
        assert found is None or found in values[0]
