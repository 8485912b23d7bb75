"""The tree of errors.

    ConfigurationError (ValueError)       raised at construction, or when a layer is missing
    RequestError                          answered to the client; `status` and `code` are class variables
    ├── InvalidRequestError               400 invalid_request
    │   └── MalformedCredentialsError     400 invalid_request
    ├── AuthenticationError               401 authentication_required
    │   └── InvalidTokenError             401 invalid_token
    │       └── ForeignTokenError         401 invalid_token, unless another authenticator takes it
    ├── ForbiddenError                    403 forbidden
    │   └── InsufficientScopeError        403 insufficient_scope
    ├── ResourceNotFoundError             404 not_found
    ├── MethodNotAllowedError             405 method_not_allowed
    ├── ContentTooLargeError              413 content_too_large
    ├── UnsupportedMediaTypeError         415 unsupported_media_type
    ├── PersonalDataError                 422 personal_data
    ├── RateLimitedError                  429 rate_limited
    ├── AppError                          400 custom, or the code of the app's StreamError
    ├── RefusedByAppError                 4xx refused, the status of the app's HTTPException
    └── InternalError                     500 internal_error
        ├── UnavailableError              503 temporarily_unavailable
        ├── UnsealError                   500 internal_error, in chatkit_prod.encryption
        └── UntrustedPromptError          500 internal_error, in chatkit_prod.prompts

The text that a client sees is fixed per class; what an operator needs is in the log.
"""

import re
import traceback
from collections.abc import Iterable, Mapping, Sequence
from gettext import NullTranslations
from http import HTTPStatus
from http.client import responses
from types import FrameType
from typing import TYPE_CHECKING, Any

from chatkit.errors import CustomStreamError, StreamError
from chatkit.store import NotFoundError
from starlette.exceptions import HTTPException

from . import texts
from .challenge import visible, with_params
from .render import counted

if TYPE_CHECKING:
    from .principal import Principal

Headers = Mapping[str, str]


class ConfigurationError(ValueError):
    """The library is used in a way that cannot work; the text says what to change."""


class RequestError(Exception):
    """A request that is refused, or could not be answered.

    Attributes:
        status: The HTTP status code.
        code: A stable word for programs.
        message: The English text for people, translated when it is sent; never holds input.
        reason: Why, in a word or two for the audit record; never sent, never holds input.
        headers: Further response headers.
        members: Extension members of the problem body (RFC 9457 §3.2).
    """

    status: int
    code: str
    message: str
    reason: str = ""

    @property
    def headers(self) -> Headers:
        """Further response headers."""
        return {}

    @property
    def members(self) -> Mapping[str, Any]:
        """Extension members of the problem body."""
        return {}

    def text(self, translations: NullTranslations) -> str:
        """Return the text for people, in the language of a catalog."""
        return translations.gettext(self.message)


class InvalidRequestError(RequestError):
    """The body is not a ChatKit request of this release, or breaks one of its rules.

    Args:
        errors: Where and what, as `{"loc": [...], "msg": "..."}`, without any input.
        reason: Why, for the audit record.
    """

    status = 400
    code = "invalid_request"
    message = texts.INVALID_REQUEST

    def __init__(self, errors: Sequence[Mapping[str, Any]] = (), *, reason: str = "") -> None:
        super().__init__(self.code)
        self.errors = errors
        self.reason = reason

    @property
    def members(self) -> Mapping[str, Any]:
        """The list of errors, where there is one."""
        return {"errors": list(self.errors)} if self.errors else {}


class MalformedCredentialsError(InvalidRequestError):
    """The request carries credentials in a way that is not allowed, such as twice (RFC 6750 §3.1).

    Args:
        challenge: The scheme of the credentials, with its parameters.
        reason: Why, for the audit record.
    """

    def __init__(self, challenge: str, reason: str) -> None:
        super().__init__(reason=reason)
        self.challenge = challenge

    @property
    def headers(self) -> Headers:
        """The challenge with its error code."""
        return {"WWW-Authenticate": with_params(self.challenge, error=self.code)}


