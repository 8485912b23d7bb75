"""Session cookies: what the browser sends by itself, and why that alone is not enough."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from starlette.requests import HTTPConnection

from chatkit_prod.asgi import Scope, header_values, is_token
from chatkit_prod.body import require_json
from chatkit_prod.errors import (
    ConfigurationError,
    ForbiddenError,
    InvalidTokenError,
    MalformedCredentialsError,
)
from chatkit_prod.options import is_text, looked_up, named
from chatkit_prod.principal import Principal
from chatkit_prod.state import RequestState

from .allow_lists import AllowedOrigins
from .csrf import is_cross_site

_SESSION_ID = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,4096}")
"""What reaches a store: `cookie-octet` of RFC 6265 §4.1.1, without the quotes that it allows around them."""

_MAX_COOKIE_BYTES = 32 * 1024
_METHODS_WITH_BODY = ("POST", "PUT", "PATCH")


@runtime_checkable
class SessionStore(Protocol):
    """Where an app keeps its sessions."""

    async def load(self, session_id: str) -> Principal | None:
        """Return whose session it is, or None if there is no such session, or it is over.

        Args:
            session_id: The value of the cookie: untrusted, 1 to 4,096 visible ASCII characters.
        """
        ...


class SessionCookie:
    """Accepts the session cookie of an app.

    A browser sends the cookie with every request, whoever made it send one. So a request with the
    cookie is refused when it comes from another site (`csrf.py`), and its body has to be declared
    JSON, which a page of another origin cannot do without asking first (CORS preflight). A session of
    Starlette's in which nobody is signed in is no credential, wherever the request comes from.

    There are two ways. With Starlette's `SessionMiddleware` outside, which checks signature and age:

        SessionCookie(issuer="https://app.example.com", subject_key="user_id")

    With sessions that a server keeps:

        SessionCookie(sessions=store, cookie="__Host-session")

    The life of a session is the app's business: a new id at every sign-in (against session
    fixation), an end after idle time, `Secure`, `HttpOnly` and `SameSite` on the cookie. The prefix
    `__Host-` keeps other subdomains from setting it.

    Args:
        cookie: The name of the cookie; with `SessionMiddleware`, its `session_cookie`.
        sessions: Finds a session by its id. Without it, Starlette's session is read.
        issuer: Who vouches for the user: the app itself, such as `https://app.example.com`.
        subject_key: Where Starlette's session has the user's id, a text or a number.
        tenant_key: Where it has the tenant; a session with a user and without a tenant is refused.
        scopes_key: Where it has the scopes: a list of them, or one text with spaces.
        allowed_origins: Other origins whose pages may use the cookie, beside the one that
            `OriginMiddleware` has found on its list.

    Raises:
        ConfigurationError: The name is not one of a cookie, an origin is not one, `sessions` is not a
            store, or the options are not those of one of the two ways.
    """

    def __init__(
        self,
        *,
        cookie: str = "session",
        sessions: SessionStore | None = None,
        issuer: str | None = None,
        subject_key: str | None = None,
        tenant_key: str | None = None,
        scopes_key: str | None = None,
        allowed_origins: Iterable[str] = (),
    ) -> None:
        if not is_token(cookie):
            raise ConfigurationError(f"cookie must be the name of a cookie, not {cookie!r}")
        keys = (issuer, subject_key, tenant_key, scopes_key)
        if not all(key is None or is_text(key) for key in keys):
            raise ConfigurationError(
                "issuer, subject_key, tenant_key and scopes_key must be text, and not empty"
            )
        if sessions is None and not (issuer and subject_key):
            raise ConfigurationError(
                "SessionCookie needs either sessions, or issuer and subject_key for Starlette's session"
            )
        if sessions is not None and (isinstance(sessions, type) or not isinstance(sessions, SessionStore)):
            raise ConfigurationError(
                f"sessions must be a SessionStore, not {named(sessions)}: it has `async def load(session_id)`"
            )
        if sessions is not None and (issuer or subject_key or tenant_key or scopes_key):
            raise ConfigurationError(
                "issuer and the keys are for Starlette's session: sessions return a whole Principal"
            )
        self._cookies = _cookies_named(cookie)
        self._sessions = sessions
        self._issuer = issuer or ""
        self._subject_key = subject_key or ""
        self._tenant_key = tenant_key
        self._scopes_key = scopes_key
        self._origins = AllowedOrigins(allowed_origins)
        self._challenge = f'Cookie realm="chatkit", cookie-name="{cookie}"'

    @property
    def challenge(self) -> str:
        """`Cookie`, with the name: not a registered scheme, but RFC 9110 §11.6.1 wants one."""
        return self._challenge

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        """Return whose session it is, or None if there is no cookie, or nobody is signed in.

        Raises:
            MalformedCredentialsError: The cookie comes twice: somebody else may have set one of them. Or
                all cookies together are longer than 32 KiB.
            ForbiddenError: The request comes from another site.
            UnsupportedMediaTypeError: The body is not declared JSON.
            InvalidTokenError: The session is unknown, over, or has no tenant.
            ConfigurationError: `SessionMiddleware` is missing, or the session holds what cannot be a
                user, a tenant or scopes.
        """
        if self._sessions is None:
            _require_session(connection.scope)
        # There may be several of these headers (RFC 9113 §8.2.3).
        header = b"; ".join(header_values(connection.scope, b"cookie"))
        if len(header) > _MAX_COOKIE_BYTES:
            raise MalformedCredentialsError(self._challenge, "too long")
        cookies = self._cookies.findall(header.decode("latin-1"))
        if not cookies:
            return None
        if len(cookies) > 1:
            raise MalformedCredentialsError(self._challenge, "two cookies")
        if self._sessions is not None:
            # Before the store is asked: it need not work for other sites.
            self._require_own_page(connection.scope)
            return await self._load(self._sessions, cookies[0])
        # The property, not the scope: with it the middleware knows that the answer varies by cookie.
        session = connection.session
        subject = _text(session, self._subject_key)
        if subject is None:
            # Nobody's credentials are used, so there is nobody to protect.
            return None
        self._require_own_page(connection.scope)
        return self._principal(subject, session)

    def _require_own_page(self, scope: Scope) -> None:
        """Refuse what another site may have made the browser send."""
        _, state = RequestState.seed(scope)
        if is_cross_site(scope, allows=lambda origin: origin == state.origin or self._origins.allows(origin)):
            raise ForbiddenError("cross-site")
        if scope["method"] in _METHODS_WITH_BODY:
            require_json(scope)

    async def _load(self, sessions: SessionStore, session_id: str) -> Principal:
        if not _SESSION_ID.fullmatch(session_id):
            raise InvalidTokenError(self._challenge, "malformed")
        principal = await looked_up(sessions.load(session_id), "load of a SessionStore", Principal)
        if principal is None:
            raise InvalidTokenError(self._challenge, "session")
        return replace(principal, method="session")

    def _principal(self, subject: str, session: Mapping[str, Any]) -> Principal:
        """Return whom the app has signed in; what stands in the session was signed by the app."""
        tenant = None if self._tenant_key is None else _text(session, self._tenant_key)
        if tenant is None and self._tenant_key is not None:
            raise InvalidTokenError(self._challenge, "tenant")
        return Principal(
            issuer=self._issuer,
            subject=subject,
            tenant=tenant,
            scopes=frozenset() if self._scopes_key is None else _scopes(session, self._scopes_key),
            method="session",
        )


def _require_session(scope: Scope) -> None:
    if not isinstance(scope.get("session"), Mapping):
        raise ConfigurationError(
            "there is no session: put Starlette's SessionMiddleware in front, which needs itsdangerous"
            " (the extra `session`), or give SessionCookie(sessions=...)"
        )


def _cookies_named(name: str) -> re.Pattern[str]:
    """Return what finds the value of every cookie of a name in a `Cookie` header (RFC 6265 §4.2.1).

    A name is read as leniently as any other reader would, Starlette's included: a cookie that only
    one of the two sees is a way around whatever the other one has checked.
    """
    return re.compile(rf"(?:\A|;)\s*{re.escape(name)}\s*=([^;]*)")


def _text(session: Mapping[str, Any], key: str) -> str | None:
    """Return an id, which many apps keep as a number, or None where there is none."""
    value = session.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ConfigurationError(f"session[{key!r}] must be a text or a whole number")
    return str(value)


def _scopes(session: Mapping[str, Any], key: str) -> frozenset[str]:
    value = session.get(key)
    if value is None:
        return frozenset()
    names: list[Any] = value.split() if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"session[{key!r}] must be a list of scopes, or one text with spaces")
    return frozenset(names)
