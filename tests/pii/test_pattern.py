"""Patterns, and their prefixes."""

import random
import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError
from chatkit_prod.pii.detectors import DETECTORS
from chatkit_prod.pii.pattern import (
    Alternatives,
    Node,
    One,
    Sequence,
    all_letters,
    branches,
    followed_by,
    letters,
    literal,
    parse,
    parts,
    split_at,
    without_last,
)
from tests.pii.samples import sample

ALPHABET = "abc"
WIDTH = 5
TEXTS = ["".join(text) for size in range(WIDTH + 1) for text in product(ALPHABET, repeat=size)]


def _pattern(chance: random.Random, depth: int = 3) -> str:
    def one() -> str:
        if depth and chance.random() < 0.4:
            return f"(?:{_pattern(chance, depth - 1)})"
        return chance.choice(("a", "b", "c", "[ab]", "[^a]", "[b-c]", r"\x61", r"[\x62]"))

    def repeated() -> str:
        return one() + chance.choice(("", "", "", "?", "{2}", "{1,2}", "{0,1}", "{0,2}", "{1,1}", "{3}"))

    return "|".join(
        "".join(repeated() for _ in range(chance.randint(1, 3))) for _ in range(chance.choice((1, 1, 2, 3)))
    )


def _is_parsed(pattern: str) -> bool:
    try:
        return parse(pattern).width <= WIDTH
    except ConfigurationError:  # a group that may be empty, repeated
        return False


PATTERNS = st.integers(0, 2**32).map(lambda seed: _pattern(random.Random(seed))).filter(_is_parsed)
OF_DETECTORS = [found.pattern for found in DETECTORS] + [found.after for found in DETECTORS if found.after]


def fitting(node: Node) -> set[str]:
    """Return all texts of a small alphabet that a pattern fits."""
    fits = re.compile(node.source).fullmatch
    return {text for text in TEXTS if fits(text)}


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "|a", "a|", "a||b", "(?:)", "(?:a", "a)", "(a)", "(?P<n>a)", "(?=a)", "(?!a)", "(?<!a)", "(?i)a", "(?i:a)"),
        *("a*", "a+", "a??", "a{1,2}?", "a{1,2}{2}", "a{,2}", "a{1,}", "a{2,1}", "a{0}", "a{0,0}", "a{1001}", "a{", "a}"),
        *("?", "{2}", "(?:?)", "|", "^a", "a$", ".", r"\d", r"\w", r"\s", r"\b", r"\A", r"\Z", r"\1", r"\pL", "a\\"),
        *("[", "]", "[]", "[^]", "[a", r"[\d]", r"[\w-]", "[[:alpha:]]", "[[a]", r"\xg0", r"\x6", r"\u0061"),
        *("(?:a?){2}", "(?:a|b?){0,2}", "(?:a{0,2}b?)?", "(?:a?)?"),
    ],
)  # fmt: skip
def test_what_is_not_common_to_both_engines_or_has_no_end_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match="a pattern must be made of literals, classes"):
        parse(pattern)


@pytest.mark.parametrize(
    "pattern", ["a{1000}", r"\.", r"[\]\\^-]", r"\n", r"\xe9", "é", "¤", "[^a]", " ", "-", '"', "\n"]
)
def test_what_is_common_to_both_engines_is_read(pattern: str) -> None:
    assert parse(pattern).source.startswith(pattern.split("{", maxsplit=1)[0])


def test_a_refusal_shows_where() -> None:
    with pytest.raises(ConfigurationError, match=re.escape("'+c' in 'ab+c'")):
        parse("ab+c")


@given(PATTERNS)
@settings(max_examples=80)
def test_the_prefixes_of_what_a_pattern_fits_are_begun_and_nothing_else_is(pattern: str) -> None:
    node = parse(pattern)
    begun = re.compile(node.begun).fullmatch
    fits = fitting(node)
    prefixes = {text[:size] for text in fits for size in range(1, len(text) + 1)}
    assert {text for text in TEXTS if text and begun(text)} == prefixes


