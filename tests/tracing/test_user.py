"""Who a request belongs to is told as the app wants it, or not at all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.tracing.user import NOBODY, User, UserTag

KEY = b"0123456789abcdef"

TEXT = st.text(st.characters(), min_size=1, max_size=6) | st.text("1:a", min_size=1, max_size=4)
PEOPLE = st.tuples(TEXT, st.none() | TEXT, TEXT)


def person(who: tuple[str, str | None, str]) -> Principal:
    issuer, tenant, subject = who
    return Principal(issuer=issuer, tenant=tenant, subject=subject)


def test_a_user_is_the_subject() -> None:
    user = UserTag("id", None)(person(("idp", "acme", "alice")))
    assert user == User(id="alice")
    assert user.attributes == {"user.id": "alice"}


def test_whoever_is_not_known_has_no_attribute() -> None:
    assert UserTag("id", None)(None) == NOBODY
    assert UserTag("hash", KEY)(None) == NOBODY
    assert NOBODY.attributes == {}


def test_none_is_shown_where_none_is_wanted() -> None:
    assert UserTag("none", None)(person(("idp", None, "alice"))) == NOBODY


@given(PEOPLE, PEOPLE)
def test_two_users_have_one_hash_only_if_they_are_the_same(
    one: tuple[str, str | None, str], other: tuple[str, str | None, str]
) -> None:
    tag = UserTag("hash", KEY)
    assert (tag(person(one)) == tag(person(other))) == (one == other)


@given(TEXT, TEXT, TEXT)
def test_a_boundary_between_the_parts_cannot_be_moved(first: str, second: str, third: str) -> None:
    tag = UserTag("hash", KEY)
    assert tag(person((first + second, None, third))) != tag(person((first, None, second + third)))
    assert tag(person((first, None, second))) != tag(person((first, second, second)))


@given(PEOPLE)
def test_a_hash_is_32_hexadecimal_digits_that_only_the_key_leads_to(
    who: tuple[str, str | None, str],
) -> None:
    user = UserTag("hash", KEY)(person(who))
    ((name, value),) = user.attributes.items()
    assert (name, len(value), user.id) == ("user.hash", 32, None)
    assert int(value, 16) >= 0
    assert UserTag("hash", KEY[::-1])(person(who)) != user


@pytest.mark.parametrize(
    ("shown_as", "key", "told"),
    [
        ("name", None, "user_as must be one of id, hash, none"),
        ("hash", None, "go together"),
        ("id", KEY, "go together"),
        ("none", KEY, "go together"),
        ("hash", b"short", "not 5 bytes"),
        ("hash", b"x" * 65, "not 65 bytes"),
        ("hash", "0123456789abcdef", "not a str"),
    ],
)
def test_a_choice_that_cannot_work_is_refused(shown_as: Any, key: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        UserTag(shown_as, key)


@pytest.mark.parametrize("size", [16, 64])
def test_a_key_of_16_to_64_bytes_is_taken(size: int) -> None:
    assert UserTag("hash", b"k" * size)(person(("idp", None, "alice"))).hash
