"""Which catalogs of a folder a locale gets, and that no other file is ever read."""

import sys
import threading
import tracemalloc
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError
from chatkit_prod.locale.catalogs import Catalogs, chain
from chatkit_prod.locale.tags import parse_locale
from tests.locale.folders import compiled

WHERE = "Where am I?"


def catalogs(directory: Path, *folders: str) -> Catalogs:
    for folder in folders:
        compiled(directory, folder, {WHERE: folder})
    return Catalogs(directory, "messages")


def found(held: Catalogs, locale: str) -> list[str]:
    """Return the folders that a locale gets its texts from, the first of them first."""
    return [catalog.gettext(WHERE) for catalog in held.near(locale)]


# ------------------------------------------------------------------------------------------------ which


@pytest.mark.parametrize(
    ("folders", "locale", "expected"),
    [
        pytest.param(["fr", "fr_FR"], "fr-FR", ["fr_FR", "fr"], id="that of the region, then that of the language"),
        pytest.param(["fr"], "fr-FR", ["fr"], id="that of the language alone"),
        pytest.param(["fr_FR"], "fr", ["fr_FR"], id="that of the likely region"),
        pytest.param(["fr", "fr_FR"], "fr", ["fr", "fr_FR"], id="that of no region, then that of the likely one"),
        pytest.param(["fr", "fr_CA"], "fr-FR", ["fr", "fr_CA"], id="another region is the last resort"),
        pytest.param(["fr", "fr_CA"], "fr-CA", ["fr_CA", "fr"], id="the region that is asked for"),
        pytest.param(["fr", "fr_CA"], "fr-BE", ["fr", "fr_CA"], id="that of the language before another region"),
        pytest.param(["fr_CA", "fr_FR"], "fr-BE", ["fr_FR", "fr_CA"], id="of two regions the likely one"),
        pytest.param(["fr", "fr_FR"], "fr-CA", ["fr", "fr_FR"], id="no region is meant for all"),
        pytest.param(["zh_Hant", "zh_Hant_TW"], "zh-TW", ["zh_Hant_TW", "zh_Hant"], id="a region that is likely as well"),
        pytest.param(["de", "de_AT", "de_CH"], "de-LI", ["de", "de_AT", "de_CH"], id="no region is nearer than another"),
        pytest.param(["pt", "pt_PT"], "pt-AO", ["pt_PT", "pt"], id="Angola reads European Portuguese"),
        pytest.param(["pt", "pt_PT"], "pt-BR", ["pt", "pt_PT"], id="Portuguese alone is that of Brazil"),
        pytest.param(["es", "es_419"], "es-MX", ["es_419", "es"], id="Mexico is in Latin America"),
        pytest.param(["es", "es_419"], "es-GQ", ["es", "es_419"], id="Equatorial Guinea is not"),
        pytest.param(["en", "en_GB"], "en-AU", ["en_GB", "en"], id="Australia reads British English"),
        pytest.param(["en", "en_GB"], "en-CA", ["en", "en_GB"], id="Canada reads American English"),
        pytest.param(["zh", "zh_Hant"], "zh-TW", ["zh_Hant"], id="Taiwan gets traditional characters alone"),
        pytest.param(["zh"], "zh-TW", [], id="Taiwan never gets simplified characters"),
        pytest.param(["zh_CN", "zh_Hans"], "zh-Hant", [], id="traditional characters are no simplified ones"),
        pytest.param(["zh_TW", "zh_HK"], "zh-MO", ["zh_HK", "zh_TW"], id="Macao is nearer to Hong Kong"),
        pytest.param(["zh_TW", "zh_CN"], "zh", ["zh_CN"], id="Chinese alone is simplified"),
        pytest.param(["zh_Hant"], "zh-Hant-HK", ["zh_Hant"], id="a script that the tag names"),
        pytest.param(["sr"], "sr-Latn", [], id="Serbian in Latin is not in Cyrillic"),
        pytest.param(["sr", "sr_Latn"], "sr-Latn-RS", ["sr_Latn"], id="Serbian in Latin"),
        pytest.param(["no"], "nb-NO", ["no"], id="Norwegian is Bokmål"),
        pytest.param(["nb"], "no", ["nb"], id="Bokmål is Norwegian"),
        pytest.param(["nb", "no"], "nb-NO", ["nb", "no"], id="Bokmål before Norwegian"),
        pytest.param(["nb"], "nn", [], id="Nynorsk is another language"),
        pytest.param(["da"], "nb", [], id="what many understand is another language"),
        pytest.param(["iw"], "he", ["iw"], id="an old name of a language in the folder"),
        pytest.param(["he"], "iw-IL", ["he"], id="an old name of a language in the tag"),
        pytest.param(["tl"], "fil-PH", ["tl"], id="ChatKit's Tagalog is Filipino"),
        pytest.param(["de", "de_x_formal"], "de-x-formal", ["de_x_formal", "de"], id="a private tag as it is spelt"),
        pytest.param(["de_DE", "de_x_formal"], "de", ["de_DE", "de_x_formal"], id="a plain one before a private one"),
        pytest.param(["ca", "ca_ES_valencia"], "ca-ES-valencia", ["ca_ES_valencia", "ca"], id="a variant"),
        pytest.param(["en_XA", "en"], "en-XA", ["en_XA"], id="a pseudo-locale is like no other"),
        pytest.param(["fr"], "ja", [], id="another language"),
        pytest.param(["fr"], "und", [], id="no language at all"),
    ],
)  # fmt: skip
def test_a_locale_gets_the_catalogs_of_its_language_and_script_the_nearest_first(
    tmp_path: Path, folders: list[str], locale: str, expected: list[str]
) -> None:
    assert found(catalogs(tmp_path, *folders), locale) == expected