class AuthenticationError(RequestError):
    """No credentials came with the request (RFC 6750 §3: a challenge without an error code).

    Args:
        challenge: The schemes that would be accepted, with their parameters, such as `Bearer realm="chatkit"`.
    """

    status = 401
    code = "authentication_required"
    message = texts.SIGN_IN
    reason = "no credentials"

    def __init__(self, challenge: str) -> None:
        super().__init__(self.code)
        self.challenge = challenge

    @property
    def headers(self) -> Headers:
        """The challenge (RFC 9110 §11.6.1)."""
        return {"WWW-Authenticate": visible(self.challenge)}


class InvalidTokenError(AuthenticationError):
    """The credentials are malformed, expired, revoked, or not meant for this service.

    Args:
        challenge: The scheme of the credentials, with its parameters.
        reason: Why, for the audit record.
    """

    code = "invalid_token"
    message = texts.SESSION_INVALID

    def __init__(self, challenge: str, reason: str = "invalid") -> None:
        super().__init__(challenge)
        self.reason = reason

    @property
    def headers(self) -> Headers:
        """The challenge with its error code (RFC 6750 §3.1)."""
        return {"WWW-Authenticate": with_params(self.challenge, error=self.code)}


class ForeignTokenError(InvalidTokenError):
    """The credentials are not of the kind, or of the issuer, that this authenticator knows.

    `FirstOf` goes on to its next authenticator. Alone it is an `InvalidTokenError` like any other.
    """


class ForbiddenError(RequestError):
    """The caller may not do this, whoever it is.

    Args:
        reason: Why, for the audit record.
    """

    status = 403
    code = "forbidden"
    message = texts.NOT_ALLOWED

    def __init__(self, reason: str = "forbidden") -> None:
        super().__init__(self.code)
        self.reason = reason


class InsufficientScopeError(ForbiddenError):
    """The credentials lack a scope (RFC 6750 §3.1).

    Args:
        scopes: All scopes that are needed.
        challenge: The authentication scheme, with its parameters.
        principal: Whose credentials they are, for the audit record.
    """

    code = "insufficient_scope"

    def __init__(
        self,
        scopes: Sequence[str],
        challenge: str = 'Bearer realm="chatkit"',
        *,
        principal: "Principal | None" = None,
    ) -> None:
        super().__init__("scope")
        self.challenge = challenge
        self.principal = principal
        self.scopes = tuple(scopes)

    @property
    def headers(self) -> Headers:
        """The challenge with the scopes that are needed."""
        return {"WWW-Authenticate": with_params(self.challenge, error=self.code, scope=" ".join(self.scopes))}


class ResourceNotFoundError(RequestError):
    """A thread, item or attachment is absent, or belongs to somebody else: nobody can tell which."""

    status = 404
    code = "not_found"
    message = texts.NOT_FOUND


class MethodNotAllowedError(RequestError):
    """The resource knows other methods; ChatKit requests are POST requests.

    Args:
        allow: The methods that it knows, with commas.
    """

    status = 405
    code = "method_not_allowed"
    message = texts.WRONG_METHOD
    reason = "method"

    def __init__(self, allow: str = "POST") -> None:
        super().__init__(self.code)
        self.allow = allow

    @property
    def headers(self) -> Headers:
        """The methods that are (RFC 9110 §15.5.6)."""
        return {"Allow": self.allow}


class ContentTooLargeError(RequestError):
    """The body, or a part of it, is over a limit.

    Args:
        limit: The keyword of the limit, for the client's log.
        count: How much it allows, where that helps the user.
    """

    status = 413
    code = "content_too_large"
    message = texts.TOO_LARGE

    def __init__(self, limit: str, count: int = 0) -> None:
        super().__init__(limit)
        self.limit = limit
        self.count = count

    def text(self, translations: NullTranslations) -> str:
        """Return the text for people, with the limit where they can keep to it."""
        text = _COUNTED.get(self.limit)
        if text is None or not self.count:
            return super().text(translations)
        return counted(text, self.count, translations)

    @property
    def members(self) -> Mapping[str, Any]:
        """Which limit it was."""
        return {"limit": self.limit}


