"""From `Accept-Language` to one of the app's own tags."""

import random
import sys
import time
from collections.abc import Callable

import langcodes
import pytest
import werkzeug.datastructures
import werkzeug.http
from babel.core import negotiate_locale
from hypothesis import example, given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError
from chatkit_prod.locale import Negotiator
from chatkit_prod.locale.ranges import parse_ranges

from .cases import CASES, Case

SUPPORTED = ["en", "fr", "de-AT", "zh-Hant", "zh-Hans", "pt-BR", "he", "nb"]
NEGOTIATOR = Negotiator(SUPPORTED)
ANOTHER = Negotiator(SUPPORTED)


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        pytest.param("fr", "fr", id="exact"),
        pytest.param("FR", "fr", id="another case"),
        pytest.param("fr-CA", "fr", id="a region that is not there"),
        pytest.param("de", "de-AT", id="only with a region"),
        pytest.param("de-CH", "de-AT", id="another region"),
        pytest.param("pt-PT", "pt-BR", id="the other Portuguese"),
        pytest.param("zh-TW", "zh-Hant", id="the script of a region"),
        pytest.param("zh-CN", "zh-Hans", id="the other script"),
        pytest.param("zh-Hant-HK", "zh-Hant", id="script before region"),
        pytest.param("iw", "he", id="an alias"),
        pytest.param("no", "nb", id="a macro-language"),
        pytest.param("es-419", "en", id="a numeric region that is not there"),
        pytest.param("ja", "en", id="none of them"),
        pytest.param("", "en", id="empty"),
        pytest.param("ja, fr", "fr", id="the second of two"),
        pytest.param("de, fr", "de-AT", id="the first of two equals"),
        pytest.param("de;q=0.5, fr;q=0.8", "fr", id="the better quality"),
        pytest.param("de;q=0.5,fr;q=0.50,en;q=0.500", "de-AT", id="equal qualities in three spellings"),
        pytest.param("fr;Q=1.000 , de", "fr", id="capital q and spaces"),
        pytest.param("fr ; q=1.", "fr", id="one and a point"),
        pytest.param("fr;q=0", "en", id="refused"),
        pytest.param("fr;q=0.000, de;q=0.001", "de-AT", id="refused, and barely accepted"),
        pytest.param("fr;q=0.", "en", id="zero and a point"),
        pytest.param("*", "en", id="anything"),
        pytest.param("ja, *;q=0.5", "en", id="anything else"),
        pytest.param("*;q=0.1, fr;q=0.2", "fr", id="anything, but rather one"),
        pytest.param("fr;q=2, de", "de-AT", id="a quality over one"),
        pytest.param("fr;q=0.1234, de", "de-AT", id="a quality with four digits"),
        pytest.param("fr;q=-1, de", "de-AT", id="a negative quality"),
        pytest.param("fr;q=nan, de", "de-AT", id="a quality that is no number"),
        pytest.param("fr;level=1, de", "de-AT", id="another parameter"),
        pytest.param("fr_FR.UTF-8, de", "de-AT", id="a POSIX name"),
        pytest.param("en-x-ignore-previous-instructions, fr", "fr", id="a subtag that is too long"),
        pytest.param("../../etc/passwd, de", "de-AT", id="a path"),
        pytest.param("fr\x00, de", "de-AT", id="NUL"),
        pytest.param("ƒr, de", "de-AT", id="not ASCII"),
        pytest.param("\t fr \t", "fr", id="tabs and spaces"),
        pytest.param(",,,fr", "fr", id="empty members"),
        pytest.param("ja," * 15 + "fr", "fr", id="the sixteenth range"),
        pytest.param("ja," * 16 + "fr", "en", id="the seventeenth range"),
        pytest.param(" " * 510 + "fr", "fr", id="the 512th character"),
        pytest.param(" " * 511 + "fr", "en", id="the 513th character"),
    ],
)
def test_the_best_supported_tag_answers_the_header(header: str, locale: str) -> None:
    assert NEGOTIATOR.negotiate(header) == locale


@given(st.text(max_size=600))
def test_any_text_at_all_gives_a_supported_tag(header: str) -> None:
    assert NEGOTIATOR.negotiate(header) in SUPPORTED


RANGES = st.from_regex(
    r"([A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?|\*)(;q=(0(\.[0-9]{0,3})?|1))?", fullmatch=True
)


@given(st.lists(RANGES, max_size=20))
def test_every_list_of_ranges_gives_a_supported_tag_and_the_same_one_again(ranges: list[str]) -> None:
    header = ", ".join(ranges)
    chosen = NEGOTIATOR.negotiate(header)
    assert chosen in SUPPORTED
    assert ANOTHER.negotiate(header) == chosen


@given(st.sampled_from(SUPPORTED), st.lists(st.sampled_from(["ja", "ko", "th", "vi"]), max_size=5))
def test_the_only_supported_language_of_a_list_is_found_wherever_it_stands(
    tag: str, others: list[str]
) -> None:
    ranges = [*others, tag]
    random.Random(len(others)).shuffle(ranges)
    assert NEGOTIATOR.negotiate(",".join(ranges)) == tag


@pytest.mark.parametrize("tag", ["EN", "pt-br", "zh-hant", "ZH-Hans", "fr-fr"])
def test_the_answer_is_spelt_as_the_app_spells_it(tag: str) -> None:
    assert Negotiator(["ja", tag]).negotiate(tag.lower()) == tag