@given(PATTERNS)
@settings(max_examples=80)
def test_a_pattern_means_what_it_means_to_the_standard_library(pattern: str) -> None:
    node = parse(pattern)
    assert fitting(node) == {text for text in TEXTS if re.fullmatch(pattern, text)}
    for text in TEXTS[:: max(1, len(TEXTS) // 60)]:
        mine, theirs = re.match(node.source, text), re.match(pattern, text)
        assert (mine and mine[0]) == (theirs and theirs[0])


@given(PATTERNS)
@settings(max_examples=80)
def test_the_source_of_a_pattern_is_that_pattern(pattern: str) -> None:
    source = parse(pattern).source
    assert parse(source).source == source


@given(PATTERNS)
@settings(max_examples=80)
def test_the_width_of_a_pattern_is_that_of_what_it_fits(pattern: str) -> None:
    node = parse(pattern)
    widths = [len(text) for text in fitting(node)]
    assert max(widths) == node.width
    assert node.is_optional == (min(widths) == 0)


@given(PATTERNS)
@settings(max_examples=80)
def test_the_letters_of_a_pattern_are_those_that_it_begins_with(pattern: str) -> None:
    node = parse(pattern)
    fits = fitting(node)
    assert letters(node) & set(ALPHABET) == {text[0] for text in fits if text}
    assert all_letters(node) & set(ALPHABET) == set().union(*fits)


@given(PATTERNS)
@settings(max_examples=80)
def test_without_its_last_character_a_pattern_is_begun_by_all_that_one_character_may_decide(
    pattern: str,
) -> None:
    node = parse(pattern)
    proper = {text[:size] for text in fitting(node) for size in range(1, len(text))}
    shorter = without_last(node)
    begun = re.compile(shorter.begun).fullmatch if shorter.width else None
    held = {text for text in TEXTS if text and begun and begun(text)}
    assert proper <= held <= proper | fitting(node)


@pytest.mark.parametrize("pattern", OF_DETECTORS)
def test_the_patterns_of_all_detectors_begin_with_every_prefix_of_what_they_fit(pattern: str) -> None:
    node = parse(pattern)
    chance = random.Random(pattern)
    begun = re.compile(node.begun).fullmatch
    for _ in range(3):
        text = sample(chance, node)
        assert re.fullmatch(node.source, text)
        assert len(text) <= node.width
        assert all(begun(text[:size]) for size in range(1, len(text) + 1))


def test_a_sequence_is_split_at_a_part_as_it_is_written() -> None:
    split = split_at(parse("[ab]{1,3}@(?:c|d)"), "@")
    assert split is not None
    assert [half.source for half in split] == ["[ab]{1,3}", "@(?:c|d)"]


@pytest.mark.parametrize("pattern", ["@a", "@", "[ab]", "a|b@"])
def test_nothing_is_split_that_has_no_head_or_no_such_part(pattern: str) -> None:
    assert split_at(parse(pattern), "@") is None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("abc", "abc"),
        (r"\.", "."),
        ("[a]", "a"),
        ("a[bc]", None),
        ("ab?", None),
        ("a{2}", None),
        ("a|b", None),
    ],
)
def test_a_pattern_of_single_characters_is_a_literal(pattern: str, text: str | None) -> None:
    assert literal(parse(pattern)) == text


def test_alternatives_have_branches_and_all_else_is_its_own() -> None:
    assert [branch.source for branch in branches(parse("ab|c"))] == ["ab", "c"]
    assert [branch.source for branch in branches(parse("ab"))] == ["ab"]


def test_parts_that_take_nothing_are_none() -> None:
    nothing = Sequence(())
    assert parts(nothing) == ()
    assert followed_by(One("a"), nothing) == One("a")
    assert followed_by(parse("ab"), One("c")) == parse("abc")
    assert without_last(nothing) == nothing
    assert Alternatives((nothing, One("a"))).begun == "(?:a)"


def test_a_part_of_an_unknown_kind_has_no_letters() -> None:
    with pytest.raises(TypeError):
        all_letters(Node.__new__(type("Stranger", (Node,), dict.fromkeys(Node.__abstractmethods__))))