@pytest.mark.parametrize("folder", ["pt_BR", "pt-BR", "pt_br", "PT-BR", "pt_Latn_BR", "pt-latn-br"])
@pytest.mark.parametrize("locale", ["pt-BR", "PT-br", "pt_BR", "pt-Latn-BR"])
def test_a_folder_and_a_tag_may_be_spelt_in_any_way(tmp_path: Path, folder: str, locale: str) -> None:
    assert found(catalogs(tmp_path, folder), locale) == [folder]


@pytest.mark.parametrize(
    "name", ["fr@euro", "fr_FR.UTF-8", "templates", "__pycache__", "f", "fr_", "_fr", "123", "français", "x-private"]
)  # fmt: skip
def test_a_folder_of_another_name_is_passed_over(tmp_path: Path, name: str) -> None:
    compiled(tmp_path, name, {WHERE: name})
    assert len(Catalogs(tmp_path, "messages")) == 0


def test_only_catalogs_of_the_domain_count(tmp_path: Path) -> None:
    compiled(tmp_path, "fr", {WHERE: "fr"}, domain="django")
    (tmp_path / "de" / "LC_MESSAGES").mkdir(parents=True)
    (tmp_path / "it").write_text("a file")
    (tmp_path / "es" / "LC_MESSAGES" / "messages.mo").mkdir(parents=True)
    assert len(Catalogs(tmp_path, "messages")) == 0
    assert len(Catalogs(tmp_path, "django")) == 1


@pytest.mark.parametrize("name", ["absent", "a file"])
def test_where_there_is_no_folder_there_are_no_catalogs(tmp_path: Path, name: str) -> None:
    (tmp_path / "a file").touch()
    held = Catalogs(tmp_path / name, "messages")
    assert (len(held), held.near("fr")) == (0, ())


# ------------------------------------------------------------------------------------------------ loaded once


def test_a_catalog_is_loaded_once_for_all_locales_that_need_it(tmp_path: Path) -> None:
    held = catalogs(tmp_path, "fr", "fr_CA")
    assert set(map(id, held.near("fr-CA"))) == set(map(id, held.near("fr-BE")))


