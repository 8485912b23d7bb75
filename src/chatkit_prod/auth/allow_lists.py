"""Which pages and which hosts are ours: pure decisions.

"https://app.example.com"   this origin, byte for byte as a browser serialises it
"https://*.example.com"     any origin with exactly one label in place of the star
"""

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import listed

from .hosts import LABEL, canonical_host, is_loopback

_MAX_PORT = 65535
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>\[[^]]*\]|[^][:/?#@\\]+)(?::(?P<port>[0-9]{1,5}))?")


class _AllowList:
    """Exact names, and names that have one label in place of a star.

    Args:
        names: Validated, unique.
    """

    __slots__ = ("_exact", "_parents")

    _head: ClassVar[re.Pattern[str]]
    """What may stand before the first dot of a name that a star allows."""

    def __init__(self, names: frozenset[str]) -> None:
        self._exact = frozenset(name for name in names if "*" not in name)
        self._parents = frozenset(name.partition(".")[2] for name in names - self._exact)

    def allows(self, name: str, /) -> bool:
        """Tell whether a name is on the list.

        Args:
            name: What the client sent: untrusted. Anything but an exact match is foreign.
        """
        if name in self._exact:
            return True
        head, _, parent = name.partition(".")
        return parent in self._parents and self._head.fullmatch(head) is not None


class AllowedOrigins(_AllowList):
    """A list of origins (RFC 6454 §6.2: scheme, host and port). Immutable, and safe to share by threads.

    A star stands for exactly one label of letters, digits and hyphens: `https://*.example.com` is
    neither `https://example.com` nor `https://a.b.example.com`. Whoever can register a name under
    the domain is let in, and public suffixes are not known here: never write one such as
    `https://*.github.io` or `https://*.co.uk`, whose names belong to strangers.

    Iterating yields the origins as browsers serialise them, in their order.

    Args:
        origins: `https://host` or `https://host:port` as a browser writes them: in lower case,
            without a default port, a path or a slash at the end; `http://` for loopback hosts only.
            A host in Unicode is stored as browsers send it (UTS #46, RFC 3492).

    Raises:
        ConfigurationError: One of the origins is not of this form, or `origins` is a single string.
    """

    __slots__ = ("_hosts",)

    _head = re.compile(f"https://{LABEL}")

    def __init__(self, origins: Iterable[str]) -> None:
        self._hosts = dict(_parse_origin(item) for item in listed(origins, "allowed_origins"))
        super().__init__(frozenset(self._hosts))

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    @property
    def hostnames(self) -> frozenset[str]:
        """The host of every origin, in punycode; that of a wildcard with its star."""
        return frozenset(self._hosts.values())


class AllowedHosts(_AllowList):
    """A list of host names, false when it is empty. Immutable, and safe to share by threads.

    Args:
        hosts: Host names in lower case without a port, with the same star as in `AllowedOrigins`.

    Raises:
        ConfigurationError: One of the hosts is not of this form, or `hosts` is a single string.
    """

    __slots__ = ()

    _head = re.compile(LABEL)

    def __init__(self, hosts: Iterable[str]) -> None:
        super().__init__(frozenset(canonical_host(item) for item in listed(hosts, "allowed_hosts")))

    def __bool__(self) -> bool:
        return bool(self._exact or self._parents)


def _parse_origin(item: str) -> tuple[str, str]:
    """Return a configured origin as browsers serialise it, and its host."""
    found = _ORIGIN.fullmatch(item) if isinstance(item, str) else None
    if found is None:
        raise ConfigurationError(
            f"{item!r} is not an origin: write https://host or https://host:port, and nothing behind it"
        )
    scheme, port = found["scheme"], found["port"]
    try:
        host = canonical_host(found["host"])
    except ConfigurationError as error:
        raise ConfigurationError(f"{item!r} is not an origin: {error}") from None
    if scheme == "http" and (host.startswith("*") or not is_loopback(host)):
        raise ConfigurationError(f"{item!r} is not protected: http is for loopback hosts only")
    if port is None:
        return f"{scheme}://{host}", host
    if port.startswith("0") or int(port) > _MAX_PORT or port == _DEFAULT_PORTS[scheme]:
        raise ConfigurationError(f"{item!r} has a port that no browser sends: leave a default one out")
    return f"{scheme}://{host}:{port}", host
