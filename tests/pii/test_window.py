"""What of a text that is still arriving can be let go, and when."""

import random

import pytest

from chatkit_prod.pii.detector import CONTEXT, Detector, Finding
from chatkit_prod.pii.fold import MAX_IGNORED
from chatkit_prod.pii.matcher import Matcher
from chatkit_prod.pii.window import Window
from tests.pii.samples import pieces

SHY = "\N{SOFT HYPHEN}"
NUMBER = Detector(name="number", type="NUMBER", pattern="[0-9]{2}-[0-9]{2}", trigger="[0-9]")
CODE = Detector(name="code", type="CODE", pattern="[0-9]{3}", trigger="[0-9]", context=("code",))
KEY = Detector(name="key", type="KEY", pattern="key-[0-9]{2}", trigger="key-", after="", tail="0-9")
OTHER_KEY = Detector(name="other", type="OTHER", pattern="-1", trigger="-", before="", after="", tail="a-c")


def marked(found: str, value: str) -> str:
    return f"<{found} {value}>"


def window(*detectors: Detector) -> Window:
    return Window(Matcher(detectors), marked)


def test_what_can_become_nothing_is_let_go_at_once() -> None:
    text = window(NUMBER, KEY)
    assert text.feed("Hello, wor") == "Hello, wor"
    assert text.feed("ld. ") == "ld. "
    assert text.held == 0


def test_what_may_become_a_match_is_held_until_it_is_one() -> None:
    text = window(NUMBER)
    assert [text.feed(character) for character in "a 12-34 b"] == [
        "a",
        " ",
        "",
        "",
        "",
        "",
        "",
        "<NUMBER 12-34> ",
        "b",
    ]


def test_what_may_become_a_match_is_held_until_it_is_none() -> None:
    text = window(NUMBER)
    assert text.feed("12-3") == ""
    assert text.held == 4
    assert text.feed(",") == "12-3,"
    assert text.held == 0


def test_at_the_end_nothing_is_held() -> None:
    for fed, left in (("12-34", "<NUMBER 12-34>"), ("12-3", "12-3"), ("", "")):
        text = window(NUMBER)
        assert text.feed(fed) + text.feed("", is_last=True) == left
        assert text.held == 0


def test_a_marker_leaves_as_soon_as_it_is_certain_and_what_goes_on_is_dropped() -> None:
    text = window(KEY)
    assert text.feed("a key-12") == "a <KEY 12>".replace("12", "key-12")
    assert [text.feed("3456") for _ in range(1000)] == [""] * 1000
    assert text.held == 0
    assert text.feed("7 b") == " b"
    assert text.findings == [Finding("KEY", 2, 4009, "key")]


def test_invisible_characters_may_be_a_part_of_what_goes_on() -> None:
    for between, behind in ((SHY, "<KEY key-12>."), (SHY * (MAX_IGNORED + 1), f"<KEY key-12>{SHY * 9}3.")):
        text = window(KEY)
        assert text.feed("key-12") + text.feed(between) + text.feed("3.") == behind


def test_invisible_characters_behind_the_end_stay() -> None:
    text = window(KEY)
    assert text.feed("key-12") + text.feed(SHY) + text.feed("", is_last=True) == f"<KEY key-12>{SHY}"
    text = window(KEY)
    assert text.feed("key-12") + text.feed(SHY) + text.feed(" b") == f"<KEY key-12>{SHY} b"


def test_each_of_the_matches_that_a_finding_is_made_of_may_go_on() -> None:
    text = window(KEY, OTHER_KEY)
    assert text.feed("key-12") == "<KEY key-12>"
    assert text.feed("3abc") == "abc"
    text = window(KEY, OTHER_KEY)
    released = "".join(map(text.feed, "key-12-1ab c3")) + text.feed("", is_last=True)
    assert released == "<KEY key-12><OTHER -1> c3"


def test_a_value_that_touches_another_of_its_type_is_one_with_it() -> None:
    digit = Detector(name="digit", type="DIGIT", pattern="[0-9]", trigger="[0-9]", before="", after="")
    text = window(digit)
    assert "".join(map(text.feed, "a123b")) + text.feed("", is_last=True) == "a<DIGIT 1>b"
    assert text.findings == [Finding("DIGIT", 1, 4, "digit")]


@pytest.mark.parametrize(
    ("gap", "is_found"), [(CONTEXT - len("code"), True), (CONTEXT - len("code") + 1, False)]
)
@pytest.mark.parametrize("lead", [0, 10, 1000, 10_007])
def test_a_word_is_as_far_before_a_match_as_it_may_be_in_pieces_as_well(
    gap: int, lead: int, is_found: bool
) -> None:
    for filling in ("-", "漢", f"{SHY}-"):
        text = "." * lead + "code" + (filling * gap)[:gap] + "123."
        arriving = window(CODE)
        released = "".join(map(arriving.feed, text[:-4])) + arriving.feed(text[-4:])
        assert ("<CODE 123>" in released) is is_found


def test_findings_of_a_long_text_stand_where_they_do_in_the_whole() -> None:
    text = f"{'word ' * 300}12-34 {'漢 ' * 500}{SHY}56-78, key-99{SHY}9{'. ' * 400}code 123"
    whole = window(NUMBER, CODE, KEY)
    released = whole.feed(text, is_last=True)
    assert [found.type for found in whole.findings] == ["NUMBER", "NUMBER", "KEY", "CODE"]
    for longest in (1, 7, 500):
        arriving = window(NUMBER, CODE, KEY)
        cut = pieces(random.Random(longest), text, longest)
        assert "".join(map(arriving.feed, cut)) + arriving.feed("", is_last=True) == released
        assert arriving.findings == whole.findings


def test_of_a_long_stream_only_its_end_is_kept() -> None:
    text = window(NUMBER, CODE, KEY)
    for _ in range(200):
        text.feed("Some words, 漢, then key-12")
        text.feed("3" * 500)
    assert len(text._raw) < 2000


def test_invisible_characters_are_counted_across_what_is_forgotten() -> None:
    for size in range(CONTEXT - 12, CONTEXT + 12):
        text = "." * 1000 + f"1{SHY * 12}2-34 " + "." * size + f"12{SHY * 8}-34 " + "." * 1000
        whole = window(NUMBER).feed(text, is_last=True)
        arriving = window(NUMBER)
        assert "".join(map(arriving.feed, text)) + arriving.feed("", is_last=True) == whole
