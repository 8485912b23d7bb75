"""An origin is on the list or it is not; nothing is nearly on it."""

import string
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError
from chatkit_prod.auth.allow_lists import AllowedHosts, AllowedOrigins

LISTED = ("https://app.example.com", "https://support.example.com:8443", "http://localhost:5173")
LISTS = AllowedOrigins(LISTED)
WILDCARD = AllowedOrigins(["https://*.example.com"])

WELL_FORMED = {
    "https": "https://app.example.com",
    "port": "https://app.example.com:8443",
    "http port on https": "https://app.example.com:80",
    "one label": "https://intranet",
    "punycode": "https://xn--bcher-kva.example",
    "digits and hyphens": "https://a-1.2b.example",
    "IPv4": "https://192.0.2.1",
    "IPv6": "https://[2001:db8::1]:8443",
    "localhost": "http://localhost",
    "localhost with a port": "http://localhost:5173",
    "below localhost": "http://app.localhost:3000",
    "loopback address": "http://127.0.0.1:8000",
    "another loopback address": "http://127.8.9.10",
    "IPv6 loopback": "http://[::1]:8000",
}


@pytest.mark.parametrize("origin", WELL_FORMED.values(), ids=WELL_FORMED.keys())
def test_an_origin_on_the_list_is_allowed(origin: str) -> None:
    allowed = AllowedOrigins([origin])
    assert allowed.allows(origin)
    assert list(allowed) == [origin]


MALFORMED: dict[str, Any] = {
    "empty": "",
    "null": "null",
    "star": "*",
    "host": "app.example.com",
    "scheme only": "https://",
    "no scheme": "//app.example.com",
    "slash at the end": "https://app.example.com/",
    "path": "https://app.example.com/chat",
    "query": "https://app.example.com?x",
    "fragment": "https://app.example.com#x",
    "user": "https://alice@app.example.com",
    "password": "https://alice:secret@app.example.com",
    "backslash": "https://app.example.com\\x",
    "http": "http://app.example.com",
    "http on a name like loopback": "http://127.example.com",
    "http on a name that begins like localhost": "http://localhost.example.com",
    "http on a name that ends like localhost": "http://notlocalhost",
    "http on a private address": "http://192.168.0.1",
    "http wildcard": "http://*.app.localhost",
    "ws": "wss://app.example.com",
    "file": "file:///etc/passwd",
    "extension": "chrome-extension://abcdefgh",
    "upper-case scheme": "HTTPS://app.example.com",
    "upper-case host": "https://App.example.com",
    "default port": "https://app.example.com:443",
    "default port of http": "http://localhost:80",
    "empty port": "https://app.example.com:",
    "leading zero in the port": "https://app.example.com:0443",
    "port zero": "https://app.example.com:0",
    "port too high": "https://app.example.com:65536",
    "long port": "https://app.example.com:" + "1" * 5000,
    "port of other digits": "https://app.example.com:８４",  # noqa: RUF001
    "dot at the end": "https://app.example.com.",
    "empty label": "https://app..example.com",
    "hyphen at the start": "https://-app.example.com",
    "hyphen at the end": "https://app-.example.com",
    "underscore": "https://my_app.example.com",
    "long label": f"https://{'a' * 64}.example.com",
    "long name": f"https://{'.'.join(['a' * 49] * 6)}",
    "space": "https://app.example.com ",
    "line feed": "https://app.example.com\n",
    "two at once": "https://app.example.com https://support.example.com",
    "comma": "https://app.example.com,https://support.example.com",
    "number": "https://2130706433",
    "hexadecimal number": "https://0x7f.1",
    "leading zero in an address": "https://127.0.0.01",
    "address out of range": "https://127.0.0.256",
    "long form of IPv6": "https://[0:0:0:0:0:0:0:1]",
    "not IPv6": "https://[::g]",
    "colons": "https://[:::]",
    "zone": "https://[fe80::1%eth0]",
    "IPv6 without brackets": "https://::1",
    "IPv4 in brackets": "https://[127.0.0.1]",
    "star alone": "https://*",
    "star over a top-level domain": "https://*.com",
    "star over localhost": "https://*.localhost",
    "star over an address": "https://*.0.0.1",
    "star over IPv6": "https://*.[::1]",
    "two stars": "https://*.*.example.com",
    "star inside": "https://app.*.example.com",
    "star in a label": "https://app-*.example.com",
    "star as a port": "https://app.example.com:*",
    "not Unicode for a host": "https://é☃\u0000.example",
    "slash in Unicode": "https://é\uff0fexample.com",
    "bytes": b"https://app.example.com",
    "none": None,
    "number object": 1,
}


