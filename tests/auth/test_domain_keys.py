"""A page gets the domain key of its own hostname, and never that of another."""

import json
import logging
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route

from chatkit_prod import ConfigurationError
from chatkit_prod.asgi import RawHeaders, Scope
from chatkit_prod.auth.domain_keys import DomainKeys
from chatkit_prod.auth.origin import OriginMiddleware
from chatkit_prod.tracing import TracingMiddleware
from tests.layers import Greeter, exchange, header_lines
from tests.servers import http_scope

pytestmark = pytest.mark.anyio

KEYS = {
    "app.example.com": "domain_pk_app",
    "support.example.com": "domain_pk_support-1_2",
    "bücher.example": "domain_pk_buecher",
    "localhost": "local-dev",
    "127.0.0.1": "local",
}
DOMAINS = DomainKeys(KEYS, origins=["http://localhost:5173", "https://app.example.com:8443"])
SENT = {**KEYS, "xn--bcher-kva.example": KEYS["bücher.example"]}
"""Keys by hostname as browsers send it."""


def ask(
    origin: str | None = None,
    *,
    host: str | None = "api.example.com",
    method: str = "GET",
    headers: RawHeaders = (),
) -> Scope:
    sent = [] if host is None else [(b"host", host.encode("latin-1"))]
    sent += [] if origin is None else [(b"origin", origin.encode("latin-1"))]
    return {**http_scope(method=method, headers=[*sent, *headers]), "path": "/chatkit/config"}


# ------------------------------------------------------------------------------------------------ the list


def test_the_origins_are_those_of_the_hostnames_and_those_that_were_named() -> None:
    assert DOMAINS.origins == (
        "https://app.example.com",
        "https://support.example.com",
        "https://xn--bcher-kva.example",
        "http://localhost:5173",
        "https://app.example.com:8443",
    )
    assert tuple(DOMAINS) == DOMAINS.origins


def test_an_origin_that_is_named_once_more_stands_there_once() -> None:
    keys = DomainKeys({"app.example.com": "domain_pk_app"}, origins=["https://app.example.com"])
    assert keys.origins == ("https://app.example.com",)


@pytest.mark.parametrize("host", ["localhost", "app.localhost", "127.0.0.1", "[::1]"])
def test_a_loopback_host_has_no_origin_of_its_own_and_any_key(host: str) -> None:
    keys = DomainKeys({host: "local-dev"})
    assert keys.origins == ()
    assert keys.get(host) == "local-dev"


def test_a_hostname_has_its_own_key_and_another_one_has_none() -> None:
    assert {name: DOMAINS.get(name) for name in SENT if name.isascii()} == {
        name: key for name, key in SENT.items() if name.isascii()
    }
    for name in ("", "example.com", "APP.example.com", "a.app.example.com", "app.example.com:443", "*"):
        assert DOMAINS.get(name) is None


async def test_the_list_is_what_the_middleware_takes() -> None:
    app = OriginMiddleware(Greeter(), allowed_origins=DOMAINS)
    for origin in DOMAINS.origins:
        assert (await exchange(app, ask(origin)))[0]["status"] == 200
    assert (await exchange(app, ask("http://localhost:5174")))[0]["status"] == 403
    assert (await exchange(app, ask("https://evil.example")))[0]["status"] == 403


MALFORMED: dict[str, Any] = {
    "no key": {},
    "none": None,
    "text": "app.example.com",
    "list": ["app.example.com"],
    "scheme": {"https://app.example.com": "domain_pk_1"},
    "port": {"app.example.com:8443": "domain_pk_1"},
    "loopback port": {"localhost:5173": "local-dev"},
    "path": {"app.example.com/": "domain_pk_1"},
    "upper case": {"App.example.com": "domain_pk_1"},
    "wildcard": {"*.example.com": "domain_pk_1"},
    "star": {"*": "domain_pk_1"},
    "empty hostname": {"": "domain_pk_1"},
    "no hostname": {None: "domain_pk_1"},
    "same hostname twice": {"bücher.example": "domain_pk_1", "xn--bcher-kva.example": "domain_pk_2"},
    "empty key": {"app.example.com": ""},
    "placeholder": {"app.example.com": "your-domain-key"},
    "prefix only": {"app.example.com": "domain_pk_"},
    "secret key": {"app.example.com": "sk-proj-abc"},
    "key with a space": {"app.example.com": "domain_pk_1 "},
    "key with a line feed": {"app.example.com": "domain_pk_1\n"},
    "key with a quote": {"app.example.com": 'domain_pk_1"'},
    "key as none": {"app.example.com": None},
    "key as bytes": {"app.example.com": b"domain_pk_1"},
    "key like a name": {"127.example.com": "local-dev"},
    "empty loopback key": {"localhost": ""},
    "no loopback key": {"localhost": None},
}


