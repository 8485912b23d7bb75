"""The user's language in the state, and on the response."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError, RequestContext
from chatkit_prod.locale import LocaleMiddleware
from tests.layers import Greeter, exchange, get, header_lines

pytestmark = pytest.mark.anyio


def localized(inside: Greeter | None = None) -> LocaleMiddleware:
    return LocaleMiddleware(inside or Greeter(), supported=["en", "fr-CA", "de"], default="de")


async def test_the_negotiated_language_is_in_the_state_and_on_the_response() -> None:
    inside = Greeter()
    sent = await exchange(localized(inside), get((b"accept-language", b"fr;q=0.9, ja")))
    assert inside.state.locale == "fr-CA"
    assert RequestContext.of(inside.state).locale == "fr-CA"
    assert header_lines(sent, b"content-language") == [b"fr-CA"]
    assert header_lines(sent, b"vary") == [b"Accept-Language"]
    assert sent[1] == inside.messages[1]


@pytest.mark.parametrize(
    ("headers", "locale"),
    [
        ([], "de"),
        ([b"ja"], "de"),
        ([b"\xff\xfe"], "de"),
        ([b"ja", b"en"], "en"),
        ([b"en;q=0.1", b"fr"], "fr-CA"),
    ],
    ids=["no header", "unsupported", "not ASCII", "two headers", "two headers with qualities"],
)
async def test_every_header_of_that_name_counts(headers: list[bytes], locale: str) -> None:
    inside = Greeter()
    await exchange(localized(inside), get(*((b"accept-language", value) for value in headers)))
    assert inside.state.locale == locale


@given(st.lists(st.binary(max_size=100), max_size=3))
async def test_any_bytes_at_all_give_a_supported_language(headers: list[bytes]) -> None:
    inside = Greeter()
    sent = await exchange(localized(inside), get(*((b"accept-language", value) for value in headers)))
    assert inside.state.locale in ("en", "fr-CA", "de")
    assert header_lines(sent, b"content-language") == [inside.state.locale.encode()]


async def test_a_language_that_the_app_has_set_stays() -> None:
    inside = Greeter(headers=[(b"Content-Language", b"la"), (b"Vary", b"Cookie")])
    sent = await exchange(localized(inside), get((b"accept-language", b"en")))
    assert header_lines(sent, b"content-language") == [b"la"]
    assert header_lines(sent, b"vary") == [b"Cookie", b"Accept-Language"]


async def test_scope_and_messages_are_not_changed() -> None:
    inside = Greeter(headers=[(b"x-kept", b"1")])
    scope = get((b"accept-language", b"fr"))
    before, messages = deepcopy(scope), deepcopy(inside.messages)
    await exchange(localized(inside), scope)
    assert scope == before
    assert inside.messages == messages


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
async def test_what_is_not_http_is_passed_on(kind: str) -> None:
    inside = Greeter()
    scope = {"type": kind}
    assert await exchange(localized(inside), scope) == inside.messages
    assert inside.scopes == [scope]


def test_languages_that_cannot_work_are_refused_at_construction() -> None:
    with pytest.raises(ConfigurationError, match="default"):
        LocaleMiddleware(Greeter(), supported=["en"], default="fr")
