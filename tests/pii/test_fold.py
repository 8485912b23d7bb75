"""What a text looks like to patterns."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_prod.pii.fold import LETTER, MAX_IGNORED, OTHER, fold
from tests.pii.samples import FULL_WIDTH

SHY = "\N{SOFT HYPHEN}"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("aB9@.".translate(FULL_WIDTH), "aB9@."),
        ("٤۴४๔", "4444"),
        ("\N{MATHEMATICAL BOLD DIGIT ONE}\N{MATHEMATICAL SCRIPT SMALL A}", "1a"),
        ("\N{EN DASH}\N{NON-BREAKING HYPHEN}\N{MINUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}", "----"),
        ("\N{NO-BREAK SPACE}\N{THIN SPACE}\N{IDEOGRAPHIC SPACE}", "   "),
        ("\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}", "\n\n"),
        ("ßéЖωאب", LETTER * 6),
        ("漢字かなカナ한ไ", OTHER * 8),
        ("🙂€²½█", OTHER * 5),
        ("\N{KELVIN SIGN}\N{LATIN SMALL LETTER LONG S}", "Ks"),
    ],
)
def test_a_character_looks_like_the_plain_one_it_stands_for(text: str, plain: str) -> None:
    assert fold(text) == (plain, None, 0)


@pytest.mark.parametrize(
    "invisible",
    [
        SHY,
        "\N{ZERO WIDTH SPACE}",
        "\N{WORD JOINER}",
        "\N{ZERO WIDTH JOINER}",
        "\N{COMBINING ACUTE ACCENT}",
        "\ufeff",
        "\u20dd",
    ],
)
def test_an_invisible_character_is_passed_over(invisible: str) -> None:
    assert fold(f"a{invisible}b{invisible}") == ("ab", [0, 2, 4], 1)


def test_so_many_invisible_characters_are_passed_over_in_a_row_and_no_more() -> None:
    assert fold(f"a{SHY * MAX_IGNORED}b") == ("ab", [0, 9, 10], 0)
    assert fold(f"a{SHY * (MAX_IGNORED + 2)}b") == (f"a{OTHER * 2}b", [0, 9, 10, 11, 12], 0)


def test_plain_text_is_itself() -> None:
    assert fold("bob@example.com") == ("bob@example.com", None, 0)
    assert fold("", 3) == ("", None, 3)


TEXTS = st.text(
    st.one_of(st.characters(), st.sampled_from([SHY, "a", "1", "\N{FULLWIDTH DIGIT NINE}", "\u0301"])),
    max_size=40,
)


@given(TEXTS)
@example(f"a{SHY * 20}")
def test_every_character_of_a_folded_text_stands_at_its_offset(text: str) -> None:
    folded, offsets, ignored = fold(text)
    folded.encode("latin-1")
    assert all(letter.isascii() or letter in LETTER + OTHER for letter in folded)
    if offsets is None:
        assert len(folded) == len(text)
        assert not ignored
    else:
        assert len(offsets) == len(folded) + 1
        assert sorted(set(offsets)) == list(offsets)
        assert offsets[-1] == len(text)
        passed_over = {text[at] for at in range(len(text))} - {text[at] for at in offsets[:-1]}
        assert {unicodedata.category(letter) for letter in passed_over} <= {"Cf", "Mn", "Me"}


@given(TEXTS, st.integers(0, 40))
@example(SHY * 20, 5)
@example(f"a{SHY * 7}\N{BULLET}", 4)
def test_a_text_in_two_pieces_looks_as_it_does_in_one(text: str, at: int) -> None:
    first = fold(text[:at])
    second = fold(text[at:], first.ignored)
    whole = fold(text)
    assert first.text + second.text == whole.text
    assert second.ignored == whole.ignored
