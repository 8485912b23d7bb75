"""Where the language of a request comes from, and that nothing found there is believed."""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError, Principal, RequestState
from chatkit_prod.asgi import Scope
from chatkit_prod.locale import LocaleMiddleware
from chatkit_prod.locale.sources import read_sources
from tests.layers import Greeter, exchange, get, header_lines

pytestmark = pytest.mark.anyio

SUPPORTED = ["en", "fr-CA", "de"]
Source = str | Callable[[RequestState], str | None]
Sources = Iterable[Source]


def request(
    *,
    header: bytes | None = None,
    cookies: Iterable[bytes] = (),
    query: bytes = b"",
    claims: dict[str, Any] | None = None,
) -> Scope:
    """Return a request that says its language in some places."""
    headers = [(b"cookie", cookie) for cookie in cookies]
    if header is not None:
        headers.append((b"accept-language", header))
    scope, state = RequestState.seed({**get(*headers), "query_string": query})
    if claims is not None:
        state.principal = Principal(issuer="https://idp.example.com", subject="alice", claims=claims)
    return scope


async def chosen(sources: Sources, scope: Scope) -> str:
    inside = Greeter()
    sent = await exchange(LocaleMiddleware(inside, supported=SUPPORTED, sources=sources), scope)
    assert header_lines(sent, b"content-language") == [inside.state.locale.encode()]
    locale: str = inside.state.locale
    return locale


# ------------------------------------------------------------------------------------------------ each


@pytest.mark.parametrize(
    ("source", "scope"),
    [
        ("header", request(header=b"fr")),
        ("cookie", request(cookies=[b"locale=fr"])),
        ("cookie:lang", request(cookies=[b"locale=de; lang=fr; x=de"])),
        ("cookie:lang", request(cookies=[b"locale=de", b"lang=fr"])),
        ("cookie:lang", request(cookies=[b'lang="fr"'])),
        ("query", request(query=b"locale=fr")),
        ("query:hl", request(query=b"locale=de&hl=fr&hl=de")),
        ("query:h l", request(query=b"h+l=f%72")),
        ("principal", request(claims={"locale": "fr"})),
        ("principal:https://example.com/lang", request(claims={"https://example.com/lang": "fr"})),
    ],
    ids=[
        "header",
        "cookie",
        "named cookie",
        "named cookie in a second header",
        "quoted cookie",
        "query",
        "named query, twice",
        "encoded query",
        "claim",
        "claim with a colon",
    ],
)
async def test_a_language_is_found_where_it_is_looked_for(source: str, scope: Scope) -> None:
    assert await chosen([source], scope) == "fr-CA"


async def test_a_callable_gets_the_state() -> None:
    def of_tenant(state: RequestState) -> str | None:
        return {"alice": "fr"}.get(state.principal.subject)

    assert await chosen([of_tenant], request(claims={})) == "fr-CA"


def nothing(_: RequestState) -> str | None:
    return None


@pytest.mark.parametrize("source", ["header", "cookie", "query", "principal", nothing])
async def test_where_nothing_is_said_the_default_holds(source: Source) -> None:
    assert await chosen([source], request()) == "en"


PLACES: dict[str, Callable[[str], Scope]] = {
    "header": lambda said: request(header=said.encode()),
    "cookie": lambda said: request(cookies=[f'locale="{said}"'.encode()]),
    "query": lambda said: request(query=f"locale={said}".encode()),
    "principal": lambda said: request(claims={"locale": said}),
}
EVERY_PLACE = pytest.mark.parametrize("place", [*PLACES, "callable"])


def told(place: str, said: str) -> tuple[Sources, Scope]:
    """Return a source, and a request that says something there."""
    if place == "callable":
        return [lambda _: said], request()
    return [place], PLACES[place](said)


@EVERY_PLACE
@pytest.mark.parametrize(
    ("said", "locale"),
    [
        ("fr", "fr-CA"),
        ("FR_fr", "fr-CA"),
        ("ja,de", "de"),
        ("ja", "en"),
        ("", "en"),
        ("*", "en"),
        ("../../etc/passwd", "en"),
        ("fr/../de", "en"),
        ("en-x-ignore-prior-rules", "en"),
        ("fr-x-ignore-prior-rules", "fr-CA"),
        ("x" * 5000, "en"),
    ],
    ids=[
        "a region away",
        "an underscore",
        "a list",
        "unsupported",
        "empty",
        "anything",
        "a path",
        "a path that begins well",
        "private use",
        "private use of another language",
        "too long",
    ],
)
async def test_whatever_is_said_gives_a_supported_tag_the_same_one_in_every_place(
    place: str, said: str, locale: str
) -> None:
    assert await chosen(*told(place, said)) == locale


@pytest.mark.parametrize("place", ["header", "query", "principal", "callable"])
async def test_qualities_count_in_every_place_that_can_hold_them(place: str) -> None:
    assert await chosen(*told(place, "fr;q=0.2,de;q=0.8")) == "de"
    assert await chosen(*told(place, "de;q=0,fr;q=0.1")) == "fr-CA"


