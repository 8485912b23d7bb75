"""Every text of ours is in the list that translators get, and can be translated as it stands."""

from collections import Counter
from gettext import NullTranslations
from string import Formatter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_prod import texts
from chatkit_prod.render import counted
from chatkit_prod.texts import ALL, Plural

NAMES = {name for name in vars(texts) if name.isupper() and not name.startswith("_")} - {"ALL"}
SINGLE = {name: text for name, text in ALL.items() if isinstance(text, str)}
PLURAL = {name: text for name, text in ALL.items() if isinstance(text, Plural)}
FORMS = SINGLE | {
    f"{name}.{field}": form for name, text in PLURAL.items() for field, form in text._asdict().items()
}
ENGLISH = NullTranslations()


def _placeholders(text: str) -> list[str | None]:
    """Return the names in braces; a brace that opens none is an error."""
    return [name for _, name, _, _ in Formatter().parse(text) if name is not None]


# ------------------------------------------------------------------------------------------------ the list


def test_the_list_has_every_text_by_its_name() -> None:
    assert set(ALL) == NAMES
    assert all(vars(texts)[name] is text for name, text in ALL.items())


def test_a_text_is_either_one_or_has_two_forms() -> None:
    assert SINGLE.keys() | PLURAL.keys() == ALL.keys()
    assert {name for name, text in PLURAL.items() if text.one == text.other} == set()


def test_no_two_texts_are_the_same_key_of_a_catalog() -> None:
    keys = Counter([*SINGLE.values(), *(text.one for text in PLURAL.values())])
    assert [key for key, count in keys.items() if count > 1] == []


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_a_text_is_whole_sentences_in_one_line(text: str) -> None:
    assert text.isprintable()
    assert text == text.strip()
    assert text[0].isupper()
    assert text.endswith(".")


@pytest.mark.parametrize("text", SINGLE.values(), ids=SINGLE)
def test_a_text_without_a_number_has_nothing_to_fill_in(text: str) -> None:
    assert _placeholders(text) == []


@pytest.mark.parametrize("text", PLURAL.values(), ids=PLURAL)
def test_each_form_of_a_text_about_a_number_has_it_once_and_nothing_else(text: Plural) -> None:
    assert [_placeholders(form) for form in text] == [["count"], ["count"]]
    assert [form.count("{count}") for form in text] == [1, 1]


# ------------------------------------------------------------------------------------------------ the number


class Polish(NullTranslations):
    """A catalog with three forms, as `gettext` reads them."""

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        if n == 1:
            return "{count} plik"
        few = n % 10 in {2, 3, 4} and n % 100 not in {12, 13, 14}
        return "{count} pliki" if few else "{count} plików"


@pytest.mark.parametrize("text", PLURAL.values(), ids=PLURAL)
@given(count=st.integers(min_value=0))
@example(count=0)
@example(count=1)
@example(count=2)
@example(count=1_000_000)
@example(count=10**30)
def test_the_number_stands_in_the_form_that_english_has_for_it(text: Plural, count: int) -> None:
    found = counted(text, count, ENGLISH)
    before, _, behind = (text.one if count == 1 else text.other).partition("{count}")
    assert found == f"{before}{count}{behind}"


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, "1 plik"),
        (2, "2 pliki"),
        (5, "5 plików"),
        (12, "12 plików"),
        (22, "22 pliki"),
        (1_000_000, "1000000 plików"),
        (10**30 + 2, f"{10**30 + 2} pliki"),
    ],
    ids=["one", "few", "many", "teen", "twenty-two", "a million", "more than a machine word"],
)
def test_the_catalog_chooses_the_form_and_the_number_stands_in_it(count: int, expected: str) -> None:
    assert counted(Plural("{count} file", "{count} files"), count, Polish()) == expected


class Marked(NullTranslations):
    """A catalog with one translation."""

    def __init__(self, translation: str) -> None:
        super().__init__()
        self._translation = translation

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self._translation


@pytest.mark.parametrize(
    ("translation", "expected"),
    [
        ("nothing", "nothing"),
        ("{count} of {count}", "7 of 7"),
        ("{other} {0} {} { %d %s {{count}}", "7 files"),
    ],
    ids=["without it", "with it twice", "with other marks"],
)
def test_a_translation_that_does_not_fit_its_text_is_still_a_text(translation: str, expected: str) -> None:
    assert counted(Plural("{count} file", "{count} files"), 7, Marked(translation)) == expected
