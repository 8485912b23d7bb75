"""Our own texts, in every language that ChatKit's client speaks."""

import gettext
import json
import re
from collections import Counter
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.plural import to_gettext

import chatkit_prod
from chatkit_prod import texts
from chatkit_prod.locale import LocaleMiddleware
from chatkit_prod.locale.translations import catalogs_for
from chatkit_prod.render import counted
from chatkit_prod.texts import Plural
from tests.layers import Greeter, exchange, get, header_lines

pytestmark = pytest.mark.anyio

MESSAGES = Path(chatkit_prod.__file__).parent / "locale" / "messages"
LOCALES = json.loads((Path(__file__).parent / "chatkit_locales.json").read_text())
TRANSLATED: list[str] = LOCALES["translated"]
ALL: list[str] = [*TRANSLATED, *LOCALES["extra"]]

NUMBERS = [*range(1001), 10**6]
CATEGORIES = ["zero", "one", "two", "few", "many", "other"]
"""Of CLDR; their order is that of the forms in a catalog."""

EACH = pytest.mark.parametrize("tag", TRANSLATED)


def file(tag: str) -> Path:
    return MESSAGES / tag.replace("-", "_") / "LC_MESSAGES" / "chatkit_prod.po"


@cache
def source(tag: str) -> Catalog:
    with file(tag).open("rb") as opened:
        return read_po(opened, abort_invalid=True)


def compiled(tag: str) -> gettext.GNUTranslations:
    held = BytesIO()
    write_mo(held, source(tag))
    held.seek(0)
    return gettext.GNUTranslations(held)


def messages(tag: str) -> list[Message]:
    return [message for message in source(tag) if message.id]


def forms(message: Message) -> tuple[str, ...]:
    """Return every form of a translation."""
    string: object = message.string
    return string if isinstance(string, tuple) else (str(string),)


def names(text: str) -> Counter[str]:
    """Return what stands in braces, and how often; and every brace that is left."""
    found = re.findall(r"\{[a-z_]+\}", text)
    return Counter([*found, *re.sub(r"\{[a-z_]+\}|[^{}%]", "", text)])


def of_catalog(message: Message) -> str | Plural:
    text: object = message.id
    return Plural(*text) if isinstance(text, tuple) else str(text)


def test_there_is_a_catalog_for_each_locale_that_chatkit_translates_and_no_other() -> None:
    folders = sorted(path.parents[1].name for path in MESSAGES.glob("*/LC_MESSAGES/chatkit_prod.po"))
    assert folders == sorted(tag.replace("-", "_") for tag in TRANSLATED)
    assert sorted(path.name for path in MESSAGES.iterdir()) == folders


# ------------------------------------------------------------------------------------------------ each


@EACH
def test_every_text_is_translated_and_nothing_else(tag: str) -> None:
    assert Counter(map(of_catalog, messages(tag))) == Counter(texts.ALL.values())
    for message in messages(tag):
        assert not message.fuzzy
        assert len(forms(message)) == (source(tag).num_plurals if message.pluralizable else 1)
        assert all(form.strip() for form in forms(message))
    assert not source(tag).obsolete


@EACH
def test_placeholders_are_kept_exactly(tag: str) -> None:
    for message in messages(tag):
        text = of_catalog(message)
        if isinstance(text, Plural):
            assert all(names(form) == names(text.other) for form in forms(message))
        else:
            assert names(forms(message)[0]) == names(text) == Counter()


@EACH
def test_a_text_has_no_space_around_it_and_no_markup_in_it(tag: str) -> None:
    for form in (form for message in messages(tag) for form in forms(message)):
        assert form == form.strip()
        assert re.search(r"[<>\n\t\\]|  ", form) is None
        assert all(
            character.isprintable() or character in "\u200c\u200d\u200b\xa0\u202f" for character in form
        )


@EACH
def test_no_text_is_a_copy_of_the_english_one_or_of_another_text(tag: str) -> None:
    english = {form for text in texts.ALL.values() for form in ([text] if isinstance(text, str) else text)}
    translated = [forms(message) for message in messages(tag)]
    assert english.isdisjoint(form for several in translated for form in several)
    assert len(set(translated)) == len(translated)


