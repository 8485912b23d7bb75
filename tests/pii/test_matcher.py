"""Where detectors match: at the same places as one that tries each of them everywhere."""

import random
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError
from chatkit_prod.pii.detector import Detector
from chatkit_prod.pii.detectors import DETECTORS
from chatkit_prod.pii.engine import EngineName
from chatkit_prod.pii.matcher import Matcher
from chatkit_prod.pii.scrubber import Scrubber
from tests.pii.oracle import findings
from tests.pii.samples import matched, pieces


def is_even(value: str) -> bool:
    """Tell whether the digits of a value have an even sum."""
    return sum(int(digit) for digit in value if digit.isdigit()) % 2 == 0


KINDS = (
    Detector(name="trigger first", type="A", pattern="[0-9]{2}(?:[ -][0-9]{2}){1,2}", trigger="[0-9]", check=is_even),
    Detector(name="with its word", type="B", pattern="[a-d]{2}[0-9]{2,3}", trigger="[0-9]", lead=2),
    Detector(name="with its word or not", type="B", pattern="(?:ab)?[0-9]{4}", trigger="[0-9]", lead=2, after="[ab]"),
    Detector(name="behind a head", type="C", pattern=r"[a-d.]{1,6}@[a-d]{1,4}(?:\.[a-d]{1,3}){0,2}", trigger="@", lead=6, after=""),
    Detector(name="behind heads", type="D", pattern="(?:a|bc-)=[0-9a]{1,3}", trigger="=", lead=3, before="=.", after="-"),
    Detector(name="anywhere", type="E", pattern="[ab]{0,2}(?:#a|-c!)", trigger="#|!", lead=4, before="", after=""),
    Detector(name="anywhere bounded", type="E", pattern="c[ab]{0,2}(?:#a|-c!)", trigger="#|!", lead=5),
    Detector(name="a word", type="F", pattern="[Aa][Bb][Cc][ :]{0,2}[0-9]{1,4}", trigger="abc"),
    Detector(name="a word later", type="F", pattern="(?:d[ -]?)?[Ss][Kk]-[a-d0-9]{2,6}", trigger="sk-", lead=2, after="", tail="a-d0-9"),
    Detector(name="words", type="G", pattern="(?:::|key)=?[0-9a]{2}", trigger="::|key", before="", after="", tail="0-9"),
    Detector(name="unbounded", type="H", pattern="c{2,3}", trigger="c", before="", after="d"),
    Detector(name="bounded by one", type="H", pattern="[ab]!", trigger="!", lead=1, before="b", after=""),
    Detector(name="in context", type="I", pattern="[A-Z][0-9]{3}", trigger="[0-9]", lead=1, context=("Pass", "護照", "no.")),
    Detector(name="in another", type="J", pattern="[0-9]{3}", trigger="[0-9]", before="", context=("Straße", "pass no")),
)  # fmt: skip
FRAGMENTS = (
    *("a", "b", "c", "d", "ab", "cc", "abc", "ABC ", "sk-", "d-Sk-", "key", "::", "@", "=", "#", "!", "-", ".", " "),
    *("12", "34", "1", "12-34", "12 34 56", "ab12", "a.b@c.d", "bc-=1", "B123", "aA.", "Pass ", "PASS no ", "no. ", "護照"),
    *("STRASSE ", "straße ", "é", "ß", "漢", "ⓐ", "²", "Ⅳ", "\N{FULLWIDTH COMMERCIAL AT}", "\N{FULLWIDTH DIGIT ONE}2", "\u200b", "\xad" * 3, "\u200b" * 10, "\u0301", "x" * 70),
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=12).map("".join)
PADDING = ("", "- " * 400, "漢 " * 400)


def agrees(detectors: Sequence[Detector], text: str, engine: EngineName, longest: int) -> None:
    """Check that a text is scrubbed of what is in it, as a whole and in pieces."""
    scrubber = Scrubber(detectors, action="label", engine=engine)
    expected = findings(text, detectors)
    scrubbed = scrubber.scrub(text)
    assert list(scrubbed.findings) == expected
    stream = scrubber.stream()
    assert (
        "".join(map(stream.feed, pieces(random.Random(text), text, longest))) + stream.finish()
        == scrubbed.text
    )
    assert stream.counts.total() == len(expected)


@given(TEXTS, st.sampled_from(["re", "auto"]), st.sampled_from([1, 3, 20]))
@settings(max_examples=250)
def test_detectors_of_all_kinds_together_match_where_each_of_them_does(
    text: str, engine: EngineName, longest: int
) -> None:
    agrees(KINDS, text, engine, longest)


@pytest.mark.parametrize("detector", KINDS, ids=lambda found: found.name)
@given(text=TEXTS)
@settings(max_examples=40)
def test_a_detector_alone_matches_where_it_does(detector: Detector, text: str) -> None:
    agrees((detector,), text, "auto", 4)


@given(TEXTS, st.sampled_from(PADDING), st.sampled_from(PADDING), st.sampled_from(["re", "auto"]))
@settings(max_examples=50)
def test_in_a_long_text_they_match_where_they_do_in_a_short_one(
    text: str, before: str, behind: str, engine: EngineName
) -> None:
    text = f"{before}{text} {behind}"
    assert list(Scrubber(KINDS, engine=engine).scrub(text).findings) == findings(text, KINDS)


@pytest.mark.parametrize("engine", ["re", "auto"])
@pytest.mark.parametrize("joint", ["B\N{SOFT HYPHEN}", "ⓐ", "²", "Ⅳ", "é", "1", ""])
def test_a_word_of_the_context_is_found_behind_whatever_it_is_found_behind_elsewhere(
    joint: str, engine: EngineName
) -> None:
    text = "- " * 400 + f"{joint}pass A123, {joint}Straße 123 " + "- " * 400
    assert list(Scrubber(KINDS, engine=engine).scrub(text).findings) == findings(text, KINDS)


def test_all_short_texts_of_a_few_letters_match_where_the_kinds_do() -> None:
    for detector, alphabet in (
        (KINDS[5], "ab#-c!"),
        (KINDS[10], "cd"),
        (KINDS[4], "abc-=1"),
        (KINDS[7], "aBc1"),
    ):
        scrubber = Scrubber((detector,))
        for text in map("".join, product(alphabet, repeat=5)):
            assert list(scrubber.scrub(text).findings) == findings(text, (detector,))


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda found: found.name)
def test_a_detector_of_this_package_finds_what_it_matches_and_has_its_trigger_where_it_says(
    detector: Detector,
) -> None:
    chance = random.Random(detector.name)
    context = chance.choice(detector.context or ("",))
    for _ in range(8):
        text = f"{context} {matched(chance, detector)}{chance.choice(' .1a')}"
        agrees((detector,), text, chance.choice(("re", "auto")), 6)


@pytest.mark.parametrize("wrong", [{"pattern": "a+"}, {"trigger": "^"}, {"after": "(?=a)"}])
def test_what_is_no_pattern_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="a pattern must be made of"):
        Matcher([Detector(**({"name": "n", "type": "T", "pattern": "a", "trigger": "a"} | wrong))])  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_without_detectors_nothing_is_found() -> None:
    agrees((), "bob@example.com" * 100, "auto", 7)
