"""A request id is taken over from the proxies that are named, and from nobody else."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError
from chatkit_prod.tracing.proxies import TrustedProxies
from tests.layers import get

NETWORKS = ("10.0.0.0/8", "192.0.2.7", "2001:db8::/32")
GIVEN = b"0123-abcd"

ADDRESSES = st.ip_addresses() | st.sampled_from(
    [IPv4Address("10.1.2.3"), IPv4Address("192.0.2.7"), IPv4Address("192.0.2.8"), IPv6Address("2001:db8::1")]
)


def taken(
    networks: Sequence[str], client: Sequence[Any] | None, *ids: bytes, name: bytes = b"x-request-id"
) -> str | None:
    scope = {**get(*((name, given) for given in ids)), "client": client}
    return TrustedProxies(networks).request_id(scope)


@given(ADDRESSES)
def test_a_header_is_taken_from_inside_the_networks_and_never_from_outside(
    address: IPv4Address | IPv6Address,
) -> None:
    real = getattr(address, "ipv4_mapped", None) or address
    is_inside = any(real in ip_network(network) for network in NETWORKS)
    assert taken(NETWORKS, (str(address), 50000), GIVEN) == (GIVEN.decode() if is_inside else None)


@given(
    st.text()
    | st.sampled_from(["", "unix:", "localhost", "10.0.0.1.", "010.0.0.1", "10.0.0.1/8", "::ffff:a"])
)
def test_a_peer_without_an_address_is_not_trusted(host: str) -> None:
    assert taken(("0.0.0.0/0", "::/0"), (host, 0), GIVEN) in {None, GIVEN.decode()}
    assert taken(("10.0.0.0/8",), (f"x{host}", 0), GIVEN) is None


def test_a_peer_that_nobody_knows_is_not_trusted() -> None:
    assert taken(("0.0.0.0/0", "::/0"), None, GIVEN) is None
    assert (
        TrustedProxies(NETWORKS).request_id({"type": "http", "headers": [(b"x-request-id", GIVEN)]}) is None
    )


def test_a_v4_peer_on_a_v6_socket_is_known_by_its_v4_address() -> None:
    assert taken(("10.0.0.0/8",), ("::ffff:10.1.2.3", 1), GIVEN) == GIVEN.decode()
    assert taken(("10.0.0.0/8",), ("::ffff:11.1.2.3", 1), GIVEN) is None


@pytest.mark.parametrize("client", [None, ("", 0), ("203.0.113.9", 1)])
def test_a_star_trusts_whoever_can_connect(client: tuple[str, int] | None) -> None:
    assert taken(("*",), client, GIVEN) == GIVEN.decode()


def test_nobody_is_trusted_unless_somebody_is_named() -> None:
    assert taken((), ("127.0.0.1", 1), GIVEN) is None


def test_a_trusted_proxy_that_gives_no_id_gives_none() -> None:
    assert taken(("*",), None) is None
    assert taken(("*",), None, GIVEN, name=b"x-correlation-id") is None


def test_of_two_ids_none_is_taken() -> None:
    assert taken(("*",), None, GIVEN, GIVEN) is None


@given(st.binary(max_size=140))
def test_what_is_taken_over_is_a_word_that_no_log_stumbles_over(given_id: bytes) -> None:
    found = taken(("*",), None, given_id)
    if found is not None:
        assert found.isascii()
        assert found.isprintable()
        assert not set(found) & set(" \"'\\,;<>")
        assert 8 <= len(found) <= 128
        assert found.encode() == given_id


@pytest.mark.parametrize(
    "given_id", [b"a" * 7, b"a" * 129, b"abcdefg\n", b"abcd efgh", b'abcd"efgh', b"\xff" * 8]
)
def test_an_id_of_another_form_is_not_taken(given_id: bytes) -> None:
    assert taken(("*",), None, given_id) is None


@pytest.mark.parametrize("given_id", [b"a" * 8, b"a" * 128, b"Root=1-67891233-abcdef0123", b"a/b+c.d_e:f="])
def test_the_forms_of_the_usual_proxies_are_taken(given_id: bytes) -> None:
    assert taken(("*",), None, given_id) == given_id.decode()


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1/8"], ["proxy.example.com"], ["*", "x"], "10.0.0.1", [""], [1]]
)
def test_what_is_no_address_is_refused(addresses: Any) -> None:
    with pytest.raises(ConfigurationError, match="trusted_proxies"):
        TrustedProxies(addresses)
