"""All layers in their order around one server.

    tracing → origin → auth → locale → limits → pii → endpoint → the app's server → the stores of `store_stack.py`

The gate of the guarded stores stands in the endpoint. Limits and the layer for personal data are there if `limits=`
and `pii=` are given.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypedDict, TypeVar, Unpack, overload

from chatkit.server import ChatKitServer
from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider
from starlette.authentication import AuthenticationBackend
from starlette.requests import HTTPConnection

from .access import AccessPolicy
from .asgi import ASGIApp
from .auth import Authenticator, AuthMiddleware, OriginMiddleware
from .context import ContextFactory, RequestContext
from .encryption import Keyring
from .endpoint import ChatKitEndpoint
from .errors import ConfigurationError
from .exchange import EndpointOptions
from .limits import LimitsMiddleware, Rules
from .limits.middleware import OnStorageError
from .locale import LocaleMiddleware, Translations
from .options import listed
from .pii import PIIMiddleware, RedactingFilter
from .pii.cleaning import AnyScrubber
from .pii.logs import AddressesAndTokens
from .pii.middleware import Requests, Responses
from .principal import Principal
from .retention import RetentionPolicy
from .scrub import TextScrubber
from .state import RequestState
from .store import gate_of
from .store_stack import require_room, wrap_stores
from .tracing import TracingMiddleware, TracingOptions, instrument_server

TContext = TypeVar("TContext")

logger = logging.getLogger("chatkit_prod")

_REDACTED_LOGGERS = (
    "chatkit",
    "chatkit_prod",
    "chatkit_prod.access",
    "chatkit_prod.audit",
    "chatkit_prod.client",
)


class _Shared(TypedDict, total=False):
    """What several layers get alike."""

    meter_provider: MeterProvider | None
    max_body_bytes: int
    max_json_values: int


@overload
def harden(
    server: ChatKitServer[RequestContext],
    *,
    auth: Authenticator | AuthenticationBackend | None,
    access: AccessPolicy | None = ...,
    retention: RetentionPolicy | None = ...,
    keyring: Keyring | None = ...,
    allowed_origins: Iterable[str] = ...,
    allowed_hosts: Iterable[str] = ...,
    allowed_headers: Iterable[str] = ...,
    required_scopes: Sequence[str] = ...,
    locales: Sequence[str] = ...,
    default_locale: str | None = ...,
    locale_sources: Iterable[str | Callable[[RequestState], str | None]] = ...,
    translations: Translations | None = ...,
    pii: AnyScrubber | None = ...,
    pii_requests: Requests | None = ...,
    pii_responses: Responses | None = ...,
    limits: Rules | None = ...,
    limits_storage: str | None = ...,
    limits_on_storage_error: OnStorageError | None = ...,
    tracer_provider: TracerProvider | None = ...,
    meter_provider: MeterProvider | None = ...,
    logger_provider: LoggerProvider | None = ...,
    tracing: TracingOptions | None = ...,
    insecure: bool = ...,
    **options: Unpack[EndpointOptions],
) -> ASGIApp: ...


@overload
def harden(
    server: ChatKitServer[TContext],
    *,
    auth: Authenticator | AuthenticationBackend | None,
    context_factory: ContextFactory[TContext],
    access: AccessPolicy | None = ...,
    retention: RetentionPolicy | None = ...,
    keyring: Keyring | None = ...,
    allowed_origins: Iterable[str] = ...,
    allowed_hosts: Iterable[str] = ...,
    allowed_headers: Iterable[str] = ...,
    required_scopes: Sequence[str] = ...,
    locales: Sequence[str] = ...,
    default_locale: str | None = ...,
    locale_sources: Iterable[str | Callable[[RequestState], str | None]] = ...,
    translations: Translations | None = ...,
    pii: AnyScrubber | None = ...,
    pii_requests: Requests | None = ...,
    pii_responses: Responses | None = ...,
    limits: Rules | None = ...,
    limits_storage: str | None = ...,
    limits_on_storage_error: OnStorageError | None = ...,
    tracer_provider: TracerProvider | None = ...,
    meter_provider: MeterProvider | None = ...,
    logger_provider: LoggerProvider | None = ...,
    tracing: TracingOptions | None = ...,
    insecure: bool = ...,
    **options: Unpack[EndpointOptions],
) -> ASGIApp: ...


def harden(
    server: ChatKitServer[Any],
    *,
    auth: Authenticator | AuthenticationBackend | None,
    context_factory: ContextFactory[Any] = RequestContext.of,
    access: AccessPolicy | None = None,
    retention: RetentionPolicy | None = None,
    keyring: Keyring | None = None,
    allowed_origins: Iterable[str] = (),
    allowed_hosts: Iterable[str] = (),
    allowed_headers: Iterable[str] = (),
    required_scopes: Sequence[str] = (),
    locales: Sequence[str] = ("en",),
    default_locale: str | None = None,
    locale_sources: Iterable[str | Callable[[RequestState], str | None]] = ("header",),
    translations: Translations | None = None,
    pii: AnyScrubber | None = None,
    pii_requests: Requests | None = None,
    pii_responses: Responses | None = None,
    limits: Rules | None = None,
    limits_storage: str | None = None,
    limits_on_storage_error: OnStorageError | None = None,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    tracing: TracingOptions | None = None,
    insecure: bool = False,
    **options: Unpack[EndpointOptions],
) -> ASGIApp:
    """Return an ASGI app that answers ChatKit requests with every layer around the server.

    Args:
        server: The app's server.
        auth: Finds out who is asking. None is refused unless `insecure` is written out.
        context_factory: Maps the state of a request to the server's context; may be `async`.
        access: Decides who reaches which threads and attachments, such as `OwnerOnly()`. None leaves it to
            the app's own store and server, and is logged.
        retention: Says when threads expire, such as `RetentionPolicy(max_age=timedelta(days=90))`; from then on nobody
            is served them, and `sweep` deletes them. None keeps them for ever.
        keyring: Wraps the keys with which everything is sealed that users and models write, such as
            `LocalKeyring.from_env()`. None leaves that to the database.
        allowed_origins: The origins of the pages that may ask, such as `https://app.example.com`, or
            the `DomainKeys` of their hostnames; beside them only pages of the endpoint's own host.
        allowed_hosts: The names that this service goes by; empty if the server checks `Host`.
        allowed_headers: Request headers of the app's own that those pages may send.
        required_scopes: Scopes that every caller must have, all of them.
        locales: BCP 47 tags that the app can answer in, best first.
        default_locale: Used when the client accepts none of them; the first if None.
        locale_sources: Where to look for the language, in order, such as `("cookie:lang", "header")`; see
            `LocaleMiddleware`.
        translations: The app's catalogs, such as `Translations("locales")`.
        pii: Takes personal data out of requests, answers and the loggers below, such as `Scrubber()`. Without it, or
            where it is slow, only e-mail addresses and bearer tokens are taken out of logs. Loggers are those of the
            process: of several apps, the scrubber of the last one is asked.
        pii_requests: What becomes of requests with personal data, `redact`, `reject` or `off`; `redact` if None.
        pii_responses: What becomes of answers with it, `redact` or `off`; `redact` if None.
        limits: What a user and a tenant may use, such as `Rules(requests="60/minute", streams=4)`. None limits nothing.
        limits_storage: Where that is counted, such as `redis://localhost:6379/0` for several processes; `memory://` if None.
        limits_on_storage_error: Whether requests are let through (`open`) while Redis is gone; `closed` if None.
        tracer_provider: Where spans go; the global provider if None.
        meter_provider: Where metrics go; the global provider if None.
        logger_provider: Where log records of OpenTelemetry go; the global provider if None.
        tracing: How users are named in telemetry, and whom to believe what; see `TracingOptions`.
        insecure: Let everybody in, as one and the same user. For a laptop, never for production.
        options: Limits and times of the endpoint, see `EndpointOptions`.

    Raises:
        ConfigurationError: There is no `auth`, or `insecure` beside it, or an option of a layer is wrong, or one of
            a layer that is not there, or the server's stores are guarded by another policy already.

    Sets:
        What `instrument_server` sets; around the stores what `access`, `retention` and `keyring` ask for; a `RedactingFilter` on the
        loggers `chatkit`, `chatkit_prod` and those below it.
    """
    if auth is None and insecure is not True:
        raise ConfigurationError(
            "auth=None lets everybody in: pass an authenticator, or write insecure=True on a laptop"
        )
    if auth is not None and insecure:
        raise ConfigurationError("insecure=True lets everybody in: leave it out, there is an authenticator")
    if auth is None:
        logger.warning("insecure=True: everybody is let in, as one and the same user")
    inside: ASGIApp = ChatKitEndpoint(server, context_factory=context_factory, **options)
    shared: _Shared = {"meter_provider": meter_provider, **_shared_limits(options)}
    inside = _scrubbed(inside, pii, pii_requests, pii_responses, shared)
    inside = _limited(inside, limits, limits_storage, limits_on_storage_error, shared)
    located = LocaleMiddleware(
        inside,
        supported=locales,
        default=default_locale,
        translations=translations,
        sources=locale_sources,
    )
    authenticator = _Anybody(required_scopes) if auth is None else auth
    authenticated = AuthMiddleware(located, authenticator=authenticator, required_scopes=required_scopes)
    guarded = OriginMiddleware(
        authenticated,
        allowed_origins=allowed_origins,
        allowed_hosts=allowed_hosts,
        allowed_headers=allowed_headers,
    )
    traced = TracingMiddleware(
        guarded,
        tracer_provider=tracer_provider,
        meter_provider=meter_provider,
        logger_provider=logger_provider,
        **(tracing or {}),
    )
    require_room(server, access=access, retention=retention, keyring=keyring)
    if access is None and gate_of(server.store) is None:
        logger.warning("access= is not given: whether a thread is its user's own is up to the app's store")
    _redact_logs(None if pii is None or pii.is_slow else pii)
    instrument_server(server, tracer_provider=tracer_provider, meter_provider=meter_provider)
    wrap_stores(server, access=access, retention=retention, keyring=keyring)
    return traced


def _scrubbed(
    inside: ASGIApp,
    pii: AnyScrubber | None,
    requests: Requests | None,
    responses: Responses | None,
    shared: _Shared,
) -> ASGIApp:
    if pii is not None:
        return PIIMiddleware(
            inside, scrubber=pii, requests=requests or "redact", responses=responses or "redact", **shared
        )
    if requests is not None or responses is not None:
        raise ConfigurationError("pii_requests and pii_responses need a scrubber: pii=Scrubber()")
    return inside


def _limited(
    inside: ASGIApp,
    rules: Rules | None,
    storage: str | None,
    on_storage_error: OnStorageError | None,
    shared: _Shared,
) -> ASGIApp:
    if rules is not None:
        return LimitsMiddleware(
            inside,
            rules=rules,
            storage=storage or "memory://",
            on_storage_error=on_storage_error or "closed",
            **shared,
        )
    if storage is not None or on_storage_error is not None:
        raise ConfigurationError(
            'limits_storage and limits_on_storage_error need rules: limits=Rules(requests="60/minute")'
        )
    return inside


class _Anybody:
    """Takes everybody for one anonymous user, who has all scopes."""

    challenge = "None"

    def __init__(self, scopes: Iterable[str]) -> None:
        self._scopes = frozenset(listed(scopes, "required_scopes"))

    async def authenticate(self, connection: HTTPConnection) -> Principal:  # noqa: ARG002
        return Principal(issuer="insecure", subject="anonymous", scopes=self._scopes, method="insecure")


def _shared_limits(options: EndpointOptions) -> "_Shared":
    """Return the limits of the endpoint that hold for whoever reads the body before it."""
    found: _Shared = {}
    if "max_body_bytes" in options:
        found["max_body_bytes"] = options["max_body_bytes"]
    if "max_json_values" in options:
        found["max_json_values"] = options["max_json_values"]
    return found


class _Redacting(RedactingFilter):
    """The filter of `harden`: an app takes the place of the one before it, so that they do not pile up."""


_ADDRESSES_AND_TOKENS = AddressesAndTokens()


def _redact_logs(scrubber: TextScrubber | None) -> None:
    for name in _REDACTED_LOGGERS:
        redacted = logging.getLogger(name)
        filters = [found for found in redacted.filters if isinstance(found, RedactingFilter)]
        if scrubber is None and filters:
            continue
        for found in filters:
            if isinstance(found, _Redacting):
                redacted.removeFilter(found)
        redacted.addFilter(_Redacting(scrubber or _ADDRESSES_AND_TOKENS))