def test_a_catalog_that_nobody_needs_is_not_read(tmp_path: Path) -> None:
    held = catalogs(tmp_path, "fr")
    compiled(tmp_path, "de", {}).write_bytes(b"broken")
    assert found(Catalogs(tmp_path, "messages"), "fr") == ["fr"]
    assert found(held, "fr") == ["fr"]


BROKEN = {
    "empty": b"",
    "short": b"\xde\x12\x04\x95",
    "no catalog": b"msgid",
    "another byte order": b"\x95\x04\x12\xde" + b"\x00" * 3 + b"\x01" * 30,
    "offsets beyond its end": b"\xde\x12\x04\x95" + b"\x00" * 4 + b"\x01\x00\x00\x00" + b"\xff" * 8,
    "another version": b"\xde\x12\x04\x95" + b"\x00\x00\xff\x00" + b"\x00" * 20,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_catalog_is_a_configuration_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    file = compiled(tmp_path, "fr", {WHERE: "fr"})
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"fr/LC_MESSAGES/messages\.mo is no catalog"):
        Catalogs(tmp_path, "messages").near("fr")


@pytest.mark.parametrize(
    "rule", ["nplurals=2; plural=__import__('os')", "nplurals=2; plural=(n", "plural=n n"]
)
def test_a_plural_rule_that_is_none_is_a_configuration_error(tmp_path: Path, rule: str) -> None:
    compiled(tmp_path, "fr", {WHERE: "fr"}, plural_forms=rule)
    with pytest.raises(ConfigurationError, match="is no catalog"):
        Catalogs(tmp_path, "messages").near("fr")


def test_threads_that_ask_at_once_get_the_same_texts(tmp_path: Path) -> None:
    held = catalogs(tmp_path, "fr", "fr_FR", "de", "pt", "pt_PT")
    start, answers = threading.Barrier(8), list[list[list[str]]]()

    def ask() -> None:
        start.wait()
        answers.append([found(held, locale) for locale in ("fr-FR", "de-AT", "pt-AO", "ja")])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[["fr_FR", "fr"], ["de"], ["pt_PT", "pt"], []]] * 8


# ------------------------------------------------------------------------------------------------ hostile


class Bait(NamedTuple):
    """A folder of catalogs, and another catalog outside of it."""

    held: Catalogs
    outside: Path


BAIT = "outside of the folder"

_asked: list[str] | None = None


def _note(event: str, args: tuple[object, ...]) -> None:
    if _asked is not None and (event == "open" or event.startswith("os.")):
        _asked.append(event)


sys.addaudithook(_note)


@contextmanager
def file_system() -> Generator[list[str]]:
    """Collect what the file system is asked in a block."""
    global _asked  # noqa: PLW0603 - a hook cannot be taken away, only be told to rest
    asked: list[str] = []
    _asked = asked
    try:
        yield asked
    finally:
        _asked = None


@pytest.fixture(scope="module")
def bait(tmp_path_factory: pytest.TempPathFactory) -> Bait:
    root = tmp_path_factory.mktemp("bait")
    for folder in ("evil", "fr", "", "x/evil"):
        compiled(root / "outside", folder, {WHERE: BAIT})
    compiled(root, "evil", {WHERE: BAIT})
    compiled(root / "app/locales/nested", "fr", {WHERE: BAIT})
    held = catalogs(root / "app/locales", "fr", "zh_Hant", "pt_PT")
    for folder in ("fr", "zh_Hant", "pt_PT"):
        held.near(folder)
    return Bait(held, root / "outside")


def test_the_trap_catches_what_opens_a_file_or_lists_a_folder(bait: Bait) -> None:
    with file_system() as asked:
        next(bait.outside.iterdir())
        (bait.outside / "evil/LC_MESSAGES/messages.mo").read_bytes()
    assert any(event.startswith("os.") for event in asked)
    assert "open" in asked


