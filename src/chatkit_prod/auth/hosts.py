"""The host of a page or a service, as configured and as on the wire: pure decisions."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna

from chatkit_prod.errors import ConfigurationError

LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
"""A pattern: one label of a name, in lower case and punycode (RFC 1123 §2.1)."""

_MAX_NAME_CHARACTERS = 253
_NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_IPV6 = re.compile(r"\[([0-9a-f:]+)\]")
_HOST_HEADER = re.compile(r"(?P<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")


def hostname(authority: str) -> str:
    """Return the host of `host[:port]` in lower case, or "" if that is malformed (RFC 9110 §7.2).

    Args:
        authority: The value of `Host`, or what follows the scheme of an origin: untrusted.
    """
    found = _HOST_HEADER.fullmatch(authority)
    return found["host"].lower() if found else ""


def canonical_host(host: str) -> str:
    """Return a host as a browser sends it: in lower case and punycode, addresses in their short form.

    Args:
        host: A name in lower case or Unicode, perhaps with a leading `*.`, or an address, that of
            IPv6 in brackets; without a port.

    Raises:
        ConfigurationError: It is something else, or has fewer than two labels after the star.
    """
    if not isinstance(host, str):
        raise ConfigurationError(f"{host!r} is not a host")
    star, name = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    if not name.isascii():
        name = _punycode(name)
    if not _is_name(name) and (star or not _is_address(name)):
        raise ConfigurationError(f"{host!r} is not a host: write it in lower case, without scheme and port")
    if star and "." not in name:
        raise ConfigurationError(f"{host!r} stands for too many hosts: write two labels after the star")
    return star + name


def is_loopback(host: str) -> bool:
    """Tell whether a canonical host is the machine itself (RFC 6761 §6.3, RFC 6890)."""
    if _is_address(host):
        return host == "[::1]" or host.startswith("127.")
    return host == "localhost" or host.endswith(".localhost")


def _punycode(name: str) -> str:
    """Return a name as browsers send it; the `idna` codec of Python knows the older rules only."""
    try:
        return idna.encode(name, uts46=True).decode()
    except idna.IDNAError:
        raise ConfigurationError(f"{name!r} is not an internationalised host name") from None


def _is_name(name: str) -> bool:
    """Tell whether a host is a DNS name; one that ends in a number is an address (WHATWG URL)."""
    return (
        len(name) <= _MAX_NAME_CHARACTERS
        and _NAME.fullmatch(name) is not None
        and _NUMBER.fullmatch(name.rpartition(".")[2]) is None
    )


def _is_address(host: str) -> bool:
    """Tell whether a host is an IP address in the one form that browsers send."""
    bracketed = _IPV6.fullmatch(host)
    try:
        if bracketed is not None:
            return str(IPv6Address(bracketed[1])) == bracketed[1]
        return str(IPv4Address(host)) == host
    except AddressValueError:
        return False
