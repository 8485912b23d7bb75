"""ChatKit domain keys: each page gets that of its own hostname."""

import re
from collections.abc import Iterable, Iterator, Mapping

from starlette.responses import JSONResponse, Response

from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send, header_values
from chatkit_prod.errors import (
    ConfigurationError,
    ForbiddenError,
    MethodNotAllowedError,
    RequestError,
    ResourceNotFoundError,
)
from chatkit_prod.refusal import refuse
from chatkit_prod.state import RequestState

from .allow_lists import AllowedOrigins
from .audit import audit
from .hosts import canonical_host, hostname, is_loopback
from .origin import OriginMiddleware
from .same_origin import may_be_same_origin

_KEY = re.compile(r"domain_pk_[A-Za-z0-9_-]+")
_URL = re.compile(r"(?P<origin>https?://[^/?#*]+)?/(?!/)[!-\[\]-~]*")  # to browsers, \ is another /


class DomainKeys:
    """The domain keys of the hostnames that show ChatKit, one list for three purposes.

    The guide "Prepare your app for production", section "Domain keys": each hostname is registered
    with OpenAI, and the client there is configured with the key of that entry. Iterating yields the
    origins of the pages, so that this object is an `allowed_origins=`; `endpoint` gives each page
    its client configuration. Immutable, and safe to share by threads.

    ```python
    keys = DomainKeys({"app.example.com": "domain_pk_1", "localhost": "local-dev"})
    app = Starlette(
        routes=[
            Route("/chatkit", endpoint=harden(server, auth=auth, allowed_origins=keys)),
            Route("/chatkit/config", endpoint=keys.endpoint(url="/chatkit")),
        ]
    )
    ```

    Args:
        keys: Hostname to domain key. Hostnames are exact, in lower case or Unicode, without scheme,
            port or wildcard; the key of a loopback host is any text, because none is registered.
        origins: Further origins of pages on these hostnames, where the default `https://hostname` is
            not the one: `https://app.example.com:8443`, or for development `http://localhost:5173`.
            A loopback host has no default origin, because there every port is somebody else.

    Raises:
        ConfigurationError: There is no key, a hostname or key is malformed, or a further origin is
            malformed or on a hostname without a key.
    """

    __slots__ = ("_keys", "_origins")

    def __init__(self, keys: Mapping[str, str], *, origins: Iterable[str] = ()) -> None:
        if not isinstance(keys, Mapping) or not keys:
            raise ConfigurationError("keys must map at least one hostname to its domain key")
        self._keys = {_checked_hostname(name): key for name, key in keys.items()}
        if len(self._keys) < len(keys):
            raise ConfigurationError("keys names a hostname twice: in Unicode and in punycode")
        for name, key in self._keys.items():
            _check_key(name, key)
        further = AllowedOrigins(origins)
        strangers = further.hostnames - self._keys.keys()
        if strangers:
            raise ConfigurationError(f"origins names hostnames without a key: {', '.join(sorted(strangers))}")
        usual = (f"https://{name}" for name in self._keys if not is_loopback(name))
        self._origins = tuple(dict.fromkeys((*usual, *further)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._origins)

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of the pages, as `OriginMiddleware` takes them."""
        return self._origins

    def get(self, name: str) -> str | None:
        """Return the key of a hostname, or None if it has none.

        Args:
            name: In lower case and punycode, without a port: untrusted.
        """
        return self._keys.get(name)

    def endpoint(self, *, url: str = "/chatkit") -> ASGIApp:
        """Return an ASGI app that gives a page its client configuration, `{"url": …, "domainKey": …}`.

        It stands on its own route, without authentication: a domain key is public, but a page gets
        no other than its own. Which page asks is told by `Origin`, and by `Host` where a page asks
        its own server; pages of other origins are refused by an `OriginMiddleware`.

        Args:
            url: Where the ChatKit endpoint is: a path, or an absolute URL. Pages of another origin
                need an absolute one, or resolve the path themselves: `new URL(config.url, response.url)`.

        Raises:
            ConfigurationError: `url` is neither a path nor an `https://` URL (`http://` on loopback).
        """
        return OriginMiddleware(_ClientConfiguration(self, _checked_url(url)), allowed_origins=self)


class _ClientConfiguration:
    """Answers with the configuration for the hostname of the page that asks."""

    def __init__(self, keys: DomainKeys, url: str) -> None:
        self._keys = keys
        self._url = url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        scope, state = RequestState.seed(scope)
        try:
            response: Response = JSONResponse({"url": self._url, "domainKey": self._key_for(scope)})
            state.outcome = "completed"
        except RequestError as refusal:
            # A wrong method says nothing about who asks: nobody was refused entry.
            if not isinstance(refusal, MethodNotAllowedError):
                audit(state, "refused", refusal)
            response = refuse(refusal, state)
        response.headers["cache-control"] = "no-store"
        response.headers["vary"] = "Sec-Fetch-Site"
        response.headers["x-request-id"] = state.request_id
        await response(scope, receive, send)

    def _key_for(self, scope: Scope) -> str:
        """Return the key of the page that asks; `OriginMiddleware` has admitted its origin.

        Raises:
            MethodNotAllowedError: The request is neither GET nor HEAD.
            ForbiddenError: Another page asks in a way that hides its origin.
            ResourceNotFoundError: The page's hostname has no key.
        """
        if scope["method"] not in {"GET", "HEAD"}:
            raise MethodNotAllowedError("GET, HEAD")
        origin = b"".join(header_values(scope, b"origin")).decode("latin-1")
        if not origin and not may_be_same_origin(scope):
            raise ForbiddenError("origin")
        host = b"".join(header_values(scope, b"host")).decode("latin-1")
        key = self._keys.get(hostname(origin.partition("://")[2] or host))
        if key is None:
            raise _UnknownHostnameError
        return key


class _UnknownHostnameError(ResourceNotFoundError):
    reason = "hostname"


def _checked_hostname(name: str) -> str:
    host = canonical_host(name)
    if host.startswith("*"):
        raise ConfigurationError(f"{name!r}: a domain key belongs to one hostname, not to a wildcard")
    return host


def _check_key(name: str, key: str) -> None:
    if not isinstance(key, str) or not (_KEY.fullmatch(key) or (key and is_loopback(name))):
        raise ConfigurationError(f"the key of {name!r} is not a domain key: it begins with domain_pk_")


def _checked_url(url: str) -> str:
    """Return a path or an absolute URL, whose origin must be a possible one."""
    found = _URL.fullmatch(url) if isinstance(url, str) else None
    if found is None:
        raise ConfigurationError(f"url must be a path or an https URL with a path, not {url!r}")
    if found["origin"] is not None:
        AllowedOrigins([found["origin"]])
    return url
