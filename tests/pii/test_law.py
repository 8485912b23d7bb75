"""What a stream releases is together what the whole text becomes: for every text, and every way to cut it."""

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product
from statistics import quantiles

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_prod.pii.detector import Detector
from chatkit_prod.pii.detectors import DETECTORS
from chatkit_prod.pii.fold import MAX_IGNORED, fold
from chatkit_prod.pii.markers import Action
from chatkit_prod.pii.matcher import Matcher
from chatkit_prod.pii.pattern import parse
from chatkit_prod.pii.scrubber import Scrubbed, Scrubber
from chatkit_prod.pii.window import Window
from tests.benchmarks.pii_corpora import clean, deltas, dense, hostile
from tests.pii.innocent import corpora
from tests.pii.oracle import findings
from tests.pii.samples import ENTITIES, glued, pieces, texts

ACTIONS: tuple[Action, ...] = ("mask", "label", "pseudonym", "hash")
KEY = bytes(range(32))
BY_RE = {action: Scrubber(action=action, key=KEY, engine="re") for action in ACTIONS}
WIDEST = max(
    parse(found.pattern).width + (parse(found.after).width if found.after else 0) for found in DETECTORS
)

re2 = pytest.importorskip("re2", reason="one engine of two")
BY_RE2 = {action: Scrubber(action=action, key=KEY, engine="re2") for action in ACTIONS}
BOTH = (BY_RE, BY_RE2)


def obeys(scrubber: Scrubber, whole: Scrubbed, cut: Iterable[str]) -> None:
    """Check that a stream of pieces becomes what the whole text is."""
    stream = scrubber.stream(scope="thread")
    released = [stream.feed(piece) for piece in cut]
    released.append(stream.finish())
    assert "".join(released) == whole.text
    assert stream.counts == Counter(finding.type for finding in whole.findings)


@given(texts(2), st.sampled_from(ACTIONS), st.sampled_from(BOTH))
@settings(max_examples=60)
def test_every_cut_into_two_and_every_single_character_become_what_the_whole_text_is(
    text: str, action: Action, scrubbers: dict[Action, Scrubber]
) -> None:
    text = text[:90]
    scrubber = scrubbers[action]
    whole = scrubber.scrub(text, scope="thread")
    obeys(scrubber, whole, text)
    for at in range(len(text) + 1):
        obeys(scrubber, whole, (text[:at], text[at:]))


@given(texts(6), st.randoms(use_true_random=False), st.integers(1, 60))
@settings(max_examples=60)
def test_random_pieces_become_what_the_whole_text_is_with_both_engines_and_every_action(
    text: str, chance: random.Random, longest: int
) -> None:
    cut = list(pieces(chance, text, longest))
    found = BY_RE["mask"].scrub(text).findings
    for action in ACTIONS:
        whole = BY_RE[action].scrub(text, scope="thread")
        assert BY_RE2[action].scrub(text, scope="thread") == whole
        assert whole.findings == found
        obeys(BY_RE[action], whole, cut)
        obeys(BY_RE2[action], whole, cut)


