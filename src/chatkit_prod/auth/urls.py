"""Which URLs we fetch from: pure decisions."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_USERINFO = re.compile(r"//[^/]*@")


def is_loopback_url(url: str) -> bool:
    """Tell whether a URL points to this machine, where plain http is good enough (RFC 6761 §6.3)."""
    host = _host(url)
    address = _address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def is_safe_url(url: object, *, loopback: bool = True) -> bool:
    """Tell whether a URL may be fetched: `https`, and on this machine also `http`; never `file` or `data`.

    Args:
        url: From the configuration, or from a provider's metadata.
        loopback: Whether it may point to this machine. What comes from a provider elsewhere may not.
    """
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    host = _host(url)
    address = _address(host)
    # 127.1 and 2130706433 are addresses to some (WHATWG URL §3.5), and 0.0.0.0 is this machine to most.
    is_odd = _NUMBER.fullmatch(host) if address is None else address.is_unspecified
    if not host or is_odd or parts.username is not None or parts.fragment:
        return False
    local = is_loopback_url(url)
    return (loopback or not local) and (parts.scheme == "https" or (parts.scheme == "http" and local))


def shown(url: object) -> str:
    """Return a URL for an error message: whatever stands where a password may stand is left out."""
    return repr(_USERINFO.sub("//…@", url)) if isinstance(url, str) else repr(url)


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removesuffix(".")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
