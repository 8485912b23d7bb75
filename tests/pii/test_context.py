"""Which words stand before a match."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_prod.pii.context import Contexts
from chatkit_prod.pii.detector import CONTEXT
from chatkit_prod.pii.engine import EngineName, engine_of
from tests.pii.oracle import stands_before

ENGINES: tuple[EngineName, ...] = ("re", "auto")
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
@pytest.mark.parametrize("engine", ENGINES)
def test_a_word_is_found_in_any_case_where_it_begins(engine: EngineName, text: str, found: list[int]) -> None:
    contexts = Contexts(SETS, engine_of(engine))
    assert contexts.before(text)(len(text)) == sum(contexts.bit(SETS[index]) for index in found)


def test_the_same_set_twice_is_one() -> None:
    contexts = Contexts([("a",), ("b",), ("a",)])
    assert contexts.before("a")(1) == contexts.bit(("a",))
    assert contexts.bit(("a",)) != contexts.bit(("b",))


def test_no_set_has_no_words() -> None:
    assert Contexts([]).before("passport")(8) == 0
    assert Contexts([], engine_of("auto")).before("passport")(8) == 0


def test_places_may_be_those_of_another_text() -> None:
    contexts = Contexts(SETS)
    assert contexts.before("pa\N{SOFT HYPHEN}ss pass", [0, 1, 3, 4, 5, 6, 7, 8, 9, 10])(9) == contexts.bit(
        SETS[0]
    ) | contexts.bit(SETS[2])


WORDS = st.sampled_from([word for context in SETS for word in context])
GLUE = st.sampled_from(
    ["", " ", "x", "é", "1", "_", "²", "Ⅳ", "漢", "\N{SOFT HYPHEN}", "ⓐ", "ß", "İ", "x" * CONTEXT, " " * 50]
)


@pytest.mark.parametrize("engine", ENGINES)
@given(
    pieces=st.lists(st.one_of(WORDS, WORDS.map(str.swapcase), GLUE), max_size=8),
    here=st.integers(0, 200),
)
@settings(max_examples=300)
def test_what_is_found_is_what_each_word_is_where_it_stands(
    engine: EngineName, pieces: list[str], here: int
) -> None:
    text = "".join(pieces)
    here = min(here, len(text))
    contexts = Contexts(SETS, engine_of(engine))
    found = contexts.before(text)(here)
    for context in SETS:
        is_found = any(stands_before(word, text, here) for word in context)
        assert bool(found & contexts.bit(context)) is is_found