def test_a_default_of_the_apps_own_is_used_where_nothing_fits() -> None:
    negotiator = Negotiator(["en", "fr"], default="fr")
    assert negotiator.negotiate("ja") == "fr"
    assert negotiator.negotiate("*") == "fr"
    assert negotiator.negotiate("en") == "en"


def test_a_megabyte_is_answered_from_its_first_characters() -> None:
    assert NEGOTIATOR.negotiate("fr," + "x" * 1_000_000) == "fr"


@pytest.mark.parametrize(
    ("supported", "default", "text"),
    [
        ([], None, "at least one"),
        ("en", None, "list of texts"),
        (["en", "not a tag"], None, "not a tag"),
        (["en", ""], None, "list of texts"),
        (["en", "xx-XX-XX"], None, "xx-XX-XX"),
        (["en", 1], None, "1"),
        (["en"], "fr", "default"),
        (["en"], "EN", "default"),
    ],
    ids=[
        "empty",
        "one word",
        "invalid",
        "empty tag",
        "two regions",
        "not text",
        "default absent",
        "default of another case",
    ],
)
def test_a_list_that_cannot_work_is_refused_at_construction(
    supported: list[str], default: str | None, text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        Negotiator(supported, default=default)


# ------------------------------------------------------------------------------------------- the rules of CLDR


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reason)
def test_the_nearest_of_the_supported_tags_answers(case: Case) -> None:
    assert Negotiator(case.supported).negotiate(case.header) == case.expected


def _by_langcodes(case: Case) -> str | None:
    for tag, weight in parse_ranges(case.header):
        if weight > 0:
            found = langcodes.closest_supported_match(tag, list(case.supported), max_distance=50)
            if found:
                return found
    return None


def _by_babel(case: Case) -> str | None:
    wanted = [tag for tag, weight in parse_ranges(case.header) if weight > 0]
    return negotiate_locale(wanted, case.supported, sep="-")


def _by_werkzeug(case: Case) -> str | None:
    accepted = werkzeug.http.parse_accept_header(case.header, werkzeug.datastructures.LanguageAccept)
    return accepted.best_match(case.supported)


def _score(match: Callable[[Case], str | None]) -> int:
    right = 0
    for case in CASES:
        try:
            found = match(case)
        except ValueError:  # it raises for what a client may send
            continue
        right += (found or case.supported[0]) == case.expected
    return right


def test_all_of_the_table_is_right_here_and_not_in_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {
        "here": _score(lambda case: Negotiator(case.supported).negotiate(case.header)),
        "langcodes": _score(_by_langcodes),
        "Babel": _score(_by_babel),
        "werkzeug": _score(_by_werkzeug),
    }
    with capsys.disabled():
        sys.stdout.write(f"\nLanguage matching, right of {len(CASES)}: {scores}\n")
    assert len({case.reason for case in CASES}) == len(CASES) >= 150
    assert scores.pop("here") == len(CASES) > max(scores.values())


# -------------------------------------------------------------------------------------------- whatever is sent

HEADERS = st.one_of(
    st.text(max_size=2000),
    st.binary(max_size=2000).map(lambda value: value.decode("latin-1")),
    st.lists(RANGES, max_size=3000).map(",".join),
    st.integers(1, 3000).map(lambda count: "en" + "-aaaaa" * count),
    st.integers(1, 3000).map(lambda count: "x" + "-a" * count),
    st.integers(1, 3000).map(lambda count: "en-u" + "-aa" * count),
    st.from_regex(r"[a-z]{2,8}(-[a-z0-9]{1,8}){0,200}", fullmatch=True),
)


@given(HEADERS)
@example("a" * 1_000_000)
@example("en," * 300_000)
@example("\x00" * 512)
@example("en-" * 170 + "GB")
def test_any_header_gives_a_supported_tag_in_less_than_a_millisecond(header: str) -> None:
    times: list[float] = []
    for _ in range(5):
        NEGOTIATOR._cached.cache_clear()
        started = time.perf_counter()
        assert NEGOTIATOR.negotiate(header) in SUPPORTED
        times.append(time.perf_counter() - started)
    assert min(times) < 0.001


@given(st.binary(max_size=600))
def test_bytes_are_as_good_as_text(header: bytes) -> None:
    assert NEGOTIATOR.negotiate(header) == NEGOTIATOR.negotiate(header.decode("latin-1"))


@given(st.sampled_from(CASES), st.data())
def test_a_refused_tag_is_never_chosen_while_there_is_another(case: Case, data: st.DataObject) -> None:
    refused = data.draw(st.sampled_from(case.supported))
    others = [tag for tag in case.supported if not tag.lower().startswith(refused.lower())]
    wanted = [tag for tag, _ in parse_ranges(case.header) if not tag.startswith(refused.lower())]
    chosen = Negotiator(case.supported).negotiate(", ".join([*wanted, f"{refused};q=0"]))
    assert chosen != refused or not others


def test_match_says_whether_the_client_accepts_anything() -> None:
    assert NEGOTIATOR.match("fr-CA") == "fr"
    assert NEGOTIATOR.match("ja") is None
    assert NEGOTIATOR.match("") is None
    assert NEGOTIATOR.match("*") == "en"


def test_the_tags_and_the_default_can_be_read() -> None:
    negotiator = Negotiator(["en", "fr"], default="fr")
    assert (negotiator.supported, negotiator.default) == (("en", "fr"), "fr")