@pytest.mark.parametrize("item", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_no_browser_would_send_is_refused_at_construction_by_name(item: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        AllowedOrigins(["https://app.example.com", item])
    assert repr(item) in str(raised.value)


@pytest.mark.parametrize("items", ["https://app.example.com", b"https://app.example.com", None, 1])
def test_a_single_string_is_not_a_list(items: Any) -> None:
    with pytest.raises(ConfigurationError, match="list"):
        AllowedOrigins(items)
    with pytest.raises(ConfigurationError, match="list"):
        AllowedHosts(items)


INTERNATIONAL = {
    "https://bücher.example": "https://xn--bcher-kva.example",
    "https://Bücher.example:8443": "https://xn--bcher-kva.example:8443",
    "https://straße.example": "https://xn--strae-oqa.example",
    "https://*.bücher.example": "https://*.xn--bcher-kva.example",
    "https://münchen。example": "https://xn--mnchen-3ya.example",
}


@pytest.mark.parametrize(("written", "sent"), INTERNATIONAL.items())
def test_a_host_in_unicode_is_stored_as_browsers_send_it(written: str, sent: str) -> None:
    assert list(AllowedOrigins([written])) == [sent]
    assert AllowedOrigins([written]).allows(sent.replace("*", "app"))
    assert not AllowedOrigins([written]).allows(written)


def test_an_international_name_whose_sharp_s_was_resolved_is_another_name() -> None:
    assert not AllowedOrigins(["https://straße.example"]).allows("https://strasse.example")


FOREIGN = {
    "null": "null",
    "empty": "",
    "star": "*",
    "http": "http://app.example.com",
    "other host": "https://evil.example",
    "longer host": "https://app.example.com.evil.example",
    "longer name": "https://app.example.community",
    "host as a label": "https://app.example.com-evil.example",
    "prefix": "https://evilapp.example.com",
    "subdomain": "https://a.app.example.com",
    "parent": "https://example.com",
    "port": "https://app.example.com:8443",
    "default port": "https://app.example.com:443",
    "other port": "http://localhost:5174",
    "slash": "https://app.example.com/",
    "user": "https://app.example.com@evil.example",
    "upper case": "https://APP.example.com",
    "upper-case scheme": "HTTPS://app.example.com",
    "dot": "https://app.example.com.",
    "space before": " https://app.example.com",
    "space after": "https://app.example.com ",
    "line feed": "https://app.example.com\n",
    "null byte": "https://app.example.com\0",
    "two": "https://app.example.com https://app.example.com",
    "host without scheme": "app.example.com",
    "suffix without scheme": ".example.com",
    "dots": "https://...",
}


@pytest.mark.parametrize("origin", FOREIGN.values(), ids=FOREIGN.keys())
def test_an_origin_that_is_not_byte_for_byte_on_the_list_is_foreign(origin: str) -> None:
    assert not LISTS.allows(origin)


def test_a_list_without_items_allows_nobody() -> None:
    assert not AllowedOrigins([]).allows("https://app.example.com")
    assert not AllowedOrigins([]).allows("")


@given(st.text() | st.sampled_from(LISTED).flatmap(lambda origin: st.text().map(lambda end: origin + end)))
def test_no_string_is_allowed_that_is_not_on_the_list(origin: str) -> None:
    assert LISTS.allows(origin) == (origin in LISTED)


@given(st.sampled_from(LISTED), st.data())
def test_an_origin_with_one_character_changed_added_or_missing_is_foreign(
    origin: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(origin)))
    character = data.draw(st.sampled_from(string.printable) | st.characters())
    removed = data.draw(st.integers(0, 1))
    mutated = origin[:at] + data.draw(st.sampled_from(["", character])) + origin[at + removed :]
    assume(mutated not in LISTED)
    assert not LISTS.allows(mutated)


BELOW = {
    "https://a.example.com": True,
    "https://app-2.example.com": True,
    "https://xn--bcher-kva.example.com": True,
    f"https://{'a' * 63}.example.com": True,
    f"https://{'a' * 64}.example.com": False,
    "https://example.com": False,
    "https://.example.com": False,
    "https://*.example.com": False,
    "https://a.b.example.com": False,
    "https://a_b.example.com": False,
    "https://-a.example.com": False,
    "https://a-.example.com": False,
    "https://A.example.com": False,
    "https://é.example.com": False,
    "https://a\n.example.com": False,
    "https://a.example.com\n": False,
    "https://a.example.com:8443": False,
    "https://a.example.com:443": False,
    "https://a.example.com/": False,
    "https://u@a.example.com": False,
    "https://evil.example/.example.com": False,
    "http://a.example.com": False,
    "a.example.com": False,
    "//a.example.com": False,
    "https://aexample.com": False,
    "https://a.example.com.evil.example": False,
    "null": False,
    "": False,
}


@pytest.mark.parametrize(("origin", "is_allowed"), BELOW.items())
def test_a_star_stands_for_exactly_one_label(origin: str, is_allowed: bool) -> None:
    assert WILDCARD.allows(origin) is is_allowed


@given(st.text(st.sampled_from(string.ascii_letters + string.digits + "-_.:/@*é")))
def test_a_star_stands_for_letters_digits_and_hyphens_only(label: str) -> None:
    alphabet = set(string.ascii_lowercase + string.digits + "-")
    is_label = 0 < len(label) < 64 and set(label) <= alphabet and label.strip("-") == label
    assert WILDCARD.allows(f"https://{label}.example.com") == is_label


def test_a_wildcard_with_a_port_allows_that_port_only() -> None:
    allowed = AllowedOrigins(["https://*.example.com:8443"])
    assert allowed.allows("https://a.example.com:8443")
    assert not allowed.allows("https://a.example.com")
    assert not allowed.allows("https://a.example.com:8444")


def test_the_hostnames_are_those_of_the_origins() -> None:
    allowed = AllowedOrigins([*LISTED, "https://bücher.example", "https://*.example.com", "https://[::1]:1"])
    assert allowed.hostnames == {
        "app.example.com",
        "support.example.com",
        "localhost",
        "xn--bcher-kva.example",
        "*.example.com",
        "[::1]",
    }


def test_a_list_made_of_a_list_is_the_same() -> None:
    assert list(AllowedOrigins(LISTS)) == list(LISTED)
    assert list(AllowedOrigins(iter(LISTED))) == list(LISTED)


def test_a_host_list_matches_whole_hosts_and_one_label_in_place_of_a_star() -> None:
    hosts = AllowedHosts(["api.example.com", "*.example.org", "[::1]", "127.0.0.1"])
    assert all(map(hosts.allows, ["api.example.com", "a.example.org", "[::1]", "127.0.0.1"]))
    for foreign in (
        "",
        "example.com",
        "a.api.example.com",
        "example.org",
        "a.b.example.org",
        "https://a.example.org",
    ):
        assert not hosts.allows(foreign)


@pytest.mark.parametrize(
    "host",
    ["api.example.com:443", "https://api.example.com", "API.example.com", "*.com", "*", "", "a/b", None],
)
def test_a_host_list_takes_host_names_only(host: Any) -> None:
    with pytest.raises(ConfigurationError, match="host"):
        AllowedHosts([host])


def test_only_an_empty_host_list_is_false() -> None:
    assert not AllowedHosts([])
    assert AllowedHosts(["api.example.com"])
    assert AllowedHosts(["*.example.com"])
