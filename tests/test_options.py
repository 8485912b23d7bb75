"""What an app passes in is checked before it can do harm."""

import math
from typing import Any

import pytest

from chatkit_prod import ConfigurationError
from chatkit_prod.options import awaited, boolean, listed, looked_up, named, seconds

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("value", [1, 0.001, 10**9])
def test_a_positive_number_is_seconds(value: float) -> None:
    assert seconds(value, "timeout") == value


@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, True, "5", None], ids=repr)
def test_anything_else_is_no_seconds(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout must be a positive number of seconds"):
        seconds(value, "timeout")


@pytest.mark.parametrize("value", [1, 0, "yes", None], ids=repr)
def test_nothing_else_is_true_or_false(value: Any) -> None:
    assert boolean(value=True, name="x") is True
    with pytest.raises(ConfigurationError, match="x must be true or false"):
        boolean(value, "x")


@pytest.mark.parametrize("value", [["a", "b"], ("a", "b"), iter(["a", "b"]), {"a": 1, "b": 2}.keys()])
def test_texts_are_listed(value: Any) -> None:
    assert listed(value, "scopes") == ("a", "b")
    assert listed([], "scopes") == ()


@pytest.mark.parametrize(
    "value", ["ab", b"ab", None, 7, {"a": "b"}, ["a", ""], ["a", None], [b"a"]], ids=repr
)
def test_one_text_alone_and_what_is_no_text_is_no_list(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="scopes must be a list of texts"):
        listed(value, "scopes")


async def test_what_an_async_function_returns_is_awaited() -> None:
    async def answer() -> int:
        return 42

    assert await awaited(answer(), "answer") == 42


async def test_a_function_that_is_not_async_is_named() -> None:
    value: Any = 42
    with pytest.raises(ConfigurationError, match="answer must be async: it returned an int"):
        await awaited(value, "answer")


@pytest.mark.parametrize("value", [None, "alice"])
async def test_what_a_look_up_finds_is_of_one_kind_or_nothing(value: Any) -> None:
    async def find() -> Any:
        return value

    assert await looked_up(find(), "find", str) == value
    if value is not None:
        with pytest.raises(ConfigurationError, match="find must return int or None, not a str"):
            await looked_up(find(), "find", int)


def test_a_wrong_value_is_named_by_its_type_and_never_quoted() -> None:
    assert [named(value) for value in (5, "secret", None, str)] == [
        "an int",
        "a str",
        "a NoneType",
        "the class str",
    ]
