"""Texts are scrubbed where they stand in a value, and nothing else of it changes."""

import json
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.pii.leaves import OMITTED, REDACTED, UNBOUNDED, UNSCRUBBED, Bounds, Leaves, safely
from tests.pii.scrubbers import CARD, EMAIL, Broken, labelling

FOUND = "[EMAIL]"


def scrub(text: str) -> str:
    return text.replace(EMAIL, FOUND).replace(CARD, "[CREDIT_CARD]")


LEAVES = Leaves(scrub)


@dataclass
class Customer:
    mail: str


@dataclass(repr=False)
class Quiet:
    mail: str

    def __str__(self) -> str:
        return self.mail


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        (EMAIL, FOUND),
        ([1, EMAIL], [1, FOUND]),
        ((EMAIL, None), (FOUND, None)),
        ({EMAIL}, {FOUND}),
        (frozenset([EMAIL]), frozenset([FOUND])),
        (deque([EMAIL]), deque([FOUND])),
        ({"a": {"b": [f"to {EMAIL}"]}}, {"a": {"b": [f"to {FOUND}"]}}),
        (MappingProxyType({"a": EMAIL}), {"a": FOUND}),
        ({EMAIL: 1, 2: 3}, {FOUND: 1, 2: 3}),
        (b"\xff " + EMAIL.encode(), b"\xff " + FOUND.encode()),
        (bytearray(EMAIL.encode()), FOUND.encode()),
        (ValueError(f"no {EMAIL}"), f"no {FOUND}"),
        (Customer(EMAIL), f"Customer(mail='{FOUND}')"),
        (Quiet(EMAIL), FOUND),
        (int(CARD), "[CREDIT_CARD]"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_text_is_found_wherever_it_is(value: Any, clean: Any) -> None:
    found = LEAVES.value(value)
    assert found == clean
    assert type(found) is type(clean)


def test_two_names_of_which_the_same_is_left_both_stay() -> None:
    leaves = Leaves(lambda text: FOUND if "@" in text else text)
    assert leaves.value({EMAIL: 1, "bob@example.com": 2}) == {FOUND: 1, f"{FOUND}_1": 2}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('ab {}[]"\\'),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz", max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_what_holds_nothing_is_the_very_same_object(value: Any) -> None:
    before = deepcopy(value)
    assert LEAVES.value(value) is value
    assert value == before


@given(JSON)
def test_what_is_given_is_never_changed(value: Any) -> None:
    given_ = {"found": EMAIL, "value": value}
    before = deepcopy(given_)
    assert LEAVES.value(given_) == {"found": FOUND, "value": value}
    assert given_ == before


@pytest.mark.parametrize(
    "value",
    [
        True,
        1,
        2.5,
        10**30,
        -5,
        datetime(2026, 1, 2, tzinfo=UTC),
        UUID(int=4),
        object(),
        Customer("none"),
        b"\xff",
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_stay_as_they_are(value: Any) -> None:
    assert LEAVES.value(value) is value


# ------------------------------------------------------------------------------------------------ names


def test_a_denied_name_costs_the_whole_value() -> None:
    value = {"password": {"old": ["a"]}, "token": 7, "cookie": None}
    assert LEAVES.value(value) == {"password": REDACTED, "token": REDACTED, "cookie": None}


def test_an_allowed_name_keeps_its_value_and_its_list_but_not_an_object() -> None:
    value = {"user_id": EMAIL, "item_id": [EMAIL, int(CARD)], "thread_id": {"mail": EMAIL}}
    assert LEAVES.value(value) == {**value, "thread_id": {"mail": FOUND}}


def test_a_value_may_be_given_with_its_name() -> None:
    assert LEAVES.field("x-api-key", 5) == REDACTED
    assert LEAVES.field("user_id", EMAIL) == EMAIL
    assert LEAVES.field("mail", EMAIL) == FOUND


def test_names_alone_may_decide() -> None:
    value = {"password": 1, "mail": EMAIL, "held": Customer(EMAIL), "raw": b"x"}
    assert Leaves(None).value(value) == {**value, "password": REDACTED}


# ------------------------------------------------------------------------------------------------ JSON


@given(JSON)
def test_json_stays_json_and_is_scrubbed_in_its_values(value: Any) -> None:
    text = json.dumps({"value": value, "mail": f'"{EMAIL}\n'})
    assert json.loads(LEAVES.text(text)) == {"value": value, "mail": f'"{FOUND}\n'}


def test_an_address_that_json_hides_is_found() -> None:
    assert LEAVES.text('{"a": "alice\\u0040example.com"}') == json.dumps({"a": FOUND})


def test_json_without_a_finding_is_the_very_same_text() -> None:
    text = ' {"b" :1.10,"a":["é", 1e3]}\n'
    assert LEAVES.text(text) is text


def test_names_decide_in_json_as_well() -> None:
    assert json.loads(LEAVES.text(f'[{{"password": 1, "user_id": "{EMAIL}"}}]')) == [
        {"password": REDACTED, "user_id": EMAIL}
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"{{{EMAIL}}}",
        f"[{EMAIL}]",
        f'{{"a": "{EMAIL}", "a": 1}}',
        "[" * 100_000 + f'"{EMAIL}"' + "]" * 100_000,
    ],
    ids=["braces", "brackets", "a name twice", "too deep for the parser"],
)
def test_what_only_looks_like_json_is_a_text(text: str) -> None:
    leaves = Leaves(scrub, bounds=UNBOUNDED)
    assert leaves.text(text) == text.replace(EMAIL, FOUND)


# ------------------------------------------------------------------------------------------------ bounds


def test_what_is_too_deep_is_left_out() -> None:
    leaves = Leaves(scrub, bounds=Bounds(depth=2))
    assert leaves.value([[EMAIL, [EMAIL], {"a": 1}]]) == [[FOUND, OMITTED, OMITTED]]


def test_what_is_too_much_is_left_out() -> None:
    leaves = Leaves(scrub, bounds=Bounds(values=3))
    assert leaves.value(["a", EMAIL, "c", EMAIL]) == ["a", FOUND, OMITTED, OMITTED]


def test_what_holds_itself_has_an_end() -> None:
    value: list[Any] = [EMAIL]
    value += [value, value]
    assert EMAIL not in str(LEAVES.value(value))


def test_a_text_that_is_too_long_ends_before_half_a_match_could_show() -> None:
    text = "x" * 995 + EMAIL
    clean = Leaves(scrub, bounds=Bounds(characters=1000)).text(text)
    assert clean == "x" * (1000 - 256) + OMITTED


# ------------------------------------------------------------------------------------------------ failures


def test_a_scrubber_that_fails_costs_the_text() -> None:
    assert safely(Broken())(EMAIL) == UNSCRUBBED
    assert safely(labelling())(f"to {EMAIL}") == f"to {FOUND}"


@pytest.mark.parametrize("make", [list, tuple, dict.fromkeys], ids=["list", "tuple", "names"])
def test_a_failure_passes_through_where_nobody_catches_it(make: Callable[[list[str]], Any]) -> None:
    leaves = Leaves(lambda text: Broken().scrub(text))
    with pytest.raises(RuntimeError):
        leaves.value(make([EMAIL]))