@given(st.binary(max_size=300), st.binary(max_size=300), st.text(max_size=300))
async def test_any_bytes_and_any_claim_give_a_supported_tag(cookie: bytes, query: bytes, claim: str) -> None:
    scope = request(cookies=[cookie, b"locale=" + cookie], query=b"locale=" + query, claims={"locale": claim})
    for source in ("cookie", "query", "principal"):
        assert await chosen([source], scope) in SUPPORTED
    assert await chosen([lambda _: claim], scope) in SUPPORTED


# ------------------------------------------------------------------------------------------------ order

SAID = {"header": "fr", "cookie": "de", "query": "en", "principal": "ja"}


def everywhere() -> Scope:
    return request(header=b"fr", cookies=[b"locale=de"], query=b"locale=en", claims={"locale": "ja"})


@given(st.permutations(list(SAID)))
async def test_the_first_source_that_names_a_supported_language_decides(order: list[str]) -> None:
    found = {"fr": "fr-CA", "de": "de", "en": "en"}
    assert await chosen(order, everywhere()) == next(
        found[SAID[name]] for name in order if SAID[name] in found
    )


async def test_a_source_that_says_nothing_is_passed_over() -> None:
    assert await chosen(["cookie", "query", "header"], request(header=b"de")) == "de"


async def test_a_language_that_is_not_supported_leaves_it_to_the_next_source() -> None:
    assert await chosen(["cookie", "header"], request(cookies=[b"locale=ja"], header=b"de")) == "de"


@pytest.mark.parametrize(
    ("query", "header", "locale"),
    [
        (b"en;q=0", None, "fr-CA"),
        (b"ja", b"en;q=0", "fr-CA"),
        (b"en;q=0", b"ja", "fr-CA"),
        (b"en;q=0", b"de", "de"),
        (b"en;q=0,fr;q=0", b"*;q=0", "de"),
        (b"*;q=0", b"ja", "en"),
        (b"*;q=0", b"en;q=0", "fr-CA"),
    ],
    ids=[
        "alone",
        "in the second source",
        "in the first source",
        "and another one asked for",
        "with another one",
        "like every other",
        "like every other, and again",
    ],
)
async def test_a_default_that_is_refused_is_not_used_where_there_is_another(
    query: bytes, header: bytes | None, locale: str
) -> None:
    assert await chosen(["query", "header"], request(query=b"locale=" + query, header=header)) == locale


# ------------------------------------------------------------------------------------------------ bounds


async def test_a_cookie_header_over_its_size_is_passed_over() -> None:
    def padded(size: int) -> bytes:
        cookie = b"locale=fr; pad="
        return cookie + b"x" * (size - len(cookie))

    assert await chosen(["cookie"], request(cookies=[padded(8192)])) == "fr-CA"
    assert await chosen(["cookie"], request(cookies=[padded(8193)])) == "en"
    assert await chosen(["cookie"], request(cookies=[padded(8193), b"locale=de"])) == "de"


async def test_escapes_in_cookies_are_not_undone_and_cost_nothing() -> None:
    hostile = [b'a="' + b"\\\\" * 4000 + b'"'] * 8
    started = time.process_time()
    assert await chosen(["cookie"], request(cookies=[*hostile, b"locale=fr"])) == "fr-CA"
    assert await chosen(["cookie"], request(cookies=[b"locale=fr", *hostile])) == "fr-CA"
    assert time.process_time() - started < 0.1


async def test_claims_that_are_no_mapping_are_passed_over() -> None:
    broken: Any = ["locale"]
    assert await chosen(["principal", "header"], request(claims=broken, header=b"fr")) == "fr-CA"


async def test_a_callable_that_needs_the_user_is_not_logged_where_nobody_is_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await chosen([lambda state: state.principal.claims["locale"]], request()) == "en"
    assert caplog.records == []


async def test_a_callable_that_is_wrong_about_the_configuration_is_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def wrong(state: RequestState) -> str:
        raise ConfigurationError(state.principal.claims["locale"])

    assert await chosen([wrong], request(claims={"locale": "4711 Private Road"})) == "en"
    assert "a source of the locale failed: ConfigurationError" in caplog.text
    assert "4711" not in caplog.text


async def test_a_query_over_its_size_is_passed_over() -> None:
    def padded(size: int) -> bytes:
        return b"locale=fr&pad=".ljust(size, b"x")

    assert await chosen(["query"], request(query=padded(2048))) == "fr-CA"
    assert await chosen(["query"], request(query=padded(2049))) == "en"


@pytest.mark.parametrize("query", [b"&" * 2000, b"a&" * 900, b"a=1&" * 400], ids=["empty", "names", "values"])
async def test_a_query_of_very_many_parameters_is_no_error(query: bytes) -> None:
    assert await chosen(["query"], request(query=query + b"&locale=de")) == "de"


