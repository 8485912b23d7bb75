"""The texts of an app, over ours, over what stands in the code."""

import logging
from pathlib import Path
from typing import Any

import pytest

from chatkit_prod import ConfigurationError, texts
from chatkit_prod.locale import LocaleMiddleware, Translations
from chatkit_prod.locale.translations import catalogs_for
from chatkit_prod.render import counted
from tests.layers import Greeter, exchange, get
from tests.locale.folders import compiled

pytestmark = pytest.mark.anyio

FRENCH_RULE = "nplurals=2; plural=(n > 1);"


def test_the_catalog_of_a_locale_translates(tmp_path: Path) -> None:
    compiled(
        tmp_path,
        "fr_FR",
        {"Looking up…": "Recherche…", ("{n} day", "{n} days"): ("{n} jour", "{n} jours")},
        plural_forms=FRENCH_RULE,
        meanings={("verb", "open"): "ouvrir", ("adjective", "open"): "ouvert"},
    )
    french = Translations(tmp_path).catalog("fr-FR")
    assert french.gettext("Looking up…") == "Recherche…"
    assert [french.ngettext("{n} day", "{n} days", n) for n in (0, 1, 2)] == [
        "{n} jour",
        "{n} jour",
        "{n} jours",
    ]
    assert french.pgettext("verb", "open") == "ouvrir"
    assert french.pgettext("adjective", "open") == "ouvert"
    assert french.gettext("open") == "open"
    assert french.npgettext("verb", "open", "opens", 2) == "opens"


def test_a_catalog_of_the_app_overrides_our_texts_and_ours_stand_for_what_it_lacks(tmp_path: Path) -> None:
    compiled(tmp_path, "de", {texts.LOCKED: "Hier ist zu."})
    german = Translations(tmp_path).catalog("de")
    assert german.gettext(texts.LOCKED) == "Hier ist zu."
    assert german.gettext(texts.CLOSED) not in ("", texts.CLOSED)
    assert german.gettext("unknown") == "unknown"


def test_a_text_of_ours_with_plural_forms_can_be_overridden_and_keeps_its_own_rule(tmp_path: Path) -> None:
    compiled(
        tmp_path,
        "fr",
        {(texts.TOO_FAST.one, texts.TOO_FAST.other): ("Dans {count} s !", "Dans {count} s !!")},
        plural_forms=FRENCH_RULE,
    )
    french = Translations(tmp_path).catalog("fr")
    assert [counted(texts.TOO_FAST, n, french) for n in (0, 1, 2)] == [
        "Dans 0 s !",
        "Dans 1 s !",
        "Dans 2 s !!",
    ]
    ours = catalogs_for(["fr"], None)["fr"]
    for count in (0, 1, 2, 10**6):
        assert counted(texts.TEXT_TOO_LONG, count, french) == counted(texts.TEXT_TOO_LONG, count, ours)


def test_ours_can_be_overridden_in_english(tmp_path: Path) -> None:
    compiled(tmp_path, "en", {texts.FAILED: "Oh dear."})
    translations = Translations(tmp_path)
    assert translations.catalog("en-GB").gettext(texts.FAILED) == "Oh dear."
    assert translations.catalog("en").gettext(texts.BUSY) == texts.BUSY


def test_a_language_of_ours_that_the_app_lacks_has_our_texts(tmp_path: Path) -> None:
    compiled(tmp_path, "de", {"Hello": "Hallo"})
    italian = Translations(tmp_path).catalog("it")
    assert italian.gettext("Hello") == "Hello"
    assert italian.gettext(texts.FAILED) != texts.FAILED


def test_taiwan_gets_traditional_characters_from_the_app_and_from_us(tmp_path: Path) -> None:
    compiled(tmp_path, "zh", {"software": "软件", texts.FAILED: "软件"})
    only_simplified = Translations(tmp_path).catalog("zh-TW")
    assert only_simplified.gettext("software") == "software"
    assert only_simplified.gettext(texts.FAILED) == catalogs_for(["zh-TW"], None)["zh-TW"].gettext(
        texts.FAILED
    )
    compiled(tmp_path, "zh_Hant", {"software": "軟體"})
    assert Translations(tmp_path).catalog("zh-TW").gettext("software") == "軟體"


def test_a_hostile_locale_has_no_texts(tmp_path: Path) -> None:
    compiled(tmp_path / "app", "fr", {"Hello": "Bonjour"})
    compiled(tmp_path, "evil", {"Hello": "pwned"})
    translations = Translations(tmp_path / "app")
    for locale in ("../evil", str(tmp_path / "evil"), "fr\x00", "evil", "fr-" + "x" * 1_000_000, ""):
        assert translations.catalog(locale).gettext("Hello") == "Hello"
        assert translations.lacks(locale)


