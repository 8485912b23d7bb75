"""One object holds what the layers know, and does not answer for a layer that is missing."""

import asyncio
import contextvars
import copy
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import pytest
from starlette.requests import Request

from chatkit_prod import ConfigurationError, Principal, RequestState
from chatkit_prod.operation import Limits, parse
from chatkit_prod.testing import one_of_each
from tests.servers import http_scope

PRINCIPAL = Principal(issuer="https://idp.example.com", subject="alice")


def test_the_outermost_layer_seeds_the_state_and_the_others_find_it() -> None:
    scope, state = RequestState.seed(http_scope())
    again, same = RequestState.seed(scope)
    assert same is state
    assert again is scope
    assert Request(scope).state.chatkit is state


@pytest.mark.parametrize(
    "shared",
    [
        pytest.param({}, id="empty"),
        pytest.param({"db": 1}, id="with a lifespan's"),
        pytest.param(None, id="none"),
    ],
)
def test_seeding_copies_the_scope_and_keeps_what_others_have_put_there(shared: Any) -> None:
    scope = {**http_scope(), "state": shared}
    before = copy.deepcopy(scope)
    seeded, state = RequestState.seed(scope)
    assert scope == before
    assert seeded["state"] == {**(shared or {}), "chatkit": state}


def test_a_scope_without_state_is_seeded() -> None:
    scope = http_scope()
    del scope["state"]
    assert RequestState.seed(scope)[0]["state"]["chatkit"]


def test_something_else_by_the_name_of_the_state_is_not_taken_for_it() -> None:
    scope = {**http_scope(), "state": {"chatkit": "forged"}}
    assert isinstance(RequestState.seed(scope)[0]["state"]["chatkit"], RequestState)


def test_every_request_has_an_id_of_128_bits_of_its_own() -> None:
    ids = {RequestState.seed(http_scope())[1].request_id for _ in range(100)}
    assert len(ids) == 100
    assert all(len(bytes.fromhex(found)) == 16 for found in ids)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("principal", "AuthMiddleware"), ("locale", "LocaleMiddleware"), ("operation", "ChatKitEndpoint")],
)
def test_reading_what_no_layer_has_set_names_the_missing_layer(name: str, layer: str) -> None:
    _, state = RequestState.seed(http_scope())
    with pytest.raises(ConfigurationError, match=rf"state\.{name} is not set: put {layer} in front"):
        getattr(state, name)


def test_what_a_layer_has_set_is_read_by_the_next() -> None:
    _, state = RequestState.seed(http_scope())
    assert state.peek() == (None, None, None)
    operation = parse(one_of_each(thread_id="thr_7")["threads.get_by_id"], Limits())
    state.principal, state.locale, state.operation = PRINCIPAL, "fr-CA", operation
    assert state.peek() == (state.principal, state.locale, state.operation) == (PRINCIPAL, "fr-CA", operation)
    assert state.thread_id == "thr_7"


def test_the_page_that_asks_is_unknown_until_a_layer_has_found_it_on_its_list() -> None:
    scope, state = RequestState.seed(http_scope(headers=[(b"origin", b"https://app.example.com")]))
    assert state.origin is None
    state.origin = "https://app.example.com"
    assert RequestState.seed(scope)[1].origin == "https://app.example.com"


def test_a_failure_is_noted_by_its_type_alone() -> None:
    _, state = RequestState.seed(http_scope())
    state.fail(ValueError("what a user wrote"))
    assert (state.outcome, state.error_type) == ("error", "ValueError")


def test_without_a_catalog_texts_stay_as_they_are() -> None:
    _, state = RequestState.seed(http_scope())
    assert state.translations.gettext("Sign in to continue.") == "Sign in to continue."


def test_what_is_remembered_in_one_request_is_not_there_in_another() -> None:
    (_, one), (_, other) = RequestState.seed(http_scope()), RequestState.seed(http_scope())
    with one.as_current():
        RequestState.memory("key")["a"] = 1
        with other.as_current():
            assert RequestState.memory("key") == {}
        assert RequestState.memory("key") == {"a": 1}


# ------------------------------------------------------------------------------------------------ the current request


def test_outside_of_a_request_there_is_no_current_one() -> None:
    RequestState.seed(http_scope())
    assert RequestState.current() is None


def test_requests_nest_and_each_gives_way_to_the_one_around_it() -> None:
    (_, outer), (_, inner) = RequestState.seed(http_scope()), RequestState.seed(http_scope())
    with outer.as_current():
        assert RequestState.current() is outer
        with inner.as_current(), inner.as_current():
            assert RequestState.current() is inner
        assert RequestState.current() is outer
    assert RequestState.current() is None


@pytest.mark.parametrize("error", [ValueError(), asyncio.CancelledError(), KeyboardInterrupt()], ids=repr)
def test_an_exception_ends_a_request_as_well(error: BaseException) -> None:
    _, state = RequestState.seed(http_scope())
    with pytest.raises(type(error)) as raised, state.as_current():
        raise error
    assert raised.value is error
    assert RequestState.current() is None


async def _here() -> RequestState | None:
    return RequestState.current()


async def _in_a_task() -> RequestState | None:
    return await asyncio.create_task(_here())


async def _in_a_task_of_a_task() -> RequestState | None:
    return await asyncio.create_task(_in_a_task())


async def _in_a_thread() -> RequestState | None:
    return await asyncio.to_thread(RequestState.current)


async def _in_a_thread_of_anyio() -> RequestState | None:
    return await anyio.to_thread.run_sync(RequestState.current)


async def _in_a_callback() -> RequestState | None:
    found: asyncio.Future[RequestState | None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: found.set_result(RequestState.current()))
    return await found


@pytest.mark.anyio
@pytest.mark.parametrize(
    "look",
    [_here, _in_a_task, _in_a_task_of_a_task, _in_a_thread, _in_a_thread_of_anyio, _in_a_callback],
    ids=lambda look: look.__name__.strip("_").replace("_", " "),
)
async def test_whatever_a_request_starts_runs_for_it_and_nothing_else_does(look: Callable[[], Any]) -> None:
    _, state = RequestState.seed(http_scope())
    with state.as_current():
        assert await look() is state
        assert contextvars.Context().run(RequestState.current) is None
    assert await look() is None


@pytest.mark.anyio
async def test_a_request_remembers_until_it_is_over() -> None:
    _, state = RequestState.seed(http_scope())
    with state.as_current():
        RequestState.memory("key")["a"] = 1
        assert RequestState.memory("key") == {"a": 1}
        assert RequestState.memory("other") == {}
    RequestState.memory("key")["a"] = 1
    assert RequestState.memory("key") == {}


@pytest.mark.anyio
async def test_a_task_that_outlives_its_request_runs_for_none() -> None:
    async def later() -> tuple[RequestState | None, bool]:
        await over.wait()
        return RequestState.current(), RequestState.within_request()

    _, state = RequestState.seed(http_scope())
    over = asyncio.Event()
    with state.as_current():
        RequestState.memory("key")["a"] = 1
        task = asyncio.create_task(later())
    over.set()
    assert await task == (None, True)
    with state.as_current():
        assert RequestState.memory("key") == {}
    assert RequestState.within_request() is False


@pytest.mark.anyio
async def test_requests_at_the_same_time_do_not_see_each_other() -> None:
    async def answer() -> bool:
        _, state = RequestState.seed(http_scope())
        with state.as_current():
            await asyncio.sleep(0)
            return RequestState.current() is state

    assert all(await asyncio.gather(*(answer() for _ in range(10))))
