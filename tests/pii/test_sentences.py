"""The same sentences, however the text arrives, and none that is long."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.pii.sentences import MAX_SENTENCE, Sentences


def sentences(*pieces: str) -> list[str]:
    cutter = Sentences()
    found = [sentence for piece in pieces for sentence in cutter.feed(piece)]
    rest = cutter.finish()
    return [*found, rest] if rest else found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Hello", ["Hello"]),
        ("Hello. World", ["Hello. ", "World"]),
        ("Really?! Yes… no.", ["Really?! ", "Yes… ", "no."]),
        ('He said "Hi." Then', ['He said "Hi." ', "Then"]),
        ("3.14 and a.b", ["3.14 and a.b"]),
        ("one\ntwo\r\n\nthree", ["one\n", "two\r\n", "\n", "three"]),
        ("你好。再见！真的？是", ["你好。", "再见！", "真的？", "是"]),  # noqa: RUF001 - those are its marks
        ("Mr. No", ["Mr. ", "No"]),
        ("No.\N{NO-BREAK SPACE}5 is", ["No.\N{NO-BREAK SPACE}5 is"]),
    ],
)
def test_sentences_end_where_they_do_in_print(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_long_sentence_is_cut_behind_its_last_white_space() -> None:
    text = "word " * 79 + "x" * 20
    assert sentences(text) == ["word " * 79, "x" * 20]


def test_a_long_word_is_cut_where_it_is_too_long() -> None:
    assert [len(found) for found in sentences("x" * 1000)] == [400, 400, 200]


TEXT = st.text("aB .!?…\"')\n。\N{FULLWIDTH QUESTION MARK}\N{NO-BREAK SPACE}\t", max_size=60) | st.lists(
    st.sampled_from(["word", " ", "x" * 90, ". ", "\n", "!", "é"]), max_size=60
).map("".join)


def cut(text: str, places: list[int]) -> Iterator[str]:
    ends = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return (text[start:end] for start, end in pairwise(ends))


@given(TEXT, st.lists(st.integers(0, 10**6), max_size=20))
def test_every_cut_of_a_stream_gives_the_same_sentences(text: str, places: list[int]) -> None:
    assert sentences(*cut(text, places)) == sentences(text) == sentences(*text)


@given(TEXT)
def test_together_they_are_the_text_and_each_is_short(text: str) -> None:
    found = sentences(text)
    assert "".join(found) == text
    assert all(0 < len(sentence) <= MAX_SENTENCE for sentence in found)


@given(TEXT, TEXT)
def test_where_a_cut_is_depends_on_nothing_behind_it(text: str, behind: str) -> None:
    cutter = Sentences()
    ended = cutter.feed(text)
    assert sentences(text + behind)[: len(ended)] == ended


@given(TEXT)
def test_no_more_is_held_than_one_sentence(text: str) -> None:
    cutter = Sentences()
    cutter.feed(text)
    assert len(cutter.finish()) < MAX_SENTENCE
    assert cutter.finish() == ""
