"""Texts made from the detectors themselves: what they match, what they nearly match, and what hides it."""

import random
from collections.abc import Callable, Iterable
from functools import lru_cache

from hypothesis import strategies as st

from chatkit_prod.pii.detector import Detector
from chatkit_prod.pii.detectors import DETECTORS
from chatkit_prod.pii.fold import LETTER, OTHER
from chatkit_prod.pii.pattern import Alternatives, Node, One, Repeated, Sequence, letters, parse
from tests.benchmarks.pii_corpora import dense
from tests.pii.corpus import VALUES

_TRIES = 200


def sample(chance: random.Random, node: Node) -> str:
    """Return a text that a pattern fits."""
    match node:
        case Repeated(part, least, most):
            times = chance.choice((least, most, chance.randint(least, most)))
            return "".join(sample(chance, part) for _ in range(times))
        case Sequence(found):
            return "".join(sample(chance, part) for part in found)
        case Alternatives(found):
            return sample(chance, chance.choice(found))
        case _:
            return chance.choice(_choices(node))


@lru_cache(maxsize=1024)
def _choices(node: Node) -> list[str]:
    assert isinstance(node, One)
    return sorted(letter for letter in letters(node) if letter.isascii() or letter in LETTER + OTHER)


def matched(chance: random.Random, detector: Detector) -> str:
    """Return what a detector's pattern fits; mostly, what its check accepts as well."""
    node = parse(detector.pattern)
    found = sample(chance, node)
    for _ in range(_TRIES):
        if detector.check is None or detector.check(found):
            break
        found = sample(chance, node)
    return found


def _dense(chance: random.Random) -> Iterable[str]:
    for detector in DETECTORS:
        yield from (matched(chance, detector), sample(chance, parse(detector.pattern)))
        if detector.context:
            yield f"{chance.choice(detector.context)} {matched(chance, detector)}"
        if detector.tail:
            yield matched(chance, detector) + sample(chance, parse(f"[{detector.tail}]{{1,20}}"))
    for make in VALUES.values():
        yield from (make(chance) for _ in range(3))
    for message in dense(3000):
        yield from (message.text[start:end] for start, end in message.entities)


ENTITIES = list(_dense(random.Random(1)))
"""Of every detector, something that it finds, something that it nearly finds, and some in the styles of the world."""

_INVISIBLE = (
    "\N{ZERO WIDTH SPACE}",
    "\N{SOFT HYPHEN}" * 3,
    "\N{ZERO WIDTH SPACE}" * 9,
    "e\N{COMBINING ACUTE ACCENT}",
)
_BEGUN = (
    "1",
    "0",
    "A",
    "x",
    "passport ",
    "SSN: ",
    "電話",
    "護照",
    "Tel. ",
    "password=",
    "://",
    "eyJ",
    "sk-",
    "::",
)
JOINTS = (*" \n.,-:/@_()[]=\"'+#éß漢🙂█", "\N{NO-BREAK SPACE}", *_INVISIBLE, "", "", *_BEGUN)

FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
ARABIC = {ord("0") + digit: 0x660 + digit for digit in range(10)}

Change = Callable[[str, int], str]
CHANGES: tuple[Change, ...] = (
    lambda text, at: text[:at],
    lambda text, at: text[at:],
    lambda text, at: text[:at] + text[at + 1 :],
    lambda text, at: text[:at] + text[at : at + 1] + text[at:],
    lambda text, at: text + text,
    lambda text, _: text.swapcase(),
    lambda text, at: f"{text[:at]}\N{ZERO WIDTH SPACE}{text[at:]}",
    lambda text, at: f"{text[:at]}\N{SOFT HYPHEN}{text[at:]}\N{SOFT HYPHEN}",
    lambda text, at: "\N{WORD JOINER}".join(text),
    lambda text, at: text[:at] + "\N{COMBINING ACUTE ACCENT}" * 9 + text[at:],
    lambda text, at: f"{text[:at]} {text[at:]}",
    lambda text, at: f"{text[:at]}-{text[at + 1 :]}",
    lambda text, _: text.translate(FULL_WIDTH),
    lambda text, _: text.translate(ARABIC),
)  # fmt: skip


@st.composite
def changed(draw: st.DrawFn) -> str:
    """Draw something of `ENTITIES`, or what is left of it after it was cut, doubled, or written otherwise."""
    text = draw(st.sampled_from(ENTITIES))
    for change in draw(st.lists(st.sampled_from(CHANGES), max_size=2)):
        text = change(text, draw(st.integers(0, max(0, len(text) - 1))))
    return text


def texts(parts: int) -> st.SearchStrategy[str]:
    """Draw a text of several of these, glued together."""
    part = st.tuples(st.sampled_from(JOINTS), st.one_of(st.sampled_from(ENTITIES), changed())).map("".join)
    return st.tuples(st.lists(part, min_size=1, max_size=parts).map("".join), st.sampled_from(JOINTS)).map(
        "".join
    )


def glued(chance: random.Random, parts: int) -> str:
    """Return such a text, in less time."""
    text = ""
    for _ in range(chance.randint(1, parts)):
        part = chance.choice(ENTITIES)
        if chance.random() < 0.5:
            part = chance.choice(CHANGES)(part, chance.randrange(len(part)))
        text += chance.choice(JOINTS) + part
    return text


def pieces(chance: random.Random, text: str, longest: int) -> Iterable[str]:
    """Yield a text in pieces of random sizes."""
    start = 0
    while start < len(text):
        end = start + chance.randint(1, longest)
        yield text[start:end]
        start = end
