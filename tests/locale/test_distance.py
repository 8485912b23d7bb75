"""How far two locales are from each other."""

import pytest

from chatkit_prod.locale.distance import TOO_FAR, distance, near_languages
from chatkit_prod.locale.tags import LocaleKey, parse_tag


def key(tag: str) -> LocaleKey:
    found = parse_tag(tag.lower())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("desired", "supported", "far"),
    [
        ("en", "en-US", 0),
        ("en-AU", "en-GB", 3),
        ("en-GB", "en-AU", 3),
        ("en-AU", "en-NZ", 4),
        ("en-CA", "en-US", 4),
        ("en-AU", "en-US", 5),
        ("en-GB", "en-US", 5),
        ("en-US", "en-001", 5),
        ("en-150", "en-GB", 3),
        ("es-MX", "es-419", 4),
        ("es-MX", "es-ES", 5),
        ("es-001", "es-ES", 5),
        ("pt-AO", "pt-PT", 4),
        ("ar-MA", "ar-DZ", 4),
        ("ar-MA", "ar-EG", 5),
        ("zh-HK", "zh-MO", 4),
        ("zh-HK", "zh-TW", 5),
        ("de-AT", "de-CH", 4),
        ("sr-Latn", "sr-Cyrl", 5),
        ("zh-Hans", "zh-Hant", TOO_FAR),
        ("ru-Latn", "ru", TOO_FAR),
    ],
)
def test_regions_and_scripts_are_as_far_as_cldr_says(desired: str, supported: str, far: int) -> None:
    assert distance(key(desired), key(supported), 0) == far


def test_a_language_understands_itself_and_what_cldr_says() -> None:
    assert near_languages("nn") == {"nn": 0, "nb": 20, "no": 20}
    assert near_languages("xx") == {"xx": 0}
    assert "sr" not in near_languages("hr")


def test_the_distance_of_the_languages_counts() -> None:
    assert distance(key("nb"), key("da"), near_languages("nb")["da"]) == 8 + 4
