"""The grammar of `Accept-Language`, and its bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.locale.ranges import MAX_CHARACTERS, MAX_RANGES, parse_ranges


@pytest.mark.parametrize(
    ("header", "found"),
    [
        pytest.param("fr", [("fr", 1)], id="one"),
        pytest.param("fr, en;q=0.5", [("fr", 1), ("en", 0.5)], id="two"),
        pytest.param("en;q=0.5, fr", [("fr", 1), ("en", 0.5)], id="the best first"),
        pytest.param("en, fr", [("en", 1), ("fr", 1)], id="equals in the order of the client"),
        pytest.param("EN_us", [("en-us", 1)], id="case and underscore"),
        pytest.param("*;q=0", [("*", 0)], id="any other"),
        pytest.param("en;q=1.000 , fr ;q=0.", [("en", 1), ("fr", 0)], id="weights"),
        pytest.param("en;q=1.001, fr;q=.5, de;q=0.1234, es;q", [], id="malformed weights"),
        pytest.param("en-, -en, en--us, e n, toolongtag, *-de", [], id="malformed tags"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_a_header_is_read_strictly(header: str, found: list[tuple[str, float]]) -> None:
    assert parse_ranges(header) == found


def test_no_more_than_sixteen_ranges_are_read() -> None:
    assert len(parse_ranges(",".join(["en"] * 100))) == MAX_RANGES


def test_a_range_that_is_cut_at_the_limit_is_not_taken_for_another() -> None:
    header = "fr," + " " * (MAX_CHARACTERS - 5) + "en-GB"
    assert len(header) > MAX_CHARACTERS
    assert parse_ranges(header) == [("fr", 1)]


@given(st.text(max_size=700))
def test_every_range_of_any_text_follows_the_grammar(header: str) -> None:
    found = parse_ranges(header)
    assert len(found) <= MAX_RANGES
    assert [weight for _, weight in found] == sorted((weight for _, weight in found), reverse=True)
    for tag, weight in found:
        assert 0 <= weight <= 1
        assert tag == "*" or (tag.isascii() and tag.replace("-", "").isalnum() and tag == tag.lower())
