"""No two callers share what is not shared, and no counter knows a name."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import Principal
from chatkit_prod.limits.caller import caller_of
from tests.servers import http_scope

TEXTS = st.text(min_size=1, max_size=8, alphabet=st.characters(codec=None, exclude_categories=()))
PRINCIPALS = st.builds(Principal, issuer=TEXTS, subject=TEXTS, tenant=st.none() | TEXTS)


def at(host: str) -> str:
    return caller_of({**http_scope(), "client": (host, 50000)}, None).user


@given(PRINCIPALS, PRINCIPALS)
def test_two_principals_share_a_counter_only_if_they_are_one_user(one: Principal, other: Principal) -> None:
    a, b = caller_of({}, one), caller_of({}, other)
    same = (one.issuer, one.tenant, one.subject) == (other.issuer, other.tenant, other.subject)
    assert (a.user == b.user) == same
    if one.tenant is not None and other.tenant is not None:
        assert (a.tenant == b.tenant) == ((one.issuer, one.tenant) == (other.issuer, other.tenant))


@given(PRINCIPALS)
def test_a_key_is_a_digest(principal: Principal) -> None:
    user, tenant = caller_of({}, principal)
    assert re.fullmatch("[0-9a-f]{32}", user)
    assert (tenant is None) == (principal.tenant is None)


def test_without_a_principal_it_is_the_address_that_counts() -> None:
    assert at("192.0.2.1") == at("192.0.2.1") != at("192.0.2.2")
    assert at("::ffff:192.0.2.1") == at("192.0.2.1")


def test_an_ipv6_address_counts_as_its_64() -> None:
    assert at("2001:db8::1") == at("2001:db8::ffff:2") != at("2001:db8:0:1::1")


@pytest.mark.parametrize("scope", [{}, {"client": None}, {"client": ["", 0]}])
def test_those_without_an_address_share_one_counter(scope: Any) -> None:
    assert caller_of(scope, None) == caller_of({"client": None}, None)


def test_a_user_cannot_have_the_counter_of_an_address() -> None:
    assert caller_of({}, Principal(issuer="address", subject="192.0.2.1")).user != at("192.0.2.1")
