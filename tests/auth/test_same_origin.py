"""Whether a request is that of its own page: the origin has to be the host, and the browser must not deny it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.auth.same_origin import is_own_origin, may_be_same_origin
from tests.servers import http_scope

HOSTS = ["app.example.com", "app.example.com:8443", "localhost:8000", "[::1]:8000", "my_app"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_origin_with_the_host_and_port_of_the_request_is_its_own(host: str, scheme: str) -> None:
    assert is_own_origin(f"{scheme}://{host}", host)


FOREIGN = {
    "empty": "",
    "null": "null",
    "no scheme": "app.example.com",
    "another scheme": "ftp://app.example.com",
    "scheme in upper case": "HTTPS://app.example.com",
    "another port": "https://app.example.com:8443",
    "slash": "https://app.example.com/",
    "upper case": "https://APP.example.com",
    "user": "https://u@app.example.com",
    "subdomain": "https://a.app.example.com",
    "suffix": "https://app.example.com.evil.example",
}


@pytest.mark.parametrize("origin", FOREIGN.values(), ids=FOREIGN.keys())
def test_whatever_else_an_origin_is_it_is_foreign(origin: str) -> None:
    assert not is_own_origin(origin, "app.example.com")


@pytest.mark.parametrize("host", ["", ":80", "a b", "a/b", "u@a", "a,b", "*", "é.example"])
def test_a_malformed_host_has_no_page_of_its_own(host: str) -> None:
    assert not is_own_origin(f"https://{host}", host)


@given(st.text(max_size=40), st.text(max_size=40) | st.sampled_from(HOSTS))
def test_nothing_but_the_host_behind_a_scheme_is_own(origin: str, host: str) -> None:
    assert is_own_origin(origin, host) <= (origin in {f"http://{host}", f"https://{host}"})


SITES: dict[str, tuple[list[bytes], bool]] = {
    "absent": ([], True),
    "same-origin": ([b"same-origin"], True),
    "none": ([b"none"], True),
    "same-site": ([b"same-site"], False),
    "cross-site": ([b"cross-site"], False),
    "of the future": ([b"same-planet"], False),
    "empty": ([b""], False),
    "upper case": ([b"SAME-ORIGIN"], False),
    "twice": ([b"same-origin", b"cross-site"], False),
}


@pytest.mark.parametrize(("values", "expected"), SITES.values(), ids=SITES.keys())
def test_only_a_browser_can_deny_that_a_page_is_the_own_one(values: list[bytes], expected: bool) -> None:
    headers = [(b"sec-fetch-site", value) for value in values]
    assert may_be_same_origin(http_scope(headers=headers)) is expected