@pytest.mark.parametrize("seed", range(4))
def test_thousands_of_texts_become_the_same_in_pieces_and_with_both_engines(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(300):
        text = glued(chance, 6)
        whole = BY_RE["label"].scrub(text, scope="thread")
        assert BY_RE2["label"].scrub(text, scope="thread") == whole
        scrubber = chance.choice(BOTH)["label"]
        obeys(scrubber, whole, pieces(chance, text, chance.choice((1, 5, 40))))


@given(texts(3))
@settings(max_examples=60)
def test_what_is_found_is_what_each_detector_finds_at_each_place(text: str) -> None:
    assert list(BY_RE["label"].scrub(text).findings) == findings(text, DETECTORS)


INNOCENT = dict(corpora())


@pytest.mark.parametrize("kind", INNOCENT)
def test_what_is_not_personal_leaves_a_stream_as_it_came(kind: str) -> None:
    found = INNOCENT[kind][:100]
    chance = random.Random(kind)
    for text in found:
        obeys(BY_RE["mask"], Scrubbed(text, ()), pieces(chance, text, 9))
    text = "\n\n".join(found)
    assert BY_RE["label"].scrub(text) == BY_RE2["label"].scrub(text)


HOSTILE = hostile(8_000) | {
    repr(entity[:12]): (entity[: len(entity) * 2 // 3] * 8_000)[:8_000] for entity in ENTITIES[::12]
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_stream_becomes_what_its_whole_text_is(name: str) -> None:
    text = HOSTILE[name]
    whole = BY_RE["label"].scrub(text, scope="thread")
    assert BY_RE2["label"].scrub(text, scope="thread") == whole
    obeys(BY_RE["label"], whole, pieces(random.Random(name), text, 400))


def test_long_texts_dense_with_personal_data_become_the_same_in_pieces_and_with_both_engines() -> None:
    for message in dense(24_000):
        for action in ACTIONS:
            whole = BY_RE[action].scrub(message.text, scope="thread")
            assert BY_RE2[action].scrub(message.text, scope="thread") == whole
            obeys(BY_RE[action], whole, deltas(message.text, 1, 40))


def held(window: Window, cut: Iterable[str]) -> Iterator[int]:
    """Yield how many characters are held behind each piece."""
    for piece in cut:
        window.feed(piece)
        yield window.held


ALL = Matcher(DETECTORS)


@given(texts(6), st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_a_stream_holds_no_more_than_the_widest_pattern(text: str, chance: random.Random) -> None:
    text += chance.choice(list(HOSTILE.values()))[:500]
    is_visible = fold(text).offsets is None
    most = WIDEST if is_visible else WIDEST * (MAX_IGNORED + 1)
    assert max(held(Window(ALL, label), pieces(chance, text, 30))) <= most


def test_of_ordinary_text_next_to_nothing_is_held_back() -> None:
    cut = [deltas(message.text, 2, 8) for message in clean(40_000)]
    shares = quantiles((size for each in cut for size in held(Window(ALL, label), each)), n=20)
    assert shares[9] <= 4
    assert shares[18] <= 16


def label(found: str, _value: str) -> str:
    return f"[{found}]"


SMALL = (
    Detector(name="plain", type="T", pattern="ab?c", trigger="a", before="", after=""),
    Detector(name="bounded", type="T", pattern="a[bc]{1,2}", trigger="a"),
    Detector(name="followed", type="T", pattern="ab{1,2}", trigger="a", before="", after="c"),
    Detector(name="followed by more", type="T", pattern="ab", trigger="a", before="", after="-c|cc"),
    Detector(name="lead", type="T", pattern="[ab]{1,3}-c", trigger="-", lead=3, before="", after=""),
    Detector(name="either", type="T", pattern="ab(?:cb|-)|ca", trigger="b|c", lead=1, before="b", after=""),
    Detector(name="tail", type="T", pattern="a-b{0,1}", trigger="-", lead=1, before="", after="", tail="b"),
)


@pytest.mark.parametrize("detector", SMALL, ids=lambda found: found.name)
def test_whatever_is_held_back_has_a_continuation_that_brings_a_match_about_or_changes_it(
    detector: Detector,
) -> None:
    matcher = Matcher((detector,))
    ends = ["".join(end) for size in range(4) for end in product("abc-", repeat=size)]
    for text in ("".join(begin) for size in range(1, 6) for begin in product("abc-", repeat=size)):
        size = list(held(Window(matcher, label), text))[-1]
        if size:
            start = len(text) - size
            assert any(
                len({max(start, _end_at(begin, text + end, detector)) for end in ends}) > 1
                for begin in range(start + 1)
            ), f"{text!r} is held from {start}"


def _end_at(start: int, text: str, detector: Detector) -> int:
    """Return where a match ends that begins here; there, if none does."""
    before = f"(?<![{detector.before}])" if detector.before else ""
    found = re.compile(f"{before}(?:{detector.pattern})").match(text, start)
    if found is None or (detector.after and re.match(detector.after, text[found.end() :])):
        return start
    return found.end()
