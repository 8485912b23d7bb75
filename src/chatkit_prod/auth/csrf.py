"""Cross-site request forgery: whether a page of somebody else made the browser send this request."""

from collections.abc import Callable

from chatkit_prod.asgi import Scope, header_values

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_NOT_FROM_ANOTHER_PAGE = (b"same-origin", b"none")


def is_cross_site(scope: Scope, *, allows: Callable[[str], bool]) -> bool:
    """Tell whether a request has to be refused if all that vouches for it is a cookie.

    The decision, and its order, is that of `net/http.CrossOriginProtection` in Go 1.25: a browser
    says itself where a request comes from, in headers that no page can set (W3C Fetch Metadata
    §2.3, RFC 6454 §7), so that no token has to be carried around. Stricter than the source: a header
    that comes twice or empty proves nothing, the scheme of an origin is `http` or `https`, and
    `null` is nobody's origin.

    Args:
        scope: An ASGI HTTP scope; its headers are untrusted.
        allows: Whether an origin, as the client sent it, may use the cookies of its users.
    """
    # An app must not act on them (RFC 9110 §9.2.1), and following a link to it must work.
    if scope["method"] in _SAFE_METHODS:
        return False
    sites = list(header_values(scope, b"sec-fetch-site"))
    origins = list(header_values(scope, b"origin"))
    hosts = list(header_values(scope, b"host"))
    # Whoever is in front of us may have looked at the other one.
    if max(len(sites), len(origins), len(hosts)) > 1:
        return True
    if sites:
        # `none` is the user: a bookmark, or the address bar. `same-site` is not enough, because a
        # neighbouring subdomain may be anybody's, and a value of the future is not known to be good.
        return sites[0] not in _NOT_FROM_ANOTHER_PAGE and not _is_allowed(origins, allows)
    if not origins:
        # Every browser names the origin when a page of another one sends what is not safe: this is
        # the app's own page in an old browser, or a program, whose cookies nobody else can use.
        return False
    # Browsers before 2023, and pages without TLS. `Host` does not say the scheme, so this takes http
    # and https for one; HSTS is what closes the gap.
    return not (_is_own(origins[0], hosts) or _is_allowed(origins, allows))


def _is_own(origin: bytes, hosts: list[bytes]) -> bool:
    return any(host != b"" and origin in (b"https://" + host, b"http://" + host) for host in hosts)


def _is_allowed(origins: list[bytes], allows: Callable[[str], bool]) -> bool:
    # Every sandboxed frame and every `data:` page has the origin `null`, whatever a list may say.
    return any(origin != b"null" and allows(origin.decode("latin-1")) for origin in origins)