def test_the_folder_is_not_looked_into_again(tmp_path: Path) -> None:
    file = compiled(tmp_path, "fr", {"Hello": "Bonjour"})
    translations = Translations(tmp_path)
    assert translations.catalog("fr").gettext("Hello") == "Bonjour"
    file.unlink()
    assert translations.catalog("fr-CA").gettext("Hello") == "Bonjour"


# ------------------------------------------------------------------------------------------------ construction


@pytest.mark.parametrize("domain", ["messages", "my-app", "my_app.v2", "2go", "été"])
def test_a_domain_is_the_name_of_a_file(tmp_path: Path, domain: str) -> None:
    compiled(tmp_path, "fr", {"Hello": "Bonjour"}, domain=domain)
    assert Translations(str(tmp_path), domain=domain).catalog("fr").gettext("Hello") == "Bonjour"


@pytest.mark.parametrize(
    "domain", ["", ".", "..", "-._", "../evil", "a/b", "a\\b", "a b", "a\x00", "*", None, b"messages"]
)
def test_a_domain_that_is_none_is_refused(tmp_path: Path, domain: str) -> None:
    compiled(tmp_path, "fr", {"Hello": "Bonjour"})
    with pytest.raises(ConfigurationError, match="domain must be the name of a catalog"):
        Translations(tmp_path, domain=domain)


@pytest.mark.parametrize("source", ["", "e", "not a tag", "../en", "en-" + "x" * 1000, None, b"en"])
def test_a_source_language_that_is_none_is_refused(tmp_path: Path, source: str) -> None:
    compiled(tmp_path, "fr", {"Hello": "Bonjour"})
    with pytest.raises(ConfigurationError, match="source must be a BCP 47 tag"):
        Translations(tmp_path, source=source)


def test_a_folder_without_a_compiled_catalog_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fr" / "LC_MESSAGES").mkdir(parents=True)
    (tmp_path / "fr" / "LC_MESSAGES" / "messages.po").touch()
    for directory in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ConfigurationError, match=r"no <locale>/LC_MESSAGES/messages\.mo .*compile"):
            Translations(directory)


# ------------------------------------------------------------------------------------------------ at start-up


def layer(translations: Translations | None, *supported: str) -> LocaleMiddleware:
    return LocaleMiddleware(Greeter(), supported=supported, translations=translations)


async def test_a_missing_catalog_is_said_at_start_up_and_not_with_every_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiled(tmp_path, "fr", {"Hello": "Bonjour"})
    localized = layer(Translations(tmp_path), "en-GB", "fr-CA", "de", "zh-TW")
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "there is no catalog for de, zh-TW: the texts stay as they are in the code")
    ]
    caplog.clear()
    for tag in (b"de", b"zh-TW", b"fr", b"ja"):
        await exchange(localized, get((b"accept-language", tag)))
    assert caplog.records == []


def test_where_nothing_is_missing_nothing_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    compiled(tmp_path, "fr", {"Hello": "Bonjour"})
    layer(Translations(tmp_path), "en", "en-AU", "fr", "fr-CA")
    layer(None, "en", "de", "eo")
    assert caplog.records == []


def test_the_language_of_the_code_needs_no_catalog(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    compiled(tmp_path, "en", {"Bonjour": "Hello"})
    layer(Translations(tmp_path, source="fr_FR"), "en", "fr", "fr-CA")
    assert caplog.records == []
    layer(Translations(tmp_path, source="de"), "fr")
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["there is no catalog for fr"]


def test_a_broken_catalog_stops_the_layer_that_needs_it_and_no_other(tmp_path: Path) -> None:
    compiled(tmp_path, "fr", {"Hello": "Bonjour"})
    compiled(tmp_path, "de", {}).write_bytes(b"\xde\x12\x04\x95 and no more")
    translations = Translations(tmp_path)
    layer(translations, "en", "fr")
    with pytest.raises(ConfigurationError, match=r"de/LC_MESSAGES/messages\.mo is no catalog"):
        layer(translations, "en", "de")


async def test_the_state_has_the_catalogs_of_its_language(tmp_path: Path) -> None:
    compiled(tmp_path, "fr", {"Hello": "Bonjour"})
    inside = Greeter()
    localized = LocaleMiddleware(inside, supported=["en", "fr-CA"], translations=Translations(tmp_path))
    for tag, text in ((b"fr", "Bonjour"), (b"en", "Hello")):
        await exchange(localized, get((b"accept-language", tag)))
        assert inside.state.translations.gettext("Hello") == text


@pytest.mark.parametrize("directory", [None, 3, b"locales"], ids=repr)
def test_a_folder_that_is_no_path_is_refused(directory: Any) -> None:
    with pytest.raises(ConfigurationError, match="directory must be the path of a folder"):
        Translations(directory)
