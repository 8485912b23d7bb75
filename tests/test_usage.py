"""What a request uses is told to whoever counts, and to nobody else."""

from typing import Any

import pytest

from chatkit_prod import ConfigurationError, RequestState
from chatkit_prod.usage import add_tokens
from tests.servers import http_scope


class Sink:
    def __init__(self) -> None:
        self.told: list[int] = []

    def add(self, tokens: int, /) -> None:
        self.told.append(tokens)


def test_whoever_counts_is_told_while_the_request_runs() -> None:
    _, state = RequestState.seed(http_scope())
    state.usage = sink = Sink()
    add_tokens(1)
    with state.as_current():
        add_tokens(2)
        add_tokens(0)
    add_tokens(3)
    assert sink.told == [2, 0]


def test_where_nobody_counts_nothing_happens() -> None:
    _, state = RequestState.seed(http_scope())
    with state.as_current():
        add_tokens(2)
    assert state.usage is None


@pytest.mark.parametrize("tokens", [-1, 1.5, True, "1", None])
def test_what_is_no_number_of_tokens_is_refused(tokens: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^tokens must be"):
        add_tokens(tokens)
