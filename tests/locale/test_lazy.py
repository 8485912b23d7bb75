"""Texts that are in the language of whoever is asked for when they are read."""

import pytest

from chatkit_prod import RequestState
from chatkit_prod.locale import LazyText, Translations, lazy_gettext, lazy_ngettext, lazy_pgettext
from tests.locale.folders import compiled
from tests.servers import http_scope

LOOKING_UP = lazy_gettext("Looking up…")
ORDERS = lazy_ngettext("an order", "some orders", 2)
OPEN = lazy_pgettext("verb", "open")


@pytest.fixture(scope="module")
def translations(tmp_path_factory: pytest.TempPathFactory) -> Translations:
    directory = tmp_path_factory.mktemp("locales")
    for folder in ("fr", "de"):
        compiled(
            directory,
            folder,
            {
                "Looking up…": f"Looking up… in {folder}",
                ("an order", "some orders"): (f"an order in {folder}", f"some orders in {folder}"),
            },
            meanings={("verb", "open"): f"open in {folder}"},
        )
    return Translations(directory)


def asked_in(locale: str, translations: Translations) -> RequestState:
    _, state = RequestState.seed(http_scope())
    state.translations = translations.catalog(locale)
    return state


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (LOOKING_UP, "Looking up…"),
        (ORDERS, "some orders"),
        (lazy_ngettext("an order", "some orders", 1), "an order"),
        (OPEN, "open"),
    ],
    ids=["gettext", "ngettext", "ngettext of one", "pgettext"],
)
def test_a_lazy_text_is_in_the_language_of_each_request_that_reads_it(
    text: LazyText, plain: str, translations: Translations
) -> None:
    assert str(text) == plain
    with asked_in("fr", translations).as_current():
        assert str(text) == f"{plain} in fr"
        with asked_in("de", translations).as_current():
            assert str(text) == f"{plain} in de"
        assert str(text) == f"{plain} in fr"
    assert str(text) == plain


def test_a_lazy_text_can_be_formatted_like_the_text(translations: Translations) -> None:
    with asked_in("de", translations).as_current():
        assert f"{OPEN}" == "open in de"
        assert f"{OPEN:*^14}" == "**open in de**"
        assert "{} and {:.4}".format(OPEN, OPEN) == "open in de and open"  # noqa: UP032 - what str.format does
        assert "%s" % OPEN == "open in de"  # noqa: UP031 - what % does


def test_its_repr_is_the_same_in_every_language(translations: Translations) -> None:
    with asked_in("de", translations).as_current():
        assert repr(LOOKING_UP) == "LazyText('Looking up…',)"
        assert repr(ORDERS) == "LazyText('an order', 'some orders', 2)"
        assert repr(OPEN) == "LazyText('verb', 'open')"


def test_two_lazy_texts_are_equal_if_they_are_made_of_the_same_texts() -> None:
    again = lazy_gettext("Looking up…")
    assert again == LOOKING_UP
    assert hash(again) == hash(LOOKING_UP)
    assert {LOOKING_UP: 1}[again] == 1


@pytest.mark.parametrize(
    "other",
    [
        "Looking up…",
        None,
        lazy_gettext("Looking"),
        lazy_pgettext("Looking up…", "Looking up…"),
        lazy_ngettext("Looking up…", "Looking up…", 1),
    ],
    ids=["text", "None", "another text", "a meaning", "a number"],
)
def test_a_lazy_text_is_equal_to_nothing_else(other: object) -> None:
    assert other != LOOKING_UP


def test_numbers_and_meanings_make_a_difference() -> None:
    assert lazy_ngettext("an order", "some orders", 1) != ORDERS
    assert lazy_pgettext("adjective", "open") != OPEN
