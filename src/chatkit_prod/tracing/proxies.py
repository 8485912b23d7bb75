"""The request id of a proxy in front, for those who say which proxy may give one."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from chatkit_prod.asgi import Scope, header_values
from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import listed

_ID = re.compile(rb"[A-Za-z0-9_.:=/+-]{8,128}")


class TrustedProxies:
    """Takes `x-request-id` over from proxies at certain addresses, and from nobody else.

    Args:
        addresses: Addresses and networks, such as `10.0.0.0/8`: of the peer of the connection, so not of what
            a `ProxyHeadersMiddleware` outside of this one has put in its place. `*` trusts whoever can
            connect, as behind a Unix socket.

    Raises:
        ConfigurationError: One of them is none.
    """

    def __init__(self, addresses: Iterable[str]) -> None:
        words = listed(addresses, "trusted_proxies")
        self._trusts_all = "*" in words
        try:
            self._networks = [ip_network(word) for word in words if word != "*"]
        except ValueError as error:
            raise ConfigurationError(f"trusted_proxies must be addresses or networks: {error}") from None

    def request_id(self, scope: Scope) -> str | None:
        """Return the id that a trusted proxy has given to a request; None if there is none, or more than one.

        Args:
            scope: An HTTP scope; its headers are untrusted.
        """
        if not self._trusts_all and not (self._networks and self._trusts(scope.get("client"))):
            return None
        given = list(header_values(scope, b"x-request-id"))
        return given[0].decode() if len(given) == 1 and _ID.fullmatch(given[0]) else None

    def _trusts(self, client: tuple[str, int] | None) -> bool:
        address = None if client is None else _address(client[0])
        return address is not None and any(address in network for network in self._networks)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