@EACH
def test_the_plural_rule_is_that_of_cldr(tag: str) -> None:
    header = dict(source(tag).mime_headers)["Plural-Forms"]
    found = re.fullmatch(r"nplurals=(?P<count>\d); plural=(?P<rule>.+?);?", header)
    assert found is not None
    of_cldr = Locale.parse(tag, sep="-").plural_form
    categories = [category for category in CATEGORIES if category in {*of_cldr.tags, "other"}]
    assert int(found["count"]) == len(categories)
    index = gettext.c2py(found["rule"])
    assert [categories[index(n)] for n in NUMBERS] == [of_cldr(n) for n in NUMBERS]


@EACH
def test_the_plural_rule_is_written_as_babel_writes_it(tag: str) -> None:
    rule = re.sub(r"\be\b", "0", to_gettext(Locale.parse(tag, sep="-").plural_form))
    assert dict(source(tag).mime_headers)["Plural-Forms"].rstrip(";") == rule.rstrip(";")


@EACH
def test_the_compiled_catalog_is_up_to_date(tag: str) -> None:
    expected = compiled(tag)
    with file(tag).with_suffix(".mo").open("rb") as opened:
        found = gettext.GNUTranslations(opened)
    assert found.info()["plural-forms"].rstrip(";") == expected.info()["plural-forms"].rstrip(";")
    for message in messages(tag):
        text = of_catalog(message)
        if isinstance(text, Plural):
            for n in NUMBERS:
                assert found.ngettext(*text, n) == expected.ngettext(*text, n) in forms(message)
        else:
            assert found.gettext(text) == expected.gettext(text) == forms(message)[0]


@EACH
def test_the_language_of_a_catalog_is_that_of_its_folder(tag: str) -> None:
    assert f'"Language: {tag.replace("-", "_")}\\n"' in file(tag).read_text("utf-8")


# ------------------------------------------------------------------------------------------------ as an app gets them


@pytest.mark.parametrize("tag", ALL)
def test_every_tag_of_chatkit_has_all_texts_in_its_own_language(tag: str) -> None:
    catalog = catalogs_for([tag], None)[tag]
    for text in texts.ALL.values():
        if isinstance(text, str):
            assert (catalog.gettext(text) == text) is (tag == "en")
            continue
        for n in (0, 1, 2, 3, 5, 11, 21, 100, 10**6):
            shown = counted(text, n, catalog)
            english = (text.one if n == 1 else text.other).replace("{count}", str(n))
            assert (shown == english) is (tag == "en")
            assert str(n) in shown


@pytest.mark.parametrize("tag", ALL)
async def test_every_request_of_chatkit_gets_the_texts_of_its_own_translation(tag: str) -> None:
    inside = Greeter()
    layer = LocaleMiddleware(inside, supported=["en", *TRANSLATED])
    (spelt,) = header_lines(
        await exchange(layer, get((b"accept-language", tag.encode()))), b"content-language"
    )
    shown = inside.state.translations.gettext(texts.FAILED)
    assert shown == (texts.FAILED if tag == "en" else compiled(spelt.decode()).gettext(texts.FAILED))


@pytest.mark.parametrize(
    ("tag", "count", "text"),
    [
        ("de", 1, "1 Sekunde"),
        ("de", 2, "2 Sekunden"),
        ("fr", 0, "0 seconde"),
        ("fr", 10**6, "1000000 de secondes"),
        ("pl", 1, "sekundę"),
        ("pl", 3, "sekundy"),
        ("pl", 5, "sekund"),
        ("ru", 21, "секунду"),
        ("ru", 22, "секунды"),
        ("ru", 25, "секунд"),
        ("ar", 2, "ثانيتين"),
        ("ja", 1, "1"),
    ],
)
def test_a_number_of_seconds_has_its_form(tag: str, count: int, text: str) -> None:
    shown = counted(texts.TOO_FAST, count, catalogs_for([tag], None)[tag])
    assert re.search(rf"{text}\b", shown)


@pytest.mark.parametrize(
    ("one", "other"),
    [("zh-TW", "zh-CN"), ("zh-HK", "zh-CN"), ("pt-BR", "pt-PT"), ("es-419", "es-ES"), ("sr", "hr")],
)
def test_languages_that_look_alike_have_texts_of_their_own(one: str, other: str) -> None:
    ours = catalogs_for([one, other], None)
    plain = [text for text in texts.ALL.values() if isinstance(text, str)]
    assert any(ours[one].gettext(text) != ours[other].gettext(text) for text in plain)
