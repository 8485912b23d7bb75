"""Whose share a request is taken from."""

from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from chatkit_prod.asgi import Scope
from chatkit_prod.principal import Principal

_SITE_BITS = 64


class Caller(NamedTuple):
    """Who asks, as the counters call them: digests, because a counter need not know anybody's name.

    Args:
        user: Of the user; of the address of the client where nobody was authenticated.
        tenant: Of the tenant, if there is one.
    """

    user: str
    tenant: str | None


def caller_of(scope: Scope, principal: Principal | None) -> Caller:
    """Return whose share a request is taken from.

    Without a principal it is that of the client's address, as the server says it: behind a proxy, the server has to be
    told whom to believe. An IPv6 address counts as its /64, which one customer has as a whole (RFC 6177). Those
    without any address share one.

    Args:
        scope: An HTTP scope.
        principal: Who was authenticated, if anybody was.
    """
    if principal is None:
        return Caller(_digest("address", _site(scope)), None)
    tenant = None if principal.tenant is None else _digest("tenant", principal.issuer, principal.tenant)
    return Caller(_digest("user", principal.issuer, principal.tenant, principal.subject), tenant)


def _site(scope: Scope) -> str:
    host = str((scope.get("client") or ("",))[0])
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(int(address) >> _SITE_BITS)


def _digest(*parts: str | None) -> str:
    # The `repr` of a tuple tells every two tuples of texts apart, and has no surrogates in it.
    return blake2b(repr(parts).encode(), digest_size=16).hexdigest()