@given(st.text() | st.text("./\\~-_:%frx\x00", max_size=40))
@example("../../evil")
@example("../../../outside/evil")
@example("..\\..\\outside\\evil")
@example("fr/../../../outside/fr")
@example("nested/fr")
@example("/etc/passwd")
@example("~/fr")
@example("file:///etc/passwd")
@example("fr\x00")
@example("fr\x00/../../outside/evil")
@example("\ud800")
@example("fr\n")
@example("fr" * 500_000)
@example("fr-" + "x" * 1_000_000)
@example("fr" + "-abcde" * 200_000)
def test_no_text_reaches_a_file(bait: Bait, locale: str) -> None:
    with file_system() as asked:
        answer = found(bait.held, locale)
    assert asked == []
    assert BAIT not in answer
    assert set(answer) <= {"fr", "zh_Hant", "pt_PT"}


def test_paths_to_the_bait_do_not_catch_anything(bait: Bait) -> None:
    for locale in (str(bait.outside / "evil"), str(bait.outside / "fr"), f"../../{bait.outside.name}/fr"):
        assert bait.held.near(locale) == ()


def test_no_number_of_locales_makes_the_memory_grow(tmp_path: Path) -> None:
    held = catalogs(tmp_path, "fr")
    for number in range(600):
        held.near(f"en-x-{number}")
    tracemalloc.start()
    try:
        for number in range(600, 3_000):
            held.near(f"fr-x-{number}")
            held.near(f"fr-{number}-{'x' * 20_000}")
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 500_000


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("fr_CA", True), ("zh-Hant", True), ("fr-" + "abcde-" * 80 + "fghij", True), ("fr-" + "abcde-" * 90 + "x", False)],
    ids=["folder", "tag", "of almost 512 characters", "of more"],
)  # fmt: skip
def test_a_name_of_bounded_length_is_parsed(name: str, is_one: bool) -> None:
    assert (parse_locale(name) is not None) is is_one


# ------------------------------------------------------------------------------------------------ chains


def test_a_chain_of_none_leaves_texts_as_they_are() -> None:
    empty = chain([])
    assert empty.gettext("Hello") == "Hello"
    assert [empty.ngettext("a file", "files", n) for n in (1, 2)] == ["a file", "files"]
    assert empty.pgettext("verb", "open") == "open"


def test_a_chain_asks_the_first_and_then_each_other(tmp_path: Path) -> None:
    compiled(tmp_path, "fr_CA", {"one": "1: fr_CA", ("file", "files"): ("fichier CA", "fichiers CA")})
    compiled(tmp_path, "fr", {"one": "1: fr", "two": "2: fr"}, meanings={("verb", "open"): "ouvrir"})
    compiled(
        tmp_path, "fr_FR", {"one": "1", "two": "2", "three": "3: fr_FR", ("day", "days"): ("jour", "jours")}
    )
    linked = chain(Catalogs(tmp_path, "messages").near("fr-CA"))
    assert [linked.gettext(text) for text in ("one", "two", "three", "four")] == [
        "1: fr_CA",
        "2: fr",
        "3: fr_FR",
        "four",
    ]
    assert [linked.ngettext("file", "files", n) for n in (1, 2)] == ["fichier CA", "fichiers CA"]
    assert [linked.ngettext("day", "days", n) for n in (1, 2)] == ["jour", "jours"]
    assert [linked.ngettext("hour", "hours", n) for n in (1, 2)] == ["hour", "hours"]
    assert linked.pgettext("verb", "open") == "ouvrir"
    assert linked.pgettext("adjective", "open") == "open"


def test_what_is_held_is_not_changed_by_a_chain(tmp_path: Path) -> None:
    held = catalogs(tmp_path, "fr", "fr_CA")
    compiled(tmp_path, "de", {"only": "nur"})
    (german,) = Catalogs(tmp_path, "messages").near("de")
    for _ in range(3):
        chain([*held.near("fr"), german])
    assert chain(held.near("fr")).gettext("only") == "only"
    assert held.near("fr")[0]._fallback is None  # type: ignore[attr-defined]
