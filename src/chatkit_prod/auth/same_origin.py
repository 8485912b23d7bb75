"""Whether a request comes from a page of its own origin, as far as its headers tell: pure decisions."""

from chatkit_prod.asgi import Scope, header_values

from .hosts import hostname


def is_own_origin(origin: str, host: str) -> bool:
    """Tell whether an origin has the host and port that a request was sent to.

    `Host` does not say the scheme, and behind a proxy that ends TLS the server does not know its own,
    so `http` and `https` are taken for one; HSTS is what closes the gap.

    Args:
        origin: The value of `Origin`: untrusted.
        host: The value of `Host`, or "": untrusted. A malformed one has no pages.
    """
    return hostname(host) != "" and origin in {f"https://{host}", f"http://{host}"}


def may_be_same_origin(scope: Scope) -> bool:
    """Tell whether the browser does not deny that a request comes from a page of its own origin.

    `none` is the user: a bookmark, or the address bar. `same-site` is not enough, because a
    neighbouring subdomain may be anybody's, and a value of the future is not known to be good.

    Args:
        scope: An HTTP scope. `Sec-Fetch-Site` is absent outside of browsers, in old ones, and on
            plain HTTP; no script can set it (W3C Fetch Metadata §2.3).
    """
    return all(value in {b"same-origin", b"none"} for value in header_values(scope, b"sec-fetch-site"))
