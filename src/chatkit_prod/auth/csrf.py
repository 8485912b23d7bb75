"""Cross-site request forgery: whether a page of somebody else made the browser send this request."""

from collections.abc import Callable

from chatkit_prod.asgi import Scope, header_values

from .same_origin import is_own_origin, may_be_same_origin

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def is_cross_site(scope: Scope, *, allows: Callable[[str], bool]) -> bool:
    """Tell whether a request has to be refused if all that vouches for it is a cookie.

    The decision, and its order, is that of `net/http.CrossOriginProtection` in Go 1.25: a browser
    says itself where a request comes from, in headers that no page can set (W3C Fetch Metadata
    §2.3, RFC 6454 §7), so that no token has to be carried around. Stricter than the source: a header
    that comes twice or empty proves nothing, the scheme of an origin is `http` or `https`, a
    malformed `Host` has no origin, and `null` is nobody's origin.

    Args:
        scope: An ASGI HTTP scope; its headers are untrusted.
        allows: Whether an origin, as the client sent it, may use the cookies of its users.
    """
    # An app must not act on them (RFC 9110 §9.2.1), and following a link to it must work.
    if scope["method"] in _SAFE_METHODS:
        return False
    sites = list(header_values(scope, b"sec-fetch-site"))
    origins = [value.decode("latin-1") for value in header_values(scope, b"origin")]
    hosts = [value.decode("latin-1") for value in header_values(scope, b"host")]
    # Whoever is in front of us may have looked at the other one.
    if max(len(sites), len(origins), len(hosts)) > 1:
        return True
    if sites:
        return not (may_be_same_origin(scope) or _is_allowed(origins, allows))
    if not origins:
        # Every browser names the origin when a page of another one sends what is not safe: this is
        # the app's own page in an old browser, or a program, whose cookies nobody else can use.
        return False
    # Browsers before 2023, and pages without TLS.
    return not (is_own_origin(origins[0], "".join(hosts)) or _is_allowed(origins, allows))


def _is_allowed(origins: list[str], allows: Callable[[str], bool]) -> bool:
    # Every sandboxed frame and every `data:` page has the origin `null`, whatever a list may say.
    return any(origin != "null" and allows(origin) for origin in origins)
