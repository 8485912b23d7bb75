"""A rule is written like a rule, or the app does not start."""

import sys
from typing import Any

import pytest

from chatkit_prod import ConfigurationError
from chatkit_prod.limits import Rules
from chatkit_prod.limits.rules import compiled


def test_a_rule_with_one_window_is_called_by_its_name() -> None:
    ((_, name, _, amount, length),) = compiled(Rules(requests="60/minute")).requests
    assert (name, amount, length) == ("requests", 60, 60)


def test_of_several_windows_the_short_ones_come_first_and_are_told_apart() -> None:
    windows = compiled(Rules(messages="200/day; 20 per 2 hours, 3/second")).messages
    assert [(w.name, w.amount, w.seconds) for w in windows] == [
        ("messages-1", 3, 1),
        ("messages-7200", 20, 7200),
        ("messages-86400", 200, 86400),
    ]


def test_rules_of_the_same_numbers_have_counters_of_their_own() -> None:
    windows = compiled(Rules(requests="9/day", tenant_requests="9/day", messages="9/day", tokens="9/day"))
    assert len({window.item.key_for("x") for rule in windows for window in rule}) == 4


def test_no_rule_at_all_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r'such as Rules\(requests="60/minute"\)'):
        Rules()


@pytest.mark.parametrize(
    "written", ["", "60", "0/minute", "-1/minute", "1/fortnight", "x 1/minute", 60, ["1/minute"]]
)
@pytest.mark.parametrize("rule", ["requests", "tenant_requests", "messages", "tokens"])
def test_a_rule_that_cannot_be_read_or_allows_nothing_is_refused(rule: str, written: Any) -> None:
    with pytest.raises(ConfigurationError, match=f'^{rule} must be written as "60/minute"'):
        Rules(**{rule: written})


@pytest.mark.parametrize("written", [0, -1, True, 1.5, "4"])
def test_a_number_of_streams_is_a_positive_integer(written: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^streams must be a positive integer"):
        Rules(streams=written)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "limits", None)
    with pytest.raises(ConfigurationError, match=r"chatkit-prod\[limits\]"):
        Rules(streams=1)