@pytest.mark.parametrize("keys", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_hostname_or_no_domain_key_is_refused_at_construction(keys: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        DomainKeys(keys)
    assert "sk-proj" not in str(raised.value)


@pytest.mark.parametrize(
    "origins",
    [
        "https://app.example.com",
        ["https://other.example.com"],
        ["https://*.example.com"],
        ["http://app.example.com"],
        ["http://127.0.0.1:5173"],
    ],
    ids=["text", "hostname without a key", "wildcard", "http", "loopback without a key"],
)
def test_a_further_origin_is_refused_unless_its_hostname_has_a_key(origins: Any) -> None:
    with pytest.raises(ConfigurationError):
        DomainKeys({"app.example.com": "domain_pk_1", "localhost": "local-dev"}, origins=origins)


# ------------------------------------------------------------------------------------------------ the endpoint

PAGES = {
    "listed page": ("https://app.example.com", "api.example.com", "domain_pk_app"),
    "another listed page": ("https://support.example.com", "app.example.com", "domain_pk_support-1_2"),
    "page on another port": ("https://app.example.com:8443", "api.example.com", "domain_pk_app"),
    "page with an international name": ("https://xn--bcher-kva.example", "a.example", "domain_pk_buecher"),
    "page of a development server": ("http://localhost:5173", "localhost:8000", "local-dev"),
    "page of this server": (None, "app.example.com", "domain_pk_app"),
    "page of this server on a port": (None, "app.example.com:8443", "domain_pk_app"),
    "page of this server in upper case": (None, "APP.example.com", "domain_pk_app"),
    "page of this server on loopback": (None, "localhost:8000", "local-dev"),
    "page of this server that names its origin": ("http://127.0.0.1:8000", "127.0.0.1:8000", "local"),
}


@pytest.mark.parametrize(("origin", "host", "key"), PAGES.values(), ids=PAGES.keys())
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_page_gets_the_key_of_its_own_hostname(
    origin: str | None, host: str, key: str, method: str
) -> None:
    sent = await exchange(DOMAINS.endpoint(), ask(origin, host=host, method=method))
    assert sent[0]["status"] == 200
    assert json.loads(sent[1]["body"]) == {"url": "/chatkit", "domainKey": key}
    assert header_lines(sent, b"content-type") == [b"application/json"]
    assert header_lines(sent, b"cache-control") == [b"no-store"]
    varies = b", ".join(header_lines(sent, b"vary"))
    assert varies == b"Sec-Fetch-Site, Origin"
    is_listed = origin in DOMAINS.origins
    assert header_lines(sent, b"access-control-allow-origin") == (
        [origin.encode()] if origin and is_listed else []
    )


REFUSED: dict[str, tuple[Scope, int, str]] = {
    "foreign page": (ask("https://evil.example"), 403, "origin"),
    "foreign page, host with a key": (ask("https://evil.example", host="app.example.com"), 403, "origin"),
    "null": (ask("null", host="app.example.com"), 403, "origin"),
    "empty": (ask("", host="app.example.com"), 403, "origin"),
    "loopback page on a port that was not named": (
        ask("http://localhost:9", host="localhost:8000"),
        403,
        "origin",
    ),
    "two origins": (ask("null", headers=[(b"origin", b"https://app.example.com")]), 403, "origin"),
    "two hosts": (ask(host="app.example.com", headers=[(b"host", b"support.example.com")]), 400, "two hosts"),
    "unknown host": (ask(), 404, "hostname"),
    "unknown host that is its own page": (ask("https://evil.example", host="evil.example"), 404, "hostname"),
    "no host": (ask(host=None), 404, "hostname"),
    "malformed host": (ask(host="app.example.com/"), 404, "hostname"),
    "host with a dot": (ask(host="app.example.com."), 404, "hostname"),
    "another site": (
        ask(host="app.example.com", headers=[(b"sec-fetch-site", b"cross-site")]),
        403,
        "origin",
    ),
    "a neighbour": (ask(host="app.example.com", headers=[(b"sec-fetch-site", b"same-site")]), 403, "origin"),
}


@pytest.mark.parametrize(("scope", "status", "reason"), REFUSED.values(), ids=REFUSED.keys())
async def test_whoever_is_no_page_of_ours_gets_no_key_and_leaves_a_record(
    scope: Scope, status: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "chatkit_prod.audit"):
        sent = await exchange(DOMAINS.endpoint(), scope)
    assert sent[0]["status"] == status
    assert header_lines(sent, b"content-type") == [b"application/problem+json"]
    assert header_lines(sent, b"cache-control") == [b"no-store"]
    assert not any(key.encode() in sent[1]["body"] for key in KEYS.values())
    (record,) = caplog.records
    fields: dict[str, Any] = vars(record)["chatkit"]
    assert (fields["decision"], fields["reason"]) == ("refused", reason)
    assert header_lines(sent, b"x-request-id") == [fields["request_id"].encode()]


ANOTHER_METHOD = {
    "post": ask("https://app.example.com", method="POST"),
    "options": ask(host="app.example.com", method="OPTIONS"),
}


@pytest.mark.parametrize("scope", ANOTHER_METHOD.values(), ids=ANOTHER_METHOD.keys())
async def test_another_method_is_not_allowed_which_refuses_nobody_and_leaves_no_record(
    scope: Scope, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "chatkit_prod.audit"):
        sent = await exchange(DOMAINS.endpoint(), scope)
    assert sent[0]["status"] == 405
    assert header_lines(sent, b"allow") == [b"GET, HEAD"]
    assert header_lines(sent, b"cache-control") == [b"no-store"]
    assert not any(key.encode() in sent[1]["body"] for key in KEYS.values())
    assert caplog.records == []


@pytest.mark.parametrize("site", [b"same-origin", b"none"])
async def test_the_own_page_and_the_user_are_answered_by_host(site: bytes) -> None:
    sent = await exchange(
        DOMAINS.endpoint(), ask(host="app.example.com", headers=[(b"sec-fetch-site", site)])
    )
    assert json.loads(sent[1]["body"])["domainKey"] == "domain_pk_app"


hosts = st.sampled_from([*KEYS, "xn--bcher-kva.example", "evil.example", "example.com"])
ports = st.sampled_from(["", ":443", ":5173", ":8443", ":x", ".", "/", "\n"])
authorities = st.builds(str.__add__, hosts.filter(str.isascii), ports) | st.text(
    st.characters(max_codepoint=255), max_size=20
)
origins = st.builds(str.__add__, st.sampled_from(["https://", "http://", "//", ""]), authorities)


@given(st.none() | origins, st.none() | authorities, st.sampled_from([None, b"same-origin", b"cross-site"]))
@example("https://app.example.com", "support.example.com", None)
@example("http://app.example.com", "app.example.com", None)
async def test_no_pair_of_origin_and_host_gets_the_key_of_another_hostname(
    origin: str | None, host: str | None, site: bytes | None
) -> None:
    headers = [] if site is None else [(b"sec-fetch-site", site)]
    sent = await exchange(DOMAINS.endpoint(), ask(origin, host=host, headers=headers))
    if sent[0]["status"] != 200:
        assert not any(key.encode() in sent[1]["body"] for key in KEYS.values())
        return
    page = (host or "") if origin is None else origin.partition("://")[2]
    name = page.rpartition(":")[0] if ":" in page else page
    assert json.loads(sent[1]["body"])["domainKey"] == SENT[name.lower()]


@pytest.mark.parametrize(
    "url",
    [
        "/chatkit",
        "/",
        "/api/chatkit?v=1",
        "https://api.example.com/chatkit",
        "https://api.example.com:8443/",
        "http://localhost:8000/chatkit",
    ],
)
async def test_the_url_is_given_as_it_was_written(url: str) -> None:
    sent = await exchange(DOMAINS.endpoint(url=url), ask("https://app.example.com"))
    assert json.loads(sent[1]["body"])["url"] == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "chatkit",
        "//evil.example/chatkit",
        "/\\evil.example",
        "https://api.example.com",
        "http://api.example.com/chatkit",
        "https://u:p@api.example.com/chatkit",
        "https://*.example.com/chatkit",
        "javascript:alert(1)//",
        "/chat kit",
        "/chatkit\n",
        None,
    ],
)
def test_a_url_that_leads_elsewhere_is_refused_at_construction(url: Any) -> None:
    with pytest.raises(ConfigurationError):
        DOMAINS.endpoint(url=url)


