"""Negotiation of the language of an answer.

sources → negotiator → state.locale, state.translations → app → Content-Language, Vary
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import ClassVar

from chatkit_prod.asgi import ASGIApp, Message, Receive, Scope, Send, with_headers
from chatkit_prod.layer import Layer, require_inside
from chatkit_prod.state import RequestState

from .negotiate import Negotiator
from .sources import read_sources
from .translations import Translations, catalogs_for


class LocaleMiddleware:
    """Find the user's language once per request.

    Args:
        app: The ASGI app to wrap.
        supported: BCP 47 tags that the app can answer in, best first; in any case.
        default: Used when the client accepts none of them; a member of `supported`.
        translations: The app's own catalogs. What they lack of our texts is taken from ours.
        sources: Where to look for the language, in order: the first that names one which the app supports
            decides. `"header"` is `Accept-Language`; `"cookie"`, `"query"` and `"principal"` are called
            `locale` there, or as in `"cookie:lang"`, `"query:hl"`, `"principal:lang"` (a claim); a callable
            gets the `RequestState`, and returns a tag or None; it is also asked before a request is refused, when
            nobody may be known: `state.peek().principal`. What is found is untrusted everywhere.

    Raises:
        ConfigurationError: `supported` is empty, holds an invalid tag, or lacks `default`; a source is none; `translations`
            are none, or hold a catalog that cannot be read; `app` holds a layer that belongs outside.

    Sets:
        `state.locale`: the chosen tag, as `supported` spells it.
        `state.translations`: the catalogs of that language.
        `Content-Language`, with hyphens (unless the app set it), and `Vary`, with the headers that the sources look at.
    """

    layer: ClassVar = Layer.LOCALE

    def __init__(
        self,
        app: ASGIApp,
        *,
        supported: Sequence[str],
        default: str | None = None,
        translations: Translations | None = None,
        sources: Iterable[str | Callable[[RequestState], str | None]] = ("header",),
    ) -> None:
        require_inside(self, app)
        self.app = app
        self._negotiator = Negotiator(supported, default=default)
        self._catalogs = catalogs_for(self._negotiator.supported, translations)
        self._sources = read_sources(sources)
        names = dict.fromkeys(name for source in self._sources for name in source.vary)
        self._vary = [(b"vary", b", ".join(names))] if names else []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the language of one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope, state = RequestState.seed(scope)
        await self.app(scope, receive, self.interpret(scope, state, send))

    def interpret(self, scope: Scope, state: RequestState, send: Send) -> Send:
        """Set the language of a request, and return what sends an answer in it.

        The layers outside ask for this as well, so that what they refuse is in the user's language.

        Args:
            scope: An HTTP scope.
            state: Gets the language.
            send: The ASGI channel.
        """
        state.locale = locale = self._chosen(scope, state)
        state.translations = self._catalogs[locale]
        language = [(b"content-language", locale.replace("_", "-").encode())]

        def send_with_language(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message = with_headers(message, added=self._vary, missing=language)
            return send(message)

        return send_with_language

    def _chosen(self, scope: Scope, state: RequestState) -> str:
        chosen = self._negotiator.default
        for source in self._sources:
            said = source.find(scope, state)
            if said is None:
                continue
            found = self._negotiator.match(said)
            if found is not None:
                return found
            if chosen == self._negotiator.default:
                chosen = self._negotiator.negotiate(said)  # which may refuse the default
        return chosen
