"""Which words stand before a match."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_prod.pii.context import Contexts
from tests.pii.oracle import _stands_in as stands_in  # pyright: ignore[reportPrivateUsage]

SETS = (("passport", "Pass", "no."), ("PASSWORD",), ("護照", "pass"), ("Straße", "número"), ("a b",))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("my passport: ", [0, 2]),
        ("PASSPORT", [0, 2]),
        ("password", [0, 1, 2]),
        ("compass no", []),
        ("compass no.", [0]),
        ("1pass_pass", [0, 2]),
        ("我的護照", [2]),
        ("STRASSE", [3]),
        ("NÚMERO", [3]),
        ("a  b", []),
        ("a b", [4]),
        ("épass", []),
    ],
)
def test_a_word_is_found_in_any_case_where_it_begins(text: str, found: list[int]) -> None:
    contexts = Contexts(SETS)
    assert contexts.found_in(text) == sum(contexts.bit(SETS[index]) for index in found)


def test_the_same_set_twice_is_one() -> None:
    contexts = Contexts([("a",), ("b",), ("a",)])
    assert contexts.found_in("a") == contexts.bit(("a",))
    assert contexts.bit(("a",)) != contexts.bit(("b",))


def test_no_set_has_no_words() -> None:
    assert Contexts([]).found_in("passport") == 0


WORDS = st.sampled_from([word for context in SETS for word in context])
GLUE = st.sampled_from(["", " ", "x", "é", "1", "_", "²", "Ⅳ", "漢", "\N{SOFT HYPHEN}", "ⓐ"])


@given(st.lists(st.one_of(WORDS, WORDS.map(str.swapcase), GLUE), max_size=6).map("".join))
@settings(max_examples=300)
def test_what_is_found_is_what_each_word_is_where_it_stands(text: str) -> None:
    contexts = Contexts(SETS)
    plain = text.casefold()
    for context in SETS:
        is_found = any(stands_in(word.casefold(), plain) for word in context)
        assert bool(contexts.found_in(text) & contexts.bit(context)) is is_found
