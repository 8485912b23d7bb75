"""What a tag says, and what it leaves to be guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langcodes.data_dicts import LIKELY_SUBTAGS

from chatkit_prod.locale.tags import LocaleKey, is_pseudo, likely_subtags, parse_tag


@pytest.mark.parametrize(
    ("tag", "key"),
    [
        pytest.param("en", LocaleKey("en", "Latn", "US", 4), id="a language"),
        pytest.param("en-gb", LocaleKey("en", "Latn", "GB", 5), id="a region"),
        pytest.param("zh-hant", LocaleKey("zh", "Hant", "TW", 6), id="a script"),
        pytest.param("zh-hant-hk", LocaleKey("zh", "Hant", "HK", 7), id="all three"),
        pytest.param("zh-hk", LocaleKey("zh", "Hant", "HK", 5), id="the script of a region"),
        pytest.param("es-419", LocaleKey("es", "Latn", "419", 5), id="a region of the world"),
        pytest.param("ru-latn", LocaleKey("ru", "Latn", "RU", 6), id="an unusual script"),
        pytest.param("iw", LocaleKey("he", "Hebr", "IL", 4), id="an alias"),
        pytest.param("prs", LocaleKey("fa", "Arab", "AF", 5), id="an alias with a region"),
        pytest.param("de-dd", LocaleKey("de", "Latn", "DE", 5), id="a region that is gone"),
        pytest.param("i-klingon", LocaleKey("tlh", "Latn", "US", 4), id="a grandfathered tag"),
        pytest.param("zh-yue", LocaleKey("yue", "Hant", "HK", 4), id="an extended language"),
        pytest.param("xx", LocaleKey("xx", "Latn", "US", 4), id="a language that nobody knows"),
        pytest.param("und-tw", LocaleKey("zh", "Hant", "TW", 1), id="no language"),
        pytest.param("und", LocaleKey("und", "", "", 7), id="nothing"),
        pytest.param("en-zzzz-zz", LocaleKey("en", "Latn", "US", 4), id="unknown script and region"),
        pytest.param("ar-qaai", LocaleKey("ar", "Zinh", "EG", 6), id="a script that is renamed"),
        pytest.param("en-xa", LocaleKey("XA en", "", "XA", 7), id="a pseudo-locale"),
        pytest.param("en-psbidi", LocaleKey("XB en", "", "XB", 7), id="a pseudo-locale by its variant"),
    ],
)
def test_a_tag_is_made_complete(tag: str, key: LocaleKey) -> None:
    assert parse_tag(tag) == key._replace(is_plain="-ps" not in tag)


@pytest.mark.parametrize(
    "tag", ["de-1996", "sl-rozaj-biske", "de-u-co-phonebk", "en-x-secret", "en-a-bbb-x-c"]
)
def test_what_a_tag_says_besides_is_noticed(tag: str) -> None:
    found = parse_tag(tag)
    assert found is not None
    assert not found.is_plain
    assert found._replace(is_plain=True) == parse_tag(tag[:2])


@pytest.mark.parametrize(
    "tag", ["", "e", "x-secret", "en-", "en-u", "en-abcdefghi", "en-us-latn", "ger many", "en-é"]
)
def test_what_does_not_follow_the_grammar_is_no_tag(tag: str) -> None:
    assert parse_tag(tag) is None


@given(st.sampled_from(sorted(LIKELY_SUBTAGS)))
def test_what_is_left_out_is_guessed_as_cldr_does(tag: str) -> None:
    said = _split(tag)
    likely = LIKELY_SUBTAGS[tag].split("-")
    assert likely_subtags(*said) == tuple(own or other for own, other in zip(said, likely, strict=True))


def _split(tag: str) -> tuple[str, str, str]:
    language, *others = tag.split("-")
    script = next((part for part in others if len(part) == 4), "")
    region = next((part for part in others if len(part) != 4), "")
    return "" if language == "und" else language, script, region


def test_only_pseudo_locales_are_pseudo() -> None:
    for tag, expected in {
        "en-xa": True,
        "ar-psbidi": True,
        "en": False,
        "en-us": False,
        "und": False,
    }.items():
        found = parse_tag(tag)
        assert found is not None
        assert is_pseudo(found) is expected
