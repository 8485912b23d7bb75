"""Where we fetch from, and where we do not."""

from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx2
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chatkit_prod.auth.fetch import FetchError, fetch
from chatkit_prod.auth.urls import is_loopback_url, is_safe_url, shown
from tests.auth.issuer import LIMIT

pytestmark = pytest.mark.anyio

SAFE = [
    "https://idp.example.com",
    "https://idp.example.com:8443/realms/a?x=1",
    "HTTPS://IDP.EXAMPLE.COM/",
    "https://[2001:db8::1]/",
]
LOCAL = [
    "http://localhost",
    "http://localhost:8080/a",
    "https://LOCALHOST/",
    "http://idp.localhost/",
    "http://127.0.0.1:1/",
    "http://127.8.9.10/",
    "http://[::1]:1/",
    "http://[::ffff:127.0.0.1]/",
    "http://localhost./",
]
UNSAFE = [
    "",
    "https://",
    "https:///path",
    "//idp.example.com",
    "idp.example.com",
    "http://idp.example.com",
    "http://169.254.169.254/",
    "http://0.0.0.0/",
    "https://0.0.0.0/",
    "https://[::]/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://1.2.3.4.5/",
    "http://localhost.example.com/",
    "http://notlocalhost/",
    "http://127.0.0.1.example.com/",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "data:application/json,{}",
    "ftp://localhost/",
    "javascript:alert(1)",
    "https://user@idp.example.com/",
    "https://user:password@idp.example.com/",
    "https://@idp.example.com/",
    "http://localhost@idp.example.com/",
    "http://localhost\\@idp.example.com/",
    "https://idp.example.com/#fragment",
    "https://idp.example.com:99999/",
    "https://idp.example.com:port/",
    "https://[::1/",
    "https://idp.example.com/ x",
    "https://idp.example.com/\n",
    "https://idp.example.com/\0",
    "https://idp.exämple.com/",
    None,
    b"https://idp.example.com",
    ["https://idp.example.com"],
    7,
]


@pytest.mark.parametrize("url", SAFE)
def test_https_is_safe(url: str) -> None:
    assert is_safe_url(url)
    assert is_safe_url(url, loopback=False)
    assert not is_loopback_url(url)


@pytest.mark.parametrize("url", LOCAL)
def test_this_machine_is_safe_unless_somebody_elsewhere_sends_us_there(url: str) -> None:
    assert is_safe_url(url)
    assert not is_safe_url(url, loopback=False)
    assert is_loopback_url(url)


@pytest.mark.parametrize("url", UNSAFE, ids=ascii)
def test_everything_else_is_not(url: object) -> None:
    assert not is_safe_url(url)
    assert not is_safe_url(url, loopback=False)


HOSTS = st.sampled_from(
    [
        "localhost",
        "LOCALHOST",
        "a.localhost",
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "example.com",
    ]
)
PIECES = HOSTS | st.sampled_from(list(":/?#@\\[]%.&; \t\r\n")) | st.text(max_size=5)
ANYTHING = st.builds(
    "{}:{}{}".format,
    st.sampled_from(["http", "https", "HTTP", "file", "data", ""]),
    st.sampled_from(["//", "/", "", "\\\\"]),
    st.lists(PIECES, max_size=6).map("".join),
)
PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=8)
URLS = st.builds("{}://{}{}{}".format, st.sampled_from(["http", "https"]), HOSTS, PRINTABLE, PRINTABLE)


@given(URLS | ANYTHING | st.text() | st.none() | st.binary())
def test_a_safe_url_is_https_or_this_machine_also_for_whom_fetches_it(url: object) -> None:
    if not is_safe_url(url):
        assert not is_safe_url(url, loopback=False)
        return
    assert isinstance(url, str)
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.username is None
    assert parts.scheme in {"http", "https"}
    try:
        fetched = httpx2.URL(url)
    except httpx2.InvalidURL:
        return
    assert fetched.scheme == parts.scheme
    assert not fetched.userinfo
    if fetched.scheme == "http":
        host = fetched.host.removesuffix(".")
        assert host == "localhost" or host.endswith(".localhost") or _is_loopback(host)


def _is_loopback(host: str) -> bool:
    address = ip_address(host)
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://user:hunter2@idp.example.com/a", "'https://…@idp.example.com/a'"),
        ("https://idp.example.com/a@b", "'https://idp.example.com/a@b'"),
        (None, "None"),
    ],
)
def test_an_error_message_shows_a_url_without_a_password(url: object, text: str) -> None:
    assert shown(url) == text


@settings(max_examples=100)
@given(URLS)
async def test_fetching_a_safe_url_fails_only_as_it_should(url: str) -> None:
    assume(is_safe_url(url))

    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("nobody is there")

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(refuse)) as client:
        with pytest.raises(FetchError):
            await fetch(url, timeout_seconds=LIMIT, client=client)