async def test_it_is_a_route_of_a_starlette_app_and_answers_its_preflight() -> None:
    app = Starlette(routes=[Route("/chatkit/config", endpoint=DOMAINS.endpoint())])
    sent = await exchange(app, ask("https://app.example.com"))
    assert json.loads(sent[1]["body"])["domainKey"] == "domain_pk_app"
    asked = [
        (b"access-control-request-method", b"GET"),
        (b"access-control-request-headers", b"authorization"),
    ]
    sent = await exchange(app, ask("https://app.example.com", method="OPTIONS", headers=asked))
    assert sent[0]["status"] == 200
    assert header_lines(sent, b"access-control-allow-origin") == [b"https://app.example.com"]


async def test_it_can_be_traced_like_the_endpoint_itself() -> None:
    app = TracingMiddleware(DOMAINS.endpoint())
    sent = await exchange(app, ask("https://app.example.com"))
    assert len(header_lines(sent, b"x-request-id")) == 1


async def test_served_alone_it_has_no_lifespan_and_no_websocket() -> None:
    assert await exchange(DOMAINS.endpoint(), {"type": "lifespan"}) == []
    sent = await exchange(DOMAINS.endpoint(), {**ask("https://app.example.com"), "type": "websocket"})
    assert sent == [{"type": "websocket.close", "code": 1008}]