@pytest.mark.parametrize("claim", [None, 1, True, ["fr"], {"fr": "fr"}, b"fr"], ids=repr)
async def test_a_claim_that_is_no_text_is_passed_over(claim: object) -> None:
    assert await chosen(["principal", "header"], request(claims={"locale": claim}, header=b"de")) == "de"


async def test_a_query_is_optional_in_a_scope() -> None:
    scope = request()
    del scope["query_string"]
    assert await chosen(["query"], scope) == "en"


# ------------------------------------------------------------------------------------------------ callables

PRIVATE = "4711 Private Road"


async def test_a_callable_that_fails_is_logged_without_the_input_and_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def failing(_: RequestState) -> str | None:
        raise ValueError(PRIVATE)

    assert await chosen([failing, "header"], request(header=b"de")) == "de"
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("chatkit_prod", logging.ERROR)
    assert "a source of the locale failed" in caplog.text
    assert "ValueError" in caplog.text
    assert "in failing" in caplog.text
    assert PRIVATE not in caplog.text


@pytest.mark.parametrize(
    ("returned", "kind"),
    [([PRIVATE], "a list"), (PRIVATE.encode(), "a bytes"), (4711, "an int"), (False, "a bool")],
    ids=["list", "bytes", "int", "bool"],
)
async def test_a_callable_that_returns_no_text_is_logged_without_it_and_passed_over(
    caplog: pytest.LogCaptureFixture, returned: Any, kind: str
) -> None:
    assert await chosen([lambda _: returned, "header"], request(header=b"de")) == "de"
    assert [record.getMessage() for record in caplog.records] == [
        f"a source of the locale must return a tag or None, not {kind}"
    ]


async def test_a_callable_that_finds_nothing_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert await chosen([nothing, "header"], request(header=b"de")) == "de"
    assert caplog.records == []


# ------------------------------------------------------------------------------------------------ Vary


@pytest.mark.parametrize(
    ("sources", "vary"),
    [
        (["header"], [b"Accept-Language"]),
        (["cookie"], [b"Cookie"]),
        (["cookie:lang", "header"], [b"Cookie, Accept-Language"]),
        (["principal"], [b"Authorization, Cookie"]),
        (["principal:lang", "cookie", "header"], [b"Authorization, Cookie, Accept-Language"]),
        (["query"], []),
        (["query:hl", "header"], [b"Accept-Language"]),
        (["query", "query:hl"], []),
        ([nothing], [b"*"]),
        (["header", nothing], [b"Accept-Language, *"]),
    ],
    ids=lambda value: "callable" if callable(value) else None,
)  # fmt: skip
async def test_vary_names_the_headers_that_the_sources_look_at_and_no_other(
    sources: Sources, vary: list[bytes]
) -> None:
    for scope in (request(), everywhere()):
        layer = LocaleMiddleware(Greeter(), supported=SUPPORTED, sources=sources)
        assert header_lines(await exchange(layer, scope), b"vary") == vary


# ------------------------------------------------------------------------------------------------ construction


async def later(_: RequestState) -> str | None:
    """Look the language up, which a source cannot do."""


class Later:
    """The same as an object."""

    async def __call__(self, state: RequestState) -> str | None:
        """Look the language up."""


@pytest.mark.parametrize(
    ("sources", "text"),
    [
        ("header", "must be a list"),
        (b"header", "an int"),
        (None, "must be a list"),
        (1, "must be a list"),
        ([], "at least one"),
        (iter(()), "at least one"),
        (["headers"], "'headers'"),
        (["Header"], "'Header'"),
        (["header:accept-language"], "header:accept-language"),
        (["cookie:"], "'cookie:'"),
        (["cookie:a b"], "cookie:a b"),
        (["cookie:a=b"], "cookie:a=b"),
        (["query:"], "'query:'"),
        (["principal:"], "'principal:'"),
        ([""], "''"),
        ([":locale"], ":locale"),
        ([" header"], "' header'"),
        (["header", None], "a NoneType"),
        ([{"cookie": "lang"}], "a dict"),
        ([later], "async"),
        ([Later()], "async"),
    ],
    ids=[
        "one word",
        "bytes",
        "None",
        "a number",
        "empty",
        "an empty iterator",
        "unknown",
        "another case",
        "a named header",
        "a cookie without its name",
        "a cookie with a space",
        "a cookie with an equals sign",
        "a parameter without its name",
        "a claim without its name",
        "an empty one",
        "a name alone",
        "a space in front",
        "None among others",
        "a mapping",
        "an async callable",
        "an object that is called async",
    ],
)
def test_a_list_of_sources_that_cannot_work_is_refused_at_construction(sources: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        LocaleMiddleware(Greeter(), supported=SUPPORTED, sources=sources)


def test_sources_may_come_out_of_any_iterable() -> None:
    assert [source.vary for source in read_sources(iter(["header", "query"]))] == [(b"Accept-Language",), ()]
