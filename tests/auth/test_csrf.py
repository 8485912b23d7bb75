"""Which requests a page of somebody else may have made the browser send."""

from collections.abc import Callable, Iterable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.asgi import Scope
from chatkit_prod.auth.csrf import is_cross_site
from tests.servers import http_scope

OWN = b"https://app.example.com"
LISTED = b"https://partner.example.com"
FOREIGN = b"https://mallory.example"
LIST = frozenset({LISTED.decode()})

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
SITES: dict[str, list[bytes]] = {
    "absent": [],
    "same-origin": [b"same-origin"],
    "same-site": [b"same-site"],
    "cross-site": [b"cross-site"],
    "none": [b"none"],
    "garbage": [b"\xff same-origin"],
    "two": [b"same-origin", b"same-origin"],
}
ORIGINS: dict[str, list[bytes]] = {
    "absent": [],
    "own": [OWN],
    "own, other port": [OWN + b":8443"],
    "listed": [LISTED],
    "foreign": [FOREIGN],
    "null": [b"null"],
    "garbage": [b"\xff://app.example.com"],
    "two": [OWN, OWN],
}
HOSTS: dict[str, list[bytes]] = {
    "own": [b"app.example.com"],
    "other port": [b"app.example.com:8443"],
    "absent": [],
    "two": [b"app.example.com", b"app.example.com"],
}
CASES = list(product(METHODS, SITES, ORIGINS, HOSTS))

SAFE = {"GET", "HEAD", "OPTIONS"}
ANY_SITE, ANY_ORIGIN, ANY_HOST = (set(values) for values in (SITES, ORIGINS, HOSTS))
ONE_ORIGIN, ONE_HOST = ANY_ORIGIN - {"two"}, ANY_HOST - {"two"}
PASSES: list[tuple[set[str], set[str], set[str], set[str]]] = [
    # method            Sec-Fetch-Site                               Origin               Host
    (SAFE, ANY_SITE, ANY_ORIGIN, ANY_HOST),
    (set(METHODS), {"same-origin", "none"}, ONE_ORIGIN, ONE_HOST),
    (set(METHODS), {"same-site", "cross-site", "garbage"}, {"listed"}, ONE_HOST),
    (set(METHODS), {"absent"}, {"absent", "listed"}, ONE_HOST),
    (set(METHODS), {"absent"}, {"own"}, {"own"}),
    (set(METHODS), {"absent"}, {"own, other port"}, {"other port"}),
]
"""The decisive rows; everything else is refused."""


def passes(case: tuple[str, ...]) -> bool:
    return any(all(value in row for value, row in zip(case, rows, strict=True)) for rows in PASSES)


def headers_of(case: tuple[str, ...]) -> list[tuple[bytes, bytes]]:
    _, site, origin, host = case
    return [
        *((b"sec-fetch-site", value) for value in SITES[site]),
        *((b"origin", value) for value in ORIGINS[origin]),
        *((b"host", value) for value in HOSTS[host]),
    ]


def post(*headers: tuple[bytes, bytes]) -> Scope:
    return http_scope(method="POST", headers=headers)


def decide(scope: Scope, allows: Callable[[str], bool] = LIST.__contains__) -> bool:
    return is_cross_site(scope, allows=allows)


def test_the_whole_matrix_is_decided_as_the_table_says() -> None:
    let_through = {case for case in CASES if not decide(http_scope(method=case[0], headers=headers_of(case)))}
    assert let_through == {case for case in CASES if passes(case)}


def test_the_order_of_the_headers_does_not_matter() -> None:
    for case in CASES:
        backwards = headers_of(case)[::-1]
        assert decide(http_scope(method=case[0], headers=backwards)) is not passes(case)


@pytest.mark.parametrize("site", [[], [b"cross-site"]], ids=["old browser", "new browser"])
def test_null_is_refused_even_by_a_list_that_allows_everything(site: Iterable[bytes]) -> None:
    headers = [(b"sec-fetch-site", value) for value in site]
    assert decide(post(*headers, (b"origin", b"null"), (b"host", b"null")), allows=lambda _: True)


def test_without_tls_the_own_origin_is_own_as_well() -> None:
    assert not decide(post((b"origin", b"http://localhost:8000"), (b"host", b"localhost:8000")))


@pytest.mark.parametrize(
    "origin",
    [
        b"",
        b"app.example.com",
        b"//app.example.com",
        b"https://",
        b"https://app.example.com/",
        b"https://app.example.com.mallory.example",
        b"https://mallory.example@app.example.com",
        b"https://APP.example.com",
        b"chrome-extension://app.example.com",
        b"https://app.example.com https://app.example.com",
    ],
    ids=bytes.decode,
)
def test_what_only_looks_like_the_own_origin_is_refused(origin: bytes) -> None:
    assert decide(post((b"origin", origin), (b"host", b"app.example.com")))


def test_an_empty_header_proves_nothing() -> None:
    assert decide(post((b"sec-fetch-site", b"")))
    assert decide(post((b"origin", b"https://"), (b"host", b"")))


def test_a_list_is_asked_for_the_origin_as_the_client_spelt_it() -> None:
    asked: list[str] = []

    def allows(origin: str) -> bool:
        asked.append(origin)
        return False

    assert decide(post((b"origin", b"HTTPS://\xe9.example"), (b"host", b"app.example.com")), allows)
    assert asked == ["HTTPS://é.example"]


VALUES = st.binary(max_size=30) | st.sampled_from([OWN, FOREIGN, b"app.example.com", b"same-origin", b"null"])
HEADERS = st.lists(st.tuples(st.sampled_from([b"sec-fetch-site", b"origin", b"host"]), VALUES), max_size=5)


@given(HEADERS)
def test_whatever_the_headers_are_there_is_a_decision(headers: list[tuple[bytes, bytes]]) -> None:
    assert decide(post(*headers)) in {True, False}


@given(HEADERS)
def test_what_a_browser_calls_foreign_needs_the_list_whatever_else_there_is(
    headers: list[tuple[bytes, bytes]],
) -> None:
    assert decide(post((b"sec-fetch-site", b"cross-site"), *headers))


@given(HEADERS)
def test_an_old_browser_with_a_foreign_page_needs_the_list(headers: list[tuple[bytes, bytes]]) -> None:
    others = [(name, value) for name, value in headers if name == b"host" and value != b"mallory.example"]
    assert decide(post((b"origin", FOREIGN), *others))
