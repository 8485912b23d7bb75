"""A page is let in if its origin is on the list or its own; a foreign one can neither ask nor read."""

import gettext
import itertools
import json
import logging
import re
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from chatkit_prod import ConfigurationError, Principal, RequestState
from chatkit_prod.asgi import Message, RawHeaders, Scope
from chatkit_prod.auth import AuthMiddleware
from chatkit_prod.auth.allow_lists import AllowedOrigins
from chatkit_prod.auth.origin import OriginMiddleware
from chatkit_prod.locale import LocaleMiddleware
from chatkit_prod.tracing import TracingMiddleware
from tests.layers import Greeter, Rewriting, exchange, header_lines
from tests.servers import http_scope

pytestmark = pytest.mark.anyio

PAGE = "https://app.example.com"
BELOW = "https://a.partner.example"
HOST = "api.example.com"
OWN = f"https://{HOST}"
LISTED = [PAGE, "https://*.partner.example"]

Sent = list[Message]


def request(
    *origins: str,
    method: str = "POST",
    hosts: tuple[str, ...] = (HOST,),
    site: str | None = None,
    headers: RawHeaders = (),
) -> Scope:
    sent = [(b"host", host.encode("latin-1")) for host in hosts]
    sent += [(b"origin", origin.encode("latin-1")) for origin in origins]
    sent += [] if site is None else [(b"sec-fetch-site", site.encode())]
    return http_scope(method=method, headers=[*sent, *headers])


def preflight(origin: str, *, method: str = "POST", headers: str = "content-type") -> Scope:
    asked = [
        (b"access-control-request-method", method.encode("latin-1")),
        (b"access-control-request-headers", headers.encode("latin-1")),
    ]
    return request(origin, method="OPTIONS", headers=asked)


def behind(inside: Any = None, **options: Any) -> OriginMiddleware:
    options.setdefault("allowed_origins", LISTED)
    return OriginMiddleware(inside or Greeter(), **options)


def cors_headers(sent: Sent) -> dict[bytes, bytes]:
    return {key: value for key, value in sent[0]["headers"] if key.startswith(b"access-control-")}


def varies_by_origin(sent: Sent) -> bool:
    return b"Origin" in re.split(rb",\s*", b", ".join(header_lines(sent, b"vary")))


