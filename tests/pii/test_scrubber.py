"""Personal data is taken out of texts; the options decide what, and what stands there instead."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings

from chatkit_prod import ConfigurationError
from chatkit_prod.pii.detector import Detector, Finding
from chatkit_prod.pii.detectors import DETECTORS
from chatkit_prod.pii.markers import MASK, Action
from chatkit_prod.pii.scrubber import Scrubbed, Scrubber
from tests.benchmarks.pii_corpora import dense
from tests.pii.corpus import corpus
from tests.pii.samples import ENTITIES, texts
from tests.pii.scrubbers import CARD, EMAIL
from tests.pii.scrubbers import DETECTORS as FEW

ACTIONS: tuple[Action, ...] = ("mask", "label", "pseudonym", "hash")
KEY = bytes(range(32))
ALL = {action: Scrubber(action=action, key=KEY) for action in ACTIONS}
TEXT = f"I am {EMAIL}, {CARD}."


def few(**options: Any) -> Scrubber:
    return Scrubber(FEW, **options)


def test_what_was_found_is_replaced_and_told_where_it_was() -> None:
    assert few(action="label").scrub(TEXT) == Scrubbed(
        "I am [EMAIL], [CREDIT_CARD].",
        (Finding("EMAIL", 5, 22, "address"), Finding("CREDIT_CARD", 24, 40, "card")),
    )


def test_a_mask_hides_even_what_it_was_unless_told_otherwise() -> None:
    assert few().scrub(TEXT).text == f"I am {MASK}, {MASK}."


def test_a_text_without_any_is_itself() -> None:
    for text in ("", "Hello", "漢字", "a@b", "4111 1111"):
        assert few().scrub(text) == Scrubbed(text, ())


def test_a_stream_counts_by_type() -> None:
    stream = few(action="label").stream()
    released = "".join(map(stream.feed, f"{TEXT} {CARD}"))
    assert released + stream.finish() == "I am [EMAIL], [CREDIT_CARD]. [CREDIT_CARD]"
    assert stream.counts == Counter(EMAIL=1, CREDIT_CARD=2)


def test_pseudonyms_are_the_same_in_a_scope_and_with_a_key_alone() -> None:
    scrubber = few(action="pseudonym", key=KEY)
    first = scrubber.scrub(TEXT, scope="thr_1").text
    assert re.fullmatch(r"I am \[EMAIL_[A-Z2-7]{8}\], \[CREDIT_CARD_[A-Z2-7]{8}\]\.", first)
    assert scrubber.scrub(TEXT, scope="thr_1").text == first
    assert few(action="pseudonym", key=KEY).scrub(TEXT, scope="thr_1").text == first
    stream = scrubber.stream(scope="thr_1")
    assert "".join(map(stream.feed, TEXT)) + stream.finish() == first
    assert scrubber.scrub(TEXT, scope="thr_2").text != first
    assert few(action="pseudonym", key=KEY[::-1]).scrub(TEXT, scope="thr_1").text != first
    assert few(action="pseudonym").scrub(TEXT, scope="thr_1").text != first


def test_hashes_are_the_same_everywhere_with_a_key() -> None:
    scrubber = few(action="hash", key=KEY)
    first = scrubber.scrub(TEXT, scope="thr_1").text
    assert scrubber.scrub(TEXT, scope="thr_2").text == first
    assert few(action="hash", key=KEY[::-1]).scrub(TEXT).text != first
    assert few(action="hash").scrub(TEXT).text != few(action="hash").scrub(TEXT).text


@pytest.mark.parametrize("action", ["pseudonym", "hash"])
def test_a_value_has_one_name_however_it_is_written(action: Action) -> None:
    scrubber = few(action=action, key=KEY)
    hidden = EMAIL[:3] + "\N{SOFT HYPHEN}" + EMAIL[3:].replace("@", "\N{FULLWIDTH COMMERCIAL AT}")
    assert scrubber.scrub(hidden).text == scrubber.scrub(EMAIL).text


@pytest.mark.parametrize(
    "allow",
    [[EMAIL], {EMAIL.upper()}, (re.compile(r".*@example\.com"),), [re.compile("ALICE.*", re.IGNORECASE), "x"],
     [EMAIL.replace("@", "\N{FULLWIDTH COMMERCIAL AT}")]],
)  # fmt: skip
def test_what_is_allowed_is_left_alone(allow: Iterable[str | re.Pattern[str]]) -> None:
    assert few(action="label", allow=allow).scrub(TEXT).text == f"I am {EMAIL}, [CREDIT_CARD]."


@pytest.mark.parametrize(
    "allow", [["alice@example"], [""], [re.compile("alice")], [re.compile("lice@example.com")]]
)
def test_what_is_allowed_fits_the_whole_of_it(allow: Iterable[str | re.Pattern[str]]) -> None:
    assert few(action="label", allow=allow).scrub(TEXT).text == "I am [EMAIL], [CREDIT_CARD]."


def test_what_is_allowed_does_not_allow_what_the_check_refuses() -> None:
    odd = Detector(
        name="odd", type="ODD", pattern="[0-9]", trigger="[0-9]", check=lambda value: value in "13579"
    )
    assert Scrubber([odd], action="label", allow=["3"]).scrub("1 2 3").text == "[ODD] 2 3"


def test_the_same_text_may_be_allowed_twice() -> None:
    assert (
        few(allow=[EMAIL, EMAIL, EMAIL.upper(), re.compile("x"), re.compile("x")]).scrub(EMAIL).text == EMAIL
    )


@pytest.mark.parametrize("wrong", [3, b"x", None, ("a",)])
def test_nothing_else_can_be_allowed(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^allow must hold texts and compiled patterns$"):
        few(allow=["x", wrong])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"action": "redact"}, "action must be"),
        ({"key": b"short"}, "key must be 16 to 64 random bytes"),
        ({"key": "x" * 32}, "key must be 16 to 64 random bytes"),
        ({"engine": "hyperscan"}, "engine must be"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        few(**options)


@pytest.mark.parametrize("wrong", ["EMAIL", None, 3, Detector])
def test_what_is_no_detector_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^detectors must hold Detectors, not "):
        Scrubber([wrong])


def test_a_pattern_without_end_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="a pattern must be made of"):
        Scrubber([Detector(name="n", type="T", pattern="a+", trigger="a")])


def test_detectors_may_be_any_iterable_and_are_kept() -> None:
    assert Scrubber(iter(FEW)).detectors == FEW
    assert Scrubber().detectors == DETECTORS
    assert not Scrubber().is_slow


def test_of_two_that_find_something_at_one_place_the_longer_names_it_or_else_the_first() -> None:
    def named(name: str, pattern: str) -> Detector:
        return Detector(name=name, type=name, pattern=pattern, trigger="[0-9]", before="", after="")

    one, two, long = named("ONE", "[0-9]{2}"), named("TWO", "[0-9]{2}"), named("LONG", "[0-9]{3}")
    assert Scrubber([one, two], action="label").scrub("12").text == "[ONE]"
    assert Scrubber([two, one], action="label").scrub("12").text == "[TWO]"
    assert Scrubber([one, two, long], action="label").scrub("123").text == "[LONG]"
    assert Scrubber([one, two, long], action="label").scrub("12 4").text == "[ONE] 4"


@pytest.mark.parametrize("action", ACTIONS)
def test_scrubbing_again_what_was_scrubbed_changes_nothing(action: Action) -> None:
    for text in (*(message.text for message in dense(40_000)), *(text for text, _ in corpus(size=400))):
        once = ALL[action].scrub(text).text
        assert ALL[action].scrub(once).text == once


@pytest.mark.parametrize("action", ACTIONS)
@given(text=texts(3))
@settings(max_examples=60)
def test_a_marker_is_not_scrubbed_whatever_stands_around_it(action: Action, text: str) -> None:
    once = ALL[action].scrub(text).text
    marked = [
        found.span()
        for found in re.finditer(rf"{MASK}|\[[A-Z_]+(?:_(?:[A-Z2-7]{{8}}|[0-9a-f]{{32}}))?\]", once)
    ]
    for finding in ALL[action].scrub(once).findings:
        assert not any(start < finding.end and finding.start < end for start, end in marked)


@pytest.mark.parametrize(
    "word", ["", "SSN ", "passport ", "phone: ", "password=", "api_key: '", "card ", "IBAN "]
)
@pytest.mark.parametrize(
    "name", ["AB234567", "23456723", "A2345672", "ABCDEFGH", "a0" * 16, "12345678" * 4, "0" * 32]
)
def test_no_marker_looks_like_what_it_stands_for(word: str, name: str) -> None:
    for kind in {found.type for found in DETECTORS}:
        for marker in (f"[{kind}_{name}]", f"[{kind}]", MASK):
            assert ALL["label"].scrub(word + marker) == Scrubbed(word + marker, ())


@given(texts(2))
@settings(max_examples=60)
def test_both_engines_give_the_same(text: str) -> None:
    pytest.importorskip("re2", reason="one engine of two")
    by_re, by_re2 = (Scrubber(action="hash", key=KEY, engine=engine) for engine in ("re", "re2"))
    for whole in (text, f"{'- ' * 400}{text}"):
        assert by_re.scrub(whole) == by_re2.scrub(whole)


def test_nothing_of_a_scrubber_shows_what_it_found() -> None:
    for entity in ENTITIES:
        for scrubber in ALL.values():
            stream = scrubber.stream()
            released = stream.feed(f"{entity} ") + stream.finish()
            scrubbed = scrubber.scrub(f"{entity} ")
            shown = repr((stream.counts, scrubbed.findings, scrubber, stream)) + released
            for finding in scrubbed.findings:
                value = entity[finding.start : finding.end]
                assert value not in shown
                assert not any(field == value for field in finding)


def test_a_finding_is_made_of_its_type_its_place_and_its_detector() -> None:
    assert Finding._fields == ("type", "start", "end", "detector")


class Names:
    """Finds capitalised words behind a greeting."""

    name = "names"

    def find(self, sentence: str, /) -> Iterable[Finding]:
        for found in re.finditer("Hi ([A-Z][a-z]+)", sentence):
            yield Finding("PERSON", found.start(1), found.end(1), self.name)


def test_a_detector_of_sentences_makes_it_slow_and_finds_the_rest() -> None:
    scrubber = Scrubber((*FEW, Names()), action="label")
    assert scrubber.is_slow
    text = f"Hi Bob, mail {EMAIL}. Hi Eve! {CARD}. Hi Mo"
    scrubbed = scrubber.scrub(text)
    assert scrubbed.text == "Hi [PERSON], mail [EMAIL]. Hi [PERSON]! [CREDIT_CARD]. Hi [PERSON]"
    assert [text[found.start : found.end] for found in scrubbed.findings] == ["Bob", EMAIL, "Eve", CARD, "Mo"]
    for size in range(1, len(text)):
        stream = scrubber.stream()
        released = (
            "".join(stream.feed(text[at : at + size]) for at in range(0, len(text), size)) + stream.finish()
        )
        assert released == scrubbed.text
        assert stream.counts == Counter(PERSON=3, EMAIL=1, CREDIT_CARD=1)


@given(texts(3))
@settings(max_examples=60)
def test_with_a_detector_of_sentences_a_stream_becomes_what_the_whole_text_is(text: str) -> None:
    scrubber = Scrubber((*FEW, Names()), action="label")
    text = f"Hi Bob, {EMAIL}. {text}! Hi Eve"
    whole = scrubber.scrub(text)
    stream = scrubber.stream()
    assert "".join(map(stream.feed, text)) + stream.finish() == whole.text
    assert stream.counts == Counter(found.type for found in whole.findings)
