"""The user's language in the state, and on the response."""

import asyncio
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError, RequestContext, RequestState, texts
from chatkit_prod.asgi import Message, Receive, Scope, Send
from chatkit_prod.layer import Interpreter
from chatkit_prod.locale import LocaleMiddleware, Translations
from chatkit_prod.locale.translations import catalogs_for
from tests.layers import Greeter, exchange, get, header_lines
from tests.servers import bounded

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
    assert inside.scopes[0]["state"] is not scope["state"]


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
async def test_what_is_not_http_is_passed_on(kind: str) -> None:
    inside = Greeter()
    scope = {"type": kind}
    assert await exchange(localized(inside), scope) == inside.messages
    assert inside.scopes == [scope]


def test_languages_that_cannot_work_are_refused_at_construction() -> None:
    with pytest.raises(ConfigurationError, match="default"):
        LocaleMiddleware(Greeter(), supported=["en"], default="fr")


@pytest.mark.parametrize("status", [200, 204, 401, 404, 500])
async def test_a_language_of_the_apps_own_stays_on_every_answer_and_elsewhere_there_is_ours(
    status: int,
) -> None:
    own = Greeter(status=status, headers=[(b"content-language", b"la")])
    assert header_lines(await exchange(localized(own), get()), b"content-language") == [b"la"]
    sent = await exchange(localized(Greeter(status=status)), get((b"accept-language", b"fr")))
    assert header_lines(sent, b"content-language") == [b"fr-CA"]
    assert sent[0]["status"] == status


async def test_an_error_of_the_app_passes_through() -> None:
    with pytest.raises(LookupError, match="the app's own"):
        await exchange(localized(Greeter(error=LookupError("the app's own"))), get())


class Meeting:
    """An app that answers when all of its requests are there, and says who they are then."""

    def __init__(self, size: int) -> None:
        self._barrier = asyncio.Barrier(size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state: RequestState = scope["state"]["chatkit"]
        before = state.locale
        await self._barrier.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await self._barrier.wait()
        said = f"{before} {state.locale} {state.translations.gettext(texts.FAILED)}"
        await send({"type": "http.response.body", "body": said.encode()})


@bounded
async def test_requests_at_the_same_time_do_not_mix_their_languages() -> None:
    tags = ["en", "fr-CA", "de", "de", "fr-CA", "ja"]
    layer = LocaleMiddleware(Meeting(len(tags)), supported=["en", "fr-CA", "de", "ja"])
    answers = await asyncio.gather(
        *(exchange(layer, get((b"accept-language", tag.encode()))) for tag in tags)
    )
    ours = catalogs_for(tags, None)
    for tag, sent in zip(tags, answers, strict=True):
        assert header_lines(sent, b"content-language") == [tag.encode()]
        assert sent[1]["body"].decode() == f"{tag} {tag} {ours[tag].gettext(texts.FAILED)}"


async def test_a_layer_outside_learns_the_language_and_sends_its_refusal_in_it() -> None:
    layer, sent = localized(), list[Message]()
    scope, state = RequestState.seed(get((b"accept-language", b"fr")))

    async def send(message: Message) -> None:
        sent.append(message)

    assert isinstance(layer, Interpreter)
    start: Message = {"type": "http.response.start", "status": 401, "headers": [(b"x-kept", b"1")]}
    await layer.interpret(scope, state, send)(start)
    assert state.locale == "fr-CA"
    assert state.translations.gettext(texts.SIGN_IN) != texts.SIGN_IN
    assert header_lines(sent, b"content-language") == [b"fr-CA"]
    assert start["headers"] == [(b"x-kept", b"1")]


def test_a_layer_that_belongs_outside_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="LocaleMiddleware stands inside LocaleMiddleware"):
        LocaleMiddleware(localized(), supported=["en"])


@pytest.mark.parametrize(
    "translations", ["locales", 1, Translations], ids=["a folder", "a number", "the class"]
)
def test_translations_that_are_none_are_refused_at_construction(translations: Any) -> None:
    with pytest.raises(ConfigurationError, match="Translations"):
        LocaleMiddleware(Greeter(), supported=["en"], translations=translations)
