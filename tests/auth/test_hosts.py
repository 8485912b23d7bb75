"""A host has one spelling, that of browsers; whatever is spelt otherwise is no host."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError
from chatkit_prod.auth.hosts import canonical_host, hostname, is_loopback

AUTHORITIES = {
    "api.example.com": "api.example.com",
    "API.example.com:8443": "api.example.com",
    "api.example.com:": "api.example.com",
    "my_app:8000": "my_app",
    "[::1]:8000": "[::1]",
    "[2001:DB8::1]": "[2001:db8::1]",
    "": "",
    ":80": "",
    "a b": "",
    "a/b": "",
    "u@a": "",
    "a:b": "",
    "a:1:2": "",
    "a,b": "",
    "::1": "",
    "[::1": "",
    "a\n": "",
    "é.example": "",
}


@pytest.mark.parametrize(("authority", "host"), AUTHORITIES.items())
def test_the_host_of_an_authority_is_found_or_the_authority_is_malformed(authority: str, host: str) -> None:
    assert hostname(authority) == host


CANONICAL = {
    "app.example.com": "app.example.com",
    "bücher.example": "xn--bcher-kva.example",
    "*.bücher.example": "*.xn--bcher-kva.example",
    "192.0.2.1": "192.0.2.1",
    "[2001:db8::1]": "[2001:db8::1]",
}


@pytest.mark.parametrize(("written", "sent"), CANONICAL.items())
def test_a_host_is_what_browsers_send(written: str, sent: str) -> None:
    assert canonical_host(written) == sent


NO_HOSTS: dict[str, Any] = {
    "empty": "",
    "upper case": "App.example.com",
    "port": "app.example.com:443",
    "dot at the end": "app.example.com.",
    "underscore": "my_app.example.com",
    "long name": ".".join(["a" * 49] * 6),
    "number": "2130706433",
    "leading zero in an address": "127.0.0.01",
    "long form of IPv6": "[0:0:0:0:0:0:0:1]",
    "not IPv6": "[:::]",
    "star alone": "*",
    "star over a top-level domain": "*.com",
    "star over an address": "*.127.0.0.1",
    "no name in Unicode": "é☃\u0000.example",
    "bytes": b"app.example.com",
}


@pytest.mark.parametrize("host", NO_HOSTS.values(), ids=NO_HOSTS.keys())
def test_what_no_browser_would_send_is_no_host(host: Any) -> None:
    with pytest.raises(ConfigurationError, match="host"):
        canonical_host(host)


@given(st.text(max_size=300))
def test_a_canonical_host_stays_as_it_is(text: str) -> None:
    try:
        host = canonical_host(text)
    except ConfigurationError:
        return
    assert canonical_host(host) == host
    assert host.isascii()
    assert hostname(host.removeprefix("*.")) == host.removeprefix("*.")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("127.255.0.9", True),
        ("[::1]", True),
        ("[::2]", False),
        ("128.0.0.1", False),
        ("127.example.com", False),
        ("localhost.example.com", False),
        ("notlocalhost", False),
    ],
)
def test_loopback_is_the_machine_itself(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
