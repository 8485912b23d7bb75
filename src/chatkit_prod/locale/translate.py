"""A text of the app's, in the language of the user whom it is for.

translate(ctx, "Your order {number} is on its way.", number="A-1001")
"""

from gettext import NullTranslations
from typing import Any

from chatkit.errors import CustomStreamError

from chatkit_prod.context import RequestContext
from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import named
from chatkit_prod.render import counted, filled, looked_up
from chatkit_prod.state import RequestState
from chatkit_prod.texts import Plural

_MAX_WRAPPERS = 4


def translate(context: object, message: str | Plural, /, **params: object) -> str:
    """Return a text in the user's language.

    Args:
        context: A `RequestContext`, the `AgentContext` or the run context of a tool that holds one; or an
            app's own context, which has `translations`, or else stands for the request that is being answered.
        message: A constant of the app's, as in the code: the key of the catalogs. A `Plural` needs `count`.
        params: What stands for the `{names}` in it; put in as it is, whatever it looks like.

    Raises:
        ConfigurationError: There is no telling whom it is for; the message is no text, or a `Plural` has no
            `count`.
        KeyError: A `{name}` of the text has no param.
    """
    return _rendered(message, _translations_of(context), params)


def ntranslate(context: object, singular: str, plural: str, n: int, /, **params: object) -> str:
    """Return a text about a number, in the user's language and in the plural form that it has for `n`.

    Args:
        context: As for `translate`.
        singular: The text for 1, as in the code.
        plural: The text for every other number.
        n: The number; stands for `{n}`, and for `{count}`.
        params: What stands for the other `{names}`.

    Raises:
        ConfigurationError: There is no telling whom it is for.
        KeyError: A `{name}` of the text has no param.
    """
    return counted(Plural(singular, plural), n, _translations_of(context), **{"n": n, **params})


def ptranslate(context: object, meaning: str, message: str, /, **params: object) -> str:
    """Return a text that has several meanings, in the user's language.

    Args:
        context: As for `translate`.
        meaning: Which of them, as in the code: the context of the catalogs.
        message: The text, as in the code.
        params: What stands for the `{names}` in it.

    Raises:
        ConfigurationError: There is no telling whom it is for.
        KeyError: A `{name}` of the text has no param.
    """
    return filled(_translations_of(context).pgettext(meaning, message), message, (message,), params)


def localized_error(
    message: str | Plural, /, *, allow_retry: bool = False, **params: object
) -> CustomStreamError:
    """Return an error to raise in `respond`, an action or a store, whose text is in the user's language.

    Args:
        message: As for `translate`; the user is that of the request which is being answered.
        allow_retry: Whether ChatKit's client offers to try again.
        params: What stands for the `{names}` in it.

    Raises:
        ConfigurationError: The message is no text, or a `Plural` has no `count`.
        KeyError: A `{name}` of the text has no param.
    """
    text = _rendered(message, RequestState.current_translations(), params)
    return CustomStreamError(text, allow_retry=allow_retry)


def _rendered(message: str | Plural, translations: NullTranslations, params: dict[str, Any]) -> str:
    if isinstance(message, str):
        return filled(looked_up(message, translations), message, (message,), params)
    if not isinstance(message, Plural):
        raise ConfigurationError(
            f"a message must be a text or a Plural, not {named(message)}; of a lazy text, take str()"
        )
    count = params.get("count")
    if not isinstance(count, int):
        raise ConfigurationError("a Plural needs count=, the whole number that stands in it")
    return counted(message, count, translations, **params)


def _translations_of(context: object) -> NullTranslations:
    for _ in range(_MAX_WRAPPERS):
        if isinstance(context, RequestContext):
            return context.translations
        own = getattr(context, "translations", None)
        if isinstance(own, NullTranslations):
            return own
        inner = getattr(context, "request_context", None) or getattr(context, "context", None)
        if inner is None:
            break
        context = inner
    state = RequestState.current()
    if state is None:
        raise ConfigurationError(
            f"{named(context)} has no gettext translations (of Translations, take .catalog(locale)), and no request is being "
            "answered: pass a RequestContext"
        )
    return state.translations