_COUNTED = {"max_text_characters": texts.TEXT_TOO_LONG, "max_attachments": texts.TOO_MANY_ATTACHMENTS}


class UnsupportedMediaTypeError(RequestError):
    """The body is not declared as JSON."""

    status = 415
    code = "unsupported_media_type"
    message = texts.NOT_JSON
    reason = "media type"

    @property
    def headers(self) -> Headers:
        """What would be accepted (RFC 9110 §12.5.1)."""
        return {"Accept-Post": "application/json"}


class PersonalDataError(RequestError):
    """The request holds personal data, and this service takes none.

    Args:
        types: What kinds of it, such as `EMAIL`; never what was found.
    """

    status = 422
    code = "personal_data"
    message = texts.INVALID_REQUEST
    reason = "personal data"

    def __init__(self, types: Iterable[str]) -> None:
        super().__init__(self.code)
        self.types = tuple(sorted(types))

    @property
    def members(self) -> Mapping[str, Any]:
        """What kinds of it."""
        return {"types": list(self.types)}


class RateLimitedError(RequestError):
    """The caller has used up what a rule allows, for now (RFC 6585 §4).

    Args:
        rule: Whose it is, such as `messages`; never who asks.
        retry_after: Whole seconds after which a second try may help, at least 1; None if nobody can know.
    """

    status = 429
    code = "rate_limited"
    message = texts.BUSY

    def __init__(self, rule: str, retry_after: int | None = None) -> None:
        super().__init__(self.code)
        self.rule = rule
        self.reason = f"limit of {rule}"
        self.retry_after = retry_after

    def text(self, translations: NullTranslations) -> str:
        """Return the text for people, with when to come back where that is known."""
        if self.retry_after is None:
            return super().text(translations)
        if self.retry_after <= _SOME_MINUTES:
            return counted(texts.TOO_FAST, self.retry_after, translations)
        if self.retry_after <= _SOME_HOURS:
            return counted(texts.LIMIT_MINUTES, -(-self.retry_after // 60), translations)
        return counted(texts.LIMIT_HOURS, -(-self.retry_after // 3600), translations)

    @property
    def headers(self) -> Headers:
        """When to come back (RFC 9110 §10.2.3)."""
        return {"Retry-After": str(_SOON if self.retry_after is None else self.retry_after)}

    @property
    def members(self) -> Mapping[str, Any]:
        """Which rule it was."""
        return {"limit": self.rule}


_SOON = 5
_SOME_MINUTES = 120
_SOME_HOURS = 2 * 3600


class AppError(RequestError):
    """An error that the app raised on purpose, for its users to see, where no stream can carry it.

    Args:
        error: What the app raised. A `CustomStreamError` is a 400 with its own text, already in the
            user's language; a `StreamError` has the status that ChatKit gives to its code.
    """

    code = "custom"

    def __init__(self, error: StreamError | CustomStreamError) -> None:
        super().__init__(type(error).__name__)
        self.allow_retry = error.allow_retry
        if isinstance(error, CustomStreamError):
            self.status = 400
            self.message = str(error.message)
        else:
            self.status = error.status_code
            self.code = str(getattr(error.code, "value", error.code))
            self.message = InternalError.message
        self._is_own_text = isinstance(error, CustomStreamError)

    def text(self, translations: NullTranslations) -> str:
        """Return the app's own text as it is, and ours in the language of a catalog."""
        return self.message if self._is_own_text else super().text(translations)

    @property
    def members(self) -> Mapping[str, Any]:
        """Whether a second try may help."""
        return {"allow_retry": self.allow_retry}


class InternalError(RequestError):
    """Something failed that is not the client's fault; the cause is in the log."""

    status = 500
    code = "internal_error"
    message = texts.FAILED
    reason = "internal error"


class UnavailableError(InternalError):
    """Somebody whom we have to ask, an identity provider say, does not answer; the cause is in the log.

    Args:
        reason: Who or what, for the audit record.
        retry_after: Seconds after which a second try may help.
    """

    status = 503
    code = "temporarily_unavailable"
    message = texts.BUSY

    def __init__(self, reason: str, *, retry_after: int = 10) -> None:
        super().__init__(self.code)
        self.reason = reason
        self.retry_after = retry_after

    @property
    def headers(self) -> Headers:
        """When to come back (RFC 9110 §10.2.3)."""
        return {"Retry-After": str(self.retry_after)}


class RefusedByAppError(RequestError):
    """A Starlette `HTTPException` with a 4xx status, raised by the app's own code.

    Args:
        error: Its status and headers are kept; its detail is not, because it may quote input.
    """

    code = "refused"

    def __init__(self, error: HTTPException) -> None:
        super().__init__(self.code)
        self.status = error.status_code
        self.message = _BY_STATUS.get(error.status_code, texts.INVALID_REQUEST)
        self._headers = {name: value for name, value in (error.headers or {}).items() if _is_header(value)}

    @property
    def headers(self) -> Headers:
        """The headers of the app's exception."""
        return self._headers

    def text(self, translations: NullTranslations) -> str:
        """Return a text for the status; for 429 with when to come back, if the app says so in seconds."""
        seconds = {name.lower(): value for name, value in self._headers.items()}.get("retry-after", "")
        if self.status != HTTPStatus.TOO_MANY_REQUESTS or not _SECONDS.fullmatch(seconds):
            return super().text(translations)
        return counted(texts.TOO_FAST, int(seconds), translations)


_SECONDS = re.compile("(?!0+$)[0-9]{1,6}")
_BY_STATUS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: texts.SIGN_IN,
    HTTPStatus.FORBIDDEN: texts.NOT_ALLOWED,
    HTTPStatus.NOT_FOUND: texts.NOT_FOUND,
    HTTPStatus.GONE: texts.NOT_FOUND,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: texts.TOO_LARGE,
    HTTPStatus.LOCKED: texts.LOCKED,
    HTTPStatus.TOO_MANY_REQUESTS: texts.BUSY,
}


_CLIENT_ERRORS = range(400, 500)


def as_request_error(error: Exception) -> RequestError:
    """Return the refusal that an exception stands for; anything unknown is an `InternalError`.

    Args:
        error: What the store, the server, a policy or the context factory raised.
    """
    match error:
        case RequestError():
            return error
        case NotFoundError():
            return ResourceNotFoundError()
        case StreamError() | CustomStreamError():
            return AppError(error)
        case HTTPException(status_code=status) if status in _CLIENT_ERRORS:
            return RefusedByAppError(error)
        case _:
            return InternalError()


def phrase(status: int) -> str:
    """Return the reason phrase of a status, or the one of its class (RFC 9110 §15)."""
    return responses.get(status) or responses[status // 100 * 100]


def _is_header(value: object) -> bool:
    """Tell whether a value may stand in a header (RFC 9110 §5.5)."""
    return isinstance(value, str) and value.isprintable() and value.isascii()


def stack_of(error: BaseException) -> str:
    """Describe an exception for the log: its type and where it was raised, never its message.

    The message of an exception may quote what a user wrote; the files, lines and functions of modules cannot.
    Code that was made at run time may be what a user wrote itself: of that, nothing is shown but that it is there.
    """
    summaries = traceback.extract_tb(error.__traceback__)
    frames = "".join(
        traceback.format_list([summary])[0] if _is_of_module(frame) else "  File <made at run time>\n"
        for summary, (frame, _) in zip(summaries, traceback.walk_tb(error.__traceback__), strict=True)
    )
    what = f": {error}" if isinstance(error, ConfigurationError) else ""  # our own words, for the developer
    return f"{frames}{type(error).__module__}.{type(error).__qualname__}{what}"


def _is_of_module(frame: FrameType) -> bool:
    """Tell whether the code of a frame is that of the file of its module."""
    origin = getattr(frame.f_globals.get("__spec__"), "origin", None)
    return frame.f_code.co_filename in (origin, frame.f_globals.get("__file__"))
