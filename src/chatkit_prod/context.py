"""From the state of a request to the context that a `ChatKitServer` gets."""

from collections.abc import Awaitable
from gettext import NullTranslations
from typing import Protocol, Self, TypeVar, runtime_checkable

from .errors import ConfigurationError
from .principal import Principal
from .render import counted, looked_up
from .state import RequestState
from .texts import Plural

TContext_co = TypeVar("TContext_co", covariant=True)


@runtime_checkable
class ContextFactory(Protocol[TContext_co]):
    """Maps the state of a request to the context that the store, the server and the tools get.

    Called once per request, after the body has been validated and before the server runs. May be
    `async`. A `RequestError`, a ChatKit `NotFoundError` or a Starlette `HTTPException` with a 4xx
    status becomes the answer; any other exception is an internal error.
    """

    def __call__(self, state: RequestState, /) -> TContext_co | Awaitable[TContext_co]:
        """Return the context, or an awaitable of it."""
        ...


class RequestContext:
    """The context that `ChatKitServer`, `Store` and tools get unless the app makes its own. Immutable.

    Args:
        principal: Who is asking; None when no layer has asked.
        locale: The negotiated BCP 47 tag; None when no layer has negotiated.
        request_id: As on the response.
        translations: The catalog of the user's language.
    """

    __slots__ = ("_locale", "_principal", "_request_id", "_translations")

    def __init__(
        self,
        *,
        principal: Principal | None = None,
        locale: str | None = None,
        request_id: str = "",
        translations: NullTranslations | None = None,
    ) -> None:
        self._principal = principal
        self._locale = locale
        self._request_id = request_id
        self._translations = translations or NullTranslations()

    @classmethod
    def of(cls, state: RequestState, /) -> Self:
        """Make the context of a request: the default `ContextFactory`."""
        principal, locale, _ = state.peek()
        return cls(
            principal=principal,
            locale=locale,
            request_id=state.request_id,
            translations=state.translations,
        )

    @property
    def principal(self) -> Principal:
        """Who is asking.

        Raises:
            ConfigurationError: Nobody has been authenticated.
        """
        if self._principal is None:
            raise ConfigurationError(
                "the context has no principal: put AuthMiddleware in front of the endpoint"
            )
        return self._principal

    @property
    def user_id(self) -> str:
        """The subject of the principal.

        Raises:
            ConfigurationError: Nobody has been authenticated.
        """
        return self.principal.subject

    @property
    def tenant_id(self) -> str | None:
        """The tenant of the principal, if the app has tenants.

        Raises:
            ConfigurationError: Nobody has been authenticated.
        """
        return self.principal.tenant

    @property
    def locale(self) -> str:
        """The user's language as a BCP 47 tag, spelt as in the app's list of locales.

        Raises:
            ConfigurationError: No language has been negotiated.
        """
        if self._locale is None:
            raise ConfigurationError(
                "the context has no locale: put LocaleMiddleware in front of the endpoint"
            )
        return self._locale

    @property
    def request_id(self) -> str:
        """The id that is on the response as `x-request-id`."""
        return self._request_id

    @property
    def translations(self) -> NullTranslations:
        """The catalogs of the user's language, and what these lack."""
        return self._translations

    def translate(self, message: str) -> str:
        """Return a text in the user's language, or as it is where the catalog lacks it.

        It is not filled in: for a text with `{names}` there is `chatkit_prod.locale.translate`.
        """
        return looked_up(message, self._translations)

    def ntranslate(self, singular: str, plural: str, n: int) -> str:
        """Return a text in the user's language and in the plural form for `n`, which stands for `{n}` in it."""
        return counted(Plural(singular, plural), n, self._translations, n=n)

    def ptranslate(self, meaning: str, message: str) -> str:
        """Return a text that has several meanings in the user's language, in one of them; not filled in."""
        return self._translations.pgettext(meaning, message)
