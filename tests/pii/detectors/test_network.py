"""Addresses of machines, and URLs that hold a password."""

import ipaddress
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.pii.detectors.network import NETWORK
from tests.pii.corpus import LOOKALIKES
from tests.pii.oracle import findings

PASSWORD = "hunter" + "2-%21"


def kinds(text: str) -> list[tuple[str, str]]:
    return [(found.type, text[found.start : found.end]) for found in findings(text, NETWORK)]


@pytest.mark.parametrize(
    "address",
    [
        *(
            "192.0.2.17",
            "10.218.6.131",
            "8.8.8.80",
            "::ffff:192.0.2.1",
            "64:ff9b::192.0.2.33",
            "fe80::1",
            "2001:db8::",
        ),
        *(
            "2001:db8::8a2e:370:7334",
            "2001:db8:85a3:0:0:8a2e:370:7334",
            "D80:E4B5:79DA:6CF6:71F3:51F7:9161:C319",
        ),
        *("1:2:3:4:5:6:192.0.2.1", "FD12:3456:789a:1::1"),
    ],
)
@pytest.mark.parametrize("text", ["{}", "at {}.", "[{}]:8080", "ip={};", "http://[{}]/x", "|{}|%20"])
def test_an_address_is_found(text: str, address: str) -> None:
    assert kinds(text.format(address)) == [("IP", address)]


@given(st.ip_addresses(v=6))
def test_every_full_address_is_found(address: ipaddress.IPv6Address) -> None:
    assert kinds(f"from {address.exploded} on") == [("IP", address.exploded)]


@given(st.ip_addresses(v=6, network="2000::/3"))
def test_every_global_address_is_found_however_short(address: ipaddress.IPv6Address) -> None:
    assert kinds(f"from {address.compressed} on") == [("IP", address.compressed)]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1.2.3.4",
            "127.0.0.1",
            "0.0.0.0",
            "255.255.255.0",
            "1.3.6.1.4.1.311",
            "v10.20.30.40",
            "10.0.19041.1",
            "256.1.1.10",
        ),
        *(
            "std::vector",
            "cafe::babe",
            "a::b::c",
            "x[1::2]",
            "::1",
            "::",
            "12:30:45",
            "1:2:3:4:5:6:7",
            "1::2:3:4:5:6:7:8",
        ),
        *(
            "2001:db8::1::2",
            "12-34-56-78-90-12",
            "1234.5678.9012",
            "aa:bb:cc:dd:ee",
            "de:ad:be:ef:00:11:22:33:44:55",
        ),
    ],
)
def test_what_is_nobodys_address_stays(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize("address", ["00:1B:44:11:3a:b7", "00-1b-44-11-3A-B7", "001b.4411.3ab7"])
def test_a_hardware_address_is_found(address: str) -> None:
    assert kinds(f"device {address}, on") == [("MAC", address)]


@pytest.mark.parametrize("user", ["ada", "", "a.b%40c"])
@pytest.mark.parametrize("scheme", ["https", "postgresql", "mongodb+srv", "s3"])
def test_a_password_in_a_url_is_found_and_the_rest_stays(scheme: str, user: str) -> None:
    secret = f"{scheme}://{user}:{PASSWORD}@"
    assert kinds(f"see {secret}db.example.com:5432/x") == [("URL_CREDENTIALS", secret)]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com:8080/a@b",
        "https://ada@example.com",
        "https://example.com/a:b@c",
        "pg://{user}:{password}@host",
        "https://a b:c@d",
    ],
)
def test_a_url_without_a_password_stays(url: str) -> None:
    assert kinds(url) == []


@pytest.mark.parametrize("name", LOOKALIKES)
def test_look_alikes_stay(name: str) -> None:
    chance = random.Random(name)
    for _ in range(100):
        assert kinds(f"It says {LOOKALIKES[name](chance)}, I think.") == []
