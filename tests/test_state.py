"""One object holds what the layers know, and does not answer for a layer that is missing."""

import copy
from typing import Any

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