def the_record(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """Return the fields of the one audit record."""
    (record,) = caplog.records
    fields: dict[str, Any] = vars(record)["chatkit"]
    return fields


def is_refused(sent: Sent, inside: Greeter) -> bool:
    """Tell whether this is a refusal of a foreign page, complete in every respect."""
    return (
        sent[0]["status"] == 403
        and inside.scopes == []
        and cors_headers(sent) == {}
        and varies_by_origin(sent)
        and header_lines(sent, b"content-type") == [b"application/problem+json"]
        and header_lines(sent, b"cache-control") == [b"no-store"]
    )


# ------------------------------------------------------------------------------------------------ who comes in


@pytest.mark.parametrize("origin", [PAGE, BELOW], ids=["exact", "wildcard"])
@pytest.mark.parametrize("site", [None, "same-origin", "same-site", "cross-site"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_a_page_on_the_list_may_ask_and_read_the_answer(
    origin: str, site: str | None, method: str
) -> None:
    inside = Greeter()
    sent = await exchange(behind(inside), request(origin, method=method, site=site))
    assert sent[0]["status"] == 200
    assert sent[1]["body"] == b"hello"
    assert inside.state.origin == origin
    assert cors_headers(sent) == {
        b"access-control-allow-origin": origin.encode(),
        b"access-control-allow-credentials": b"true",
        b"access-control-expose-headers": b"content-language, retry-after, www-authenticate, x-request-id",
    }
    assert varies_by_origin(sent)


FOREIGN = {
    "foreign": "https://evil.example",
    "null": "null",
    "empty": "",
    "http": "http://app.example.com",
    "port": f"{PAGE}:8443",
    "default port": f"{PAGE}:443",
    "slash": f"{PAGE}/",
    "upper case": "https://APP.example.com",
    "suffix": f"{PAGE}.evil.example",
    "two labels": "https://a.b.partner.example",
    "none": "https://partner.example",
    "list": f"{PAGE} {PAGE}",
    "comma": f"{PAGE}, https://evil.example",
    "latin": "https://äpp.example.com",
    "own host without a scheme": HOST,
    "own host of another scheme": f"ftp://{HOST}",
    "own host with a port": f"{OWN}:8443",
    "own host with a path": f"{OWN}/",
    "above the own host": f"https://a.{HOST}",
}


@pytest.mark.parametrize("origin", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
async def test_a_foreign_page_is_refused_before_the_app_and_cannot_read_why(origin: str, method: str) -> None:
    inside = Greeter()
    scope, state = RequestState.seed(request(origin, method=method))
    assert is_refused(await exchange(behind(inside), scope), inside)
    assert state.origin is None
    assert state.outcome == "refused"


@pytest.mark.parametrize(
    "origins", [(PAGE, PAGE), (PAGE, "null"), ("https://evil.example", PAGE), (OWN, OWN)]
)
async def test_two_origins_are_refused_even_if_one_is_on_the_list(origins: tuple[str, str]) -> None:
    inside = Greeter()
    assert is_refused(await exchange(behind(inside), request(*origins)), inside)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_without_an_origin_the_authentication_decides(method: str) -> None:
    inside = Greeter()
    sent = await exchange(behind(inside), request(method=method))
    assert sent[0]["status"] == 200
    assert inside.state.origin is None
    assert cors_headers(sent) == {}
    assert varies_by_origin(sent)


ORIGINS = [(), (PAGE,), (OWN,), (f"http://{HOST}",), ("https://evil.example",), ("null",), (PAGE, OWN)]
HOST_HEADERS = [(), (HOST,), ("app.example.com",), ("evil.example",), ("null",), ("",)]
SITES = [None, "same-origin", "none", "same-site", "cross-site", "", "SAME-ORIGIN"]


def is_let_in(origins: tuple[str, ...], hosts: tuple[str, ...], site: str | None) -> bool:
    """Say it once more, with other words: foreign is what is neither listed nor undeniably our own."""
    if len(origins) != 1:
        return not origins
    if origins == (PAGE,):
        return True
    authority = origins[0].partition("://")[2]
    return bool(authority) and hosts == (authority,) and site in {None, "same-origin", "none"}


@pytest.mark.parametrize("origins", ORIGINS)
@pytest.mark.parametrize("hosts", HOST_HEADERS)
async def test_every_origin_host_site_and_method(origins: tuple[str, ...], hosts: tuple[str, ...]) -> None:
    for site, method in itertools.product(SITES, ["GET", "HEAD", "POST", "DELETE", "OPTIONS"]):
        inside = Greeter()
        sent = await exchange(behind(inside), request(*origins, hosts=hosts, site=site, method=method))
        if is_let_in(origins, hosts, site):
            assert sent[0]["status"] == 200
            assert inside.state.origin == (PAGE if origins == (PAGE,) else None)
            assert (b"access-control-allow-origin" in cors_headers(sent)) == (origins == (PAGE,))
            assert varies_by_origin(sent)
        else:
            assert is_refused(sent, inside)


@pytest.mark.parametrize("host", [HOST, f"{HOST}:8443", "localhost:8000", "[::1]:8000", "my_app:8000"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_page_of_the_same_host_and_port_is_let_in_without_cors_headers(
    host: str, scheme: str
) -> None:
    inside = Greeter()
    sent = await exchange(behind(inside), request(f"{scheme}://{host}", hosts=(host,)))
    assert sent[0]["status"] == 200
    assert inside.state.origin is None
    assert cors_headers(sent) == {}


@pytest.mark.parametrize("host", ["", "a b", "a/b", "u@a", "a,b", "*"])
async def test_a_malformed_host_has_no_page_of_its_own(host: str) -> None:
    inside = Greeter()
    assert is_refused(await exchange(behind(inside), request(f"https://{host}", hosts=(host,))), inside)


async def test_two_statements_of_the_browser_are_not_believed() -> None:
    inside = Greeter()
    twice = [(b"sec-fetch-site", b"same-origin"), (b"sec-fetch-site", b"cross-site")]
    assert is_refused(await exchange(behind(inside), request(OWN, headers=twice)), inside)


async def test_an_empty_list_leaves_pages_of_the_own_host() -> None:
    app = behind(allowed_origins=[])
    assert (await exchange(app, request(OWN)))[0]["status"] == 200
    assert (await exchange(app, request(PAGE)))[0]["status"] == 403


@given(st.text(st.characters(max_codepoint=255)), st.sampled_from(["GET", "POST", "OPTIONS"]))
async def test_no_origin_that_is_not_on_the_list_is_ever_let_in(origin: str, method: str) -> None:
    inside = Greeter()
    asked = [(b"access-control-request-method", b"POST")]
    sent = await exchange(behind(inside), request(origin, method=method, headers=asked))
    assert is_refused(sent, inside)


# ------------------------------------------------------------------------------------------------ hosts


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("options", [{}, {"allowed_hosts": [HOST]}], ids=["unchecked", "checked"])
@pytest.mark.parametrize("hosts", [(HOST, HOST), (HOST, "evil.example"), ("", HOST)])
async def test_two_hosts_are_an_invalid_request(
    hosts: tuple[str, str], options: dict[str, Any], method: str
) -> None:
    inside = Greeter()
    sent = await exchange(behind(inside, **options), request(PAGE, hosts=hosts, method=method))
    assert sent[0]["status"] == 400
    assert json.loads(sent[1]["body"])["code"] == "invalid_request"
    assert cors_headers(sent) == {}
    assert inside.scopes == []


HOSTS: dict[str, tuple[tuple[str, ...], bool]] = {
    "exact": ((HOST,), True),
    "upper case": (("API.Example.COM",), True),
    "port": ((f"{HOST}:8443",), True),
    "wildcard": (("eu.example.org",), True),
    "foreign": (("evil.example",), False),
    "rebound": (("evil.example:8000",), False),
    "address": (("127.0.0.1",), False),
    "subdomain": ((f"a.{HOST}",), False),
    "dot at the end": ((f"{HOST}.",), False),
    "two labels below": (("a.b.example.org",), False),
    "parent": (("example.org",), False),
    "malformed": ((f"{HOST}/",), False),
    "user": ((f"u@{HOST}",), False),
    "bad port": ((f"{HOST}:x",), False),
    "empty": (("",), False),
    "absent": ((), False),
}


@pytest.mark.parametrize(("hosts", "is_allowed"), HOSTS.values(), ids=HOSTS.keys())
@pytest.mark.parametrize("origins", [(), (PAGE,)], ids=["no page", "a page on the list"])
async def test_only_the_names_of_this_service_are_answered(
    hosts: tuple[str, ...], is_allowed: bool, origins: tuple[str, ...]
) -> None:
    inside = Greeter()
    app = behind(inside, allowed_hosts=[HOST, "*.example.org"])
    sent = await exchange(app, request(*origins, hosts=hosts))
    assert (sent[0]["status"] == 200) is is_allowed
    assert is_allowed or is_refused(sent, inside)


async def test_a_name_that_was_pointed_at_this_server_makes_nobody_its_own_page() -> None:
    rebound = request("http://evil.example:8000", hosts=("evil.example:8000",), site="same-origin")
    assert (await exchange(behind(), rebound))[0]["status"] == 200
    assert (await exchange(behind(allowed_hosts=["localhost"]), rebound))[0]["status"] == 403


async def test_without_a_host_list_the_host_is_not_looked_at() -> None:
    assert (await exchange(behind(), request(PAGE, hosts=("evil.example",))))[0]["status"] == 200
    assert (await exchange(behind(), request(PAGE, hosts=())))[0]["status"] == 200


# ------------------------------------------------------------------------------------------------ preflights

SENT_BY_CHATKIT = "accept, accept-language, authorization, baggage, chatkit-frame-instance-id, content-type"
SENT_BY_PAGES = "traceparent,tracestate,x-api-key"


@pytest.mark.parametrize("origin", [PAGE, BELOW], ids=["exact", "wildcard"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("headers", ["", SENT_BY_CHATKIT, SENT_BY_PAGES, SENT_BY_CHATKIT.title()])
async def test_a_preflight_of_a_page_on_the_list_is_answered_before_the_app(
    origin: str, method: str, headers: str
) -> None:
    inside = Greeter()
    asked = preflight(origin, method=method, headers=headers)
    if not headers:
        asked["headers"].pop()
    scope, state = RequestState.seed(asked)
    sent = await exchange(behind(inside), scope)
    assert sent[0]["status"] == 200
    assert inside.scopes == []
    allowed = cors_headers(sent)
    assert allowed[b"access-control-allow-origin"] == origin.encode()
    assert allowed[b"access-control-allow-credentials"] == b"true"
    assert allowed[b"access-control-allow-methods"] == b"GET, POST"
    assert allowed[b"access-control-max-age"] == b"600"
    names = allowed[b"access-control-allow-headers"].decode().lower().split(", ")
    assert sorted(names) == [
        "accept",
        "accept-language",
        "authorization",
        "baggage",
        "chatkit-frame-instance-id",
        "chatkit-session",
        "content-language",
        "content-type",
        "traceparent",
        "tracestate",
        "x-api-key",
    ]
    assert varies_by_origin(sent)
    assert header_lines(sent, b"x-request-id") == [state.request_id.encode()]
    assert state.outcome == "completed"
    assert state.origin == origin


async def test_a_preflight_needs_no_credentials() -> None:
    class Nobody:
        challenge = "Bearer"

        async def authenticate(self, connection: HTTPConnection) -> Principal | None:
            return None

    app = behind(AuthMiddleware(Greeter(), authenticator=Nobody()))
    assert (await exchange(app, preflight(PAGE)))[0]["status"] == 200
    refused = await exchange(app, request(PAGE))
    assert refused[0]["status"] == 401
    assert cors_headers(refused)[b"access-control-allow-origin"] == PAGE.encode()


@pytest.mark.parametrize(
    ("method", "headers", "reason"),
    [
        ("DELETE", "content-type", "method"),
        ("post", "content-type", "method"),
        ("POST", "x-user-id", "headers"),
        ("POST", "*", "headers"),
        ("", "", "method, headers"),
    ],
    ids=["method", "lower case", "header", "star", "nothing"],
)
async def test_a_preflight_that_asks_for_more_is_refused_and_recorded(
    method: str, headers: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    inside = Greeter()
    scope, state = RequestState.seed(preflight(PAGE, method=method, headers=headers))
    with caplog.at_level(logging.INFO, "chatkit_prod.audit"):
        sent = await exchange(behind(inside), scope)
    assert sent[0]["status"] == 400
    assert inside.scopes == []
    assert state.outcome == "refused"
    fields = the_record(caplog)
    assert (fields["reason"], fields["status"]) == (reason, 400)


async def test_further_headers_can_be_allowed() -> None:
    app = behind(allowed_headers=["X-Session-Id"], max_age=60)
    sent = await exchange(app, preflight(PAGE, headers="x-session-id, content-type"))
    assert sent[0]["status"] == 200
    assert b"X-Session-Id" in cors_headers(sent)[b"access-control-allow-headers"]
    assert cors_headers(sent)[b"access-control-max-age"] == b"60"


header_text = st.text(st.characters(max_codepoint=255), max_size=40)


@given(header_text, header_text, st.booleans())
async def test_no_preflight_whatever_tells_a_foreign_page_anything(
    method: str, headers: str, asks_for_a_private_network: bool
) -> None:
    inside = Greeter()
    scope = preflight("https://evil.example", method=method, headers=headers)
    if asks_for_a_private_network:
        scope["headers"].append((b"access-control-request-private-network", b"true"))
    assert is_refused(await exchange(behind(inside), scope), inside)


@given(header_text, header_text)
async def test_no_preflight_whatever_reaches_the_app_or_allows_more_than_the_list(
    method: str, headers: str
) -> None:
    inside = Greeter()
    sent = await exchange(behind(inside), preflight(PAGE, method=method, headers=headers))
    assert sent[0]["status"] in {200, 400}
    assert inside.scopes == []
    assert cors_headers(sent)[b"access-control-allow-origin"] == PAGE.encode()
    assert cors_headers(sent)[b"access-control-allow-methods"] == b"GET, POST"


async def test_options_that_are_no_preflight_go_to_the_app() -> None:
    for scope in (request(PAGE, method="OPTIONS"), request(method="OPTIONS"), request(OWN, method="OPTIONS")):
        inside = Greeter()
        await exchange(behind(inside), scope)
        assert len(inside.scopes) == 1


# ------------------------------------------------------------------------------------------------ answers


async def test_the_app_cannot_widen_what_a_page_may_read_and_keeps_what_it_varies_by() -> None:
    theirs = [
        (b"access-control-allow-origin", b"*"),
        (b"vary", b"Accept-Language"),
        (b"vary", b"Cookie"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]
    sent = await exchange(behind(Greeter(headers=theirs)), request(PAGE))
    assert header_lines(sent, b"access-control-allow-origin") == [PAGE.encode()]
    assert header_lines(sent, b"set-cookie") == [b"a=1", b"b=2"]
    assert b", ".join(header_lines(sent, b"vary")) == b"Accept-Language, Cookie, Origin"


@pytest.mark.parametrize("origins", [(), (PAGE,)], ids=["no page", "page"])
async def test_neither_the_scope_nor_the_messages_are_changed(origins: tuple[str, ...]) -> None:
    inside = Greeter(headers=[(b"vary", b"Cookie")])
    scope = request(*origins)
    before, messages = deepcopy(scope), deepcopy(inside.messages)
    await exchange(behind(inside), scope)
    assert scope == before
    assert inside.messages == messages


@pytest.mark.parametrize("origins", [(), (PAGE,)], ids=["no page", "page"])
async def test_a_stream_passes_message_by_message(origins: tuple[str, ...]) -> None:
    inside = Greeter()
    inside.messages[1:] = [
        {"type": "http.response.body", "body": b"hel", "more_body": True},
        {"type": "http.response.body", "body": b"lo", "more_body": False},
    ]
    sent = await exchange(behind(inside), request(*origins))
    assert sent[1:] == inside.messages[1:]


async def test_a_failure_of_the_app_is_left_to_the_server() -> None:
    with pytest.raises(ZeroDivisionError):
        await exchange(behind(Greeter(error=ZeroDivisionError())), request(PAGE))


REFUSED = {
    "origin": (request("https://evil.example"), "origin", 403),
    "null": (request("null"), "origin", 403),
    "two origins": (request(PAGE, PAGE), "origin", 403),
    "preflight": (preflight("https://evil.example"), "origin", 403),
    "host": (request(PAGE, hosts=("evil.example",)), "host", 403),
    "two hosts": (request(PAGE, hosts=(HOST, HOST)), "two hosts", 400),
}


@pytest.mark.parametrize(("scope", "reason", "status"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_refusal_leaves_one_record_that_can_be_found_by_the_request_id(
    scope: Scope, reason: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "chatkit_prod.audit"):
        sent = await exchange(behind(allowed_hosts=[HOST]), scope)
    fields = the_record(caplog)
    assert (fields["decision"], fields["reason"], fields["status"]) == ("refused", reason, status)
    assert header_lines(sent, b"x-request-id") == [fields["request_id"].encode()]
    assert "evil" not in caplog.text
    assert b"evil" not in sent[1]["body"]


async def test_letting_a_page_in_leaves_no_record(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "chatkit_prod.audit"):
        await exchange(behind(), request(PAGE))
        await exchange(behind(), preflight(PAGE))
    assert caplog.records == []


async def test_a_refusal_speaks_the_language_that_an_outer_layer_has_set() -> None:
    class French(gettext.NullTranslations):
        def gettext(self, message: str) -> str:
            return f"fr: {message}"

    scope, state = RequestState.seed(request("null"))
    state.translations = French()
    sent = await exchange(behind(), scope)
    assert json.loads(sent[1]["body"])["message"] == "fr: You are not allowed to do this."


IN_FRENCH = (b"accept-language", b"fr")
REFUSED_IN_FRENCH = {
    "origin": (
        request("https://evil.example", headers=[IN_FRENCH]),
        "Vous n’avez pas l’autorisation d’effectuer cette action.",
    ),
    "host": (
        request(PAGE, hosts=("evil.example",), headers=[IN_FRENCH]),
        "Vous n’avez pas l’autorisation d’effectuer cette action.",
    ),
    "two hosts": (request(hosts=(HOST, HOST), headers=[IN_FRENCH]), "La requête n’est pas valide."),
}


def located(inside: Greeter, **options: Any) -> LocaleMiddleware:
    """Put the layer of the language around an app that speaks English and French."""
    return LocaleMiddleware(inside, supported=["en", "fr"], **options)


@pytest.mark.parametrize("between", [False, True], ids=["directly", "behind a foreign layer"])
@pytest.mark.parametrize(("scope", "french"), REFUSED_IN_FRENCH.values(), ids=REFUSED_IN_FRENCH.keys())
async def test_a_refusal_is_in_the_language_of_the_user_if_a_layer_inside_knows_it(
    scope: Scope, french: str, *, between: bool
) -> None:
    inside = Greeter()
    app: Any = Rewriting(located(inside), []) if between else located(inside)
    scope, state = RequestState.seed(scope)
    sent = await exchange(behind(app, allowed_hosts=[HOST]), scope)
    assert sent[0]["status"] in {400, 403}
    assert json.loads(sent[1]["body"])["message"] == french
    assert header_lines(sent, b"content-language") == [b"fr"]
    assert b", ".join(header_lines(sent, b"vary")) == b"Origin, Accept-Language"
    assert cors_headers(sent) == {}
    assert state.locale == "fr"
    assert inside.scopes == []


async def test_where_no_layer_inside_knows_the_language_a_refusal_stays_english() -> None:
    inside = Greeter()
    scope, state = RequestState.seed(request("null", headers=[IN_FRENCH]))
    sent = await exchange(behind(inside), scope)
    assert is_refused(sent, inside)
    assert json.loads(sent[1]["body"])["message"] == "You are not allowed to do this."
    assert header_lines(sent, b"content-language") == []
    assert header_lines(sent, b"vary") == [b"Origin"]
    assert state.peek().locale is None


async def test_a_language_that_would_be_the_users_own_is_looked_for_elsewhere_while_nobody_is_known() -> None:
    inside = Greeter()
    app = behind(located(inside, sources=("principal", "header")))
    sent = await exchange(app, request("null", headers=[IN_FRENCH]))
    assert is_refused(sent, inside)
    assert header_lines(sent, b"content-language") == [b"fr"]
    varies = b", ".join(header_lines(sent, b"vary"))
    assert varies == b"Origin, Authorization, Cookie, Accept-Language"


async def test_a_preflight_has_no_language() -> None:
    sent = await exchange(behind(located(Greeter())), preflight(PAGE))
    assert sent[0]["status"] == 200
    assert header_lines(sent, b"content-language") == []


# ------------------------------------------------------------------------------------------------ the layer


async def test_a_websocket_is_refused_even_from_a_page_on_the_list() -> None:
    inside = Greeter()
    sent = await exchange(behind(inside), {**request(PAGE), "type": "websocket"})
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert inside.scopes == []


async def test_the_lifespan_of_the_app_is_passed_on() -> None:
    inside = Greeter()
    await exchange(behind(inside), {"type": "lifespan"})
    assert inside.scopes == [{"type": "lifespan"}]


async def test_it_stands_between_tracing_and_authentication() -> None:
    class Nobody:
        challenge = "Bearer"

        async def authenticate(self, connection: HTTPConnection) -> Principal | None:
            return None

    TracingMiddleware(behind(AuthMiddleware(Greeter(), authenticator=Nobody())))
    with pytest.raises(ConfigurationError, match="order"):
        AuthMiddleware(behind(), authenticator=Nobody())
    with pytest.raises(ConfigurationError, match="order"):
        behind(TracingMiddleware(Greeter()))
    with pytest.raises(ConfigurationError, match="order"):
        behind(behind())


async def test_it_works_in_front_of_any_asgi_app() -> None:
    async def greet(connection: HTTPConnection) -> PlainTextResponse:
        return PlainTextResponse("hello")

    app = OriginMiddleware(
        Starlette(routes=[Route("/chatkit", greet)]), allowed_origins=AllowedOrigins(LISTED)
    )
    sent = await exchange(app, request(PAGE, method="GET"), {"type": "http.request"})
    assert sent[0]["status"] == 200
    assert cors_headers(sent)[b"access-control-allow-origin"] == PAGE.encode()


OPTIONS: dict[str, dict[str, Any]] = {
    "origin": {"allowed_origins": ["http://app.example.com"]},
    "origins as text": {"allowed_origins": PAGE},
    "star": {"allowed_origins": ["*"]},
    "host": {"allowed_hosts": ["api.example.com:443"]},
    "hosts as text": {"allowed_hosts": HOST},
    "headers as text": {"allowed_headers": "x-session-id"},
    "every header": {"allowed_headers": ["*"]},
    "no header": {"allowed_headers": [""]},
    "two headers in one": {"allowed_headers": ["x-a, x-b"]},
    "header with a line feed": {"allowed_headers": ["x-a\n"]},
    "header as bytes": {"allowed_headers": [b"x-a"]},
    "negative age": {"max_age": -1},
    "age as text": {"max_age": "600"},
    "age as truth": {"max_age": True},
    "age with a fraction": {"max_age": 0.5},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_a_malformed_option_is_refused_at_construction(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        behind(**options)
